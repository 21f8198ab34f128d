"""A WebSocket server and a WebSocket client that are given bytes, all at once or in pieces, over real sockets."""

import random
import re
import socket
from collections.abc import Callable
from io import StringIO
from typing import Any

from greening._core.greenthread import spawn
from greening.net.convenience import connect as dial
from greening.net.socket import GreenSocket
from greening.testing import settle
from greening.timeout import Timeout
from greening.websocket import WebSocket, WebSocketWSGI, connect
from greening.websocket.exceptions import HandshakeError
from greening.wsgi import Server
from tests.fuzz.frames import NO_CODE, TOO_BIG, Told
from tests.fuzz.served import anywhere
from tests.websocket.wire import handshake

SECONDS = 20  # for anything
OPENING = handshake()
COMPRESSED_OPENING = handshake("Sec-WebSocket-Extensions: permessage-deflate")


def pieces(rng: random.Random, raw: bytes) -> list[bytes]:
    """The same bytes, cut anywhere."""
    cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.choice((1, 3, 10))))
    return [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True) if end > start]


class WebSocketServer:
    """A server whose handler notes what it is told."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        application = WebSocketWSGI(self._handle, close_timeout=0.5)
        self._server = Server(anywhere(), application, log=StringIO(), log_output=False)
        self._server.start()

    def _handle(self, ws: WebSocket) -> None:
        messages: list[str | bytes] = []
        try:
            messages.extend(ws)
        finally:
            self._told.append(Told(messages, ws.close_code or 0, []))

    def answer(self, parts: list[bytes]) -> bytes:
        """All that a client gets that sends these bytes and then nothing more."""
        got = b""
        with Timeout(SECONDS), dial(self._server.address, socket.AF_UNIX) as sock:
            reader = spawn(_all_of, sock)
            try:
                for part in parts:
                    sock.sendall(part)
                    settle()
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has closed
            got = reader.wait()
        return got

    def read(self, compressed: bool, parts: list[bytes]) -> Told:
        """What the handler is told by a client that sends these bytes after its handshake, and the pongs it gets."""
        self._told.clear()
        got = self.answer([COMPRESSED_OPENING if compressed else OPENING, *parts])
        settle()
        (told,) = self._told
        head, _, frames = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), got
        return Told(told.messages, told.code, _pongs(frames))

    def stop(self) -> None:
        """End it."""
        self._server.stop(0)


def _all_of(sock: GreenSocket) -> bytes:
    got = bytearray()
    try:
        while data := sock.recv(65536):
            got += data
    except OSError:
        pass
    return bytes(got)


def _pongs(raw: bytes) -> list[bytes]:
    """The payloads of the pongs among a server's frames, which are not masked. Nothing but control frames is there."""
    found = []
    while raw:
        size = raw[1]
        assert size <= 125, raw
        if raw[0] == 0x8A:
            found.append(raw[2 : 2 + size])
        raw = raw[2 + size :]
    return found


def equal(told: Told, expected: Told) -> bool:
    """Whether a server has understood a stream.

    One pong may answer several pings (RFC 6455 5.5.3), and after a close frame, or something wrong, none is needed. A
    length that a flipped bit has made enormous is too big (1009) for a server that has limits.
    """
    pongs = iter(expected.pings)
    lawful = all(pong in pongs for pong in told.pings)
    code = told.code if told.code else NO_CODE
    return told.messages == expected.messages and code in (expected.code, TOO_BIG) and lawful


def opened_by(answer: Callable[[str], list[bytes]]) -> str:
    """What a client makes of a server's answer: "open", "refused" and its status, or "nonsense".

    Args:
        answer: from the client's key to the bytes, in pieces.
    """
    ours, theirs = map(_green, socket.socketpair())
    with Timeout(SECONDS), theirs:
        server = spawn(_answer, theirs, answer)
        outcome = _outcome(ours)
        server.wait()
    return outcome


def _green(sock: socket.socket) -> GreenSocket:
    return GreenSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())


def _answer(sock: GreenSocket, answer: Callable[[str], list[bytes]]) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += sock.recv(65536)
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", request)
    assert key is not None
    try:
        for part in answer(key[1].decode()):
            sock.sendall(part)
            settle()
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    except OSError:
        pass  # the client has closed


def _outcome(sock: Any) -> str:
    try:
        ws = connect("ws://a/", sock=sock, timeout=SECONDS, close_timeout=0.01)
    except HandshakeError as error:
        return f"refused {error.status}" if error.status else "nonsense"
    with ws:
        return "open"
