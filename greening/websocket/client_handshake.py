"""The client's part of the opening handshake (RFC 6455 4.1): what the server answers."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from greening.websocket.deflate import Agreement, conclude
from greening.websocket.exceptions import HandshakeError
from greening.websocket.headers import TOKEN, extensions, has_token

# Bytes of one read, at most. When more than these have come, the head of the answer must have ended.
_MAX_HEAD = 65536
_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?")
# What a field's value may not have (RFC 9110 5.5). Each pattern here leaves a byte no choice: none of them backtracks.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True)
class Answer:
    """A response's head, and the bytes that came behind it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    rest: bytes

    def get(self, name: str) -> str:
        """All values of a field, joined by commas; "": there is none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    def wrong(self, why: str) -> HandshakeError:
        """The error to raise: this answer is no yes."""
        return HandshakeError(why, self.status, self.headers, self.rest)


def read_answer(sock: Any) -> Answer:
    """Read the head of a response.

    Raises:
        HandshakeError: it is none. OSError.
    """
    raw = bytearray()
    end = -1
    while end < 0:
        if len(raw) > _MAX_HEAD:
            raise HandshakeError("the server's answer does not end")
        data = sock.recv(_MAX_HEAD)
        if not data:
            raise HandshakeError("the server has closed the connection in the midst of the handshake")
        seen = max(0, len(raw) - 3)
        raw += data
        end = raw.find(b"\r\n\r\n", seen)
    first, *lines = raw[:end].split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise HandshakeError("the server's answer is not HTTP/1.1")
    headers = tuple(_field(one.decode("latin-1")) for one in lines)
    return Answer(int(line[1]), headers, bytes(raw[end + 4 :]))


def _field(line: str) -> tuple[str, str]:
    """Name and value of a field line. Raises: HandshakeError: it is none."""
    name, colon, value = line.partition(":")
    if not colon or TOKEN.fullmatch(name) is None or _FORBIDDEN.search(value) is not None:
        raise HandshakeError(f"the server's answer is not HTTP/1.1: a faulty field {line[:80]!r}")
    return name, value.strip(" \t")


def agree(
    answer: Answer, accept: str, offered: Collection[str], compression: bool
) -> tuple[str | None, Agreement | None]:
    """Subprotocol and compression, if the answer says yes.

    Args:
        accept: what it must say to our key. offered: subprotocols.
    Raises:
        HandshakeError: it says no, or yes to something else.
    """
    if answer.status != 101:
        raise answer.wrong(f"the server answers {answer.status}, not 101")
    if not has_token(answer.get("upgrade"), "websocket") or not has_token(answer.get("connection"), "upgrade"):
        raise answer.wrong("the server switches to something else than WebSocket")
    if answer.get("sec-websocket-accept") != accept:
        raise answer.wrong("the server's Sec-WebSocket-Accept is not for our key")
    protocol = answer.get("sec-websocket-protocol") or None
    if protocol is not None and protocol not in offered:
        raise answer.wrong(f"the server chose a subprotocol that it was not offered: {protocol!r}")
    try:
        agreement = conclude(extensions(answer.get("sec-websocket-extensions")))
    except ValueError as error:
        raise answer.wrong(str(error)) from error
    if agreement is not None and not compression:
        raise answer.wrong("the server compresses, which it was not offered")
    return protocol, agreement
