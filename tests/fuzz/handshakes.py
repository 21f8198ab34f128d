"""Opening handshakes of WebSocket, both ways: right and wrong ones, and what has to become of them (RFC 6455 4)."""

import random
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1

from tests.fuzz.requests import mutated

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
_FAULTY = "faulty"

# The values of each field of a request, and whether a server has to take them; None: the field is left out.
REQUEST: dict[str, dict[str | None, bool]] = {
    "Connection": {"Upgrade": True, "keep-alive, upgrade": True, "keep-alive": False, None: False, "upgrade,": True},
    "Upgrade": {"websocket": True, "WebSocket": True, "h2c": False, "TLS/1.0, websocket": True, None: False},
    "Sec-WebSocket-Version": {"13": True, "8": False, "13, 8": False, None: False},
    "Sec-WebSocket-Key": {
        "dGhlIHNhbXBsZSBub25jZQ==": True,
        "AAAAAAAAAAAAAAAAAAAAAA==": True,
        "dGhlIHNhbXBsZSBub25jZQ": False,
        "dGhlIHNhbXBsZQ==": False,
        "": False,
        None: False,
    },
    "Sec-WebSocket-Extensions": {
        None: True,
        "permessage-deflate": True,
        "permessage-deflate; server_max_window_bits=99": True,
        "x-unknown; a=b, permessage-deflate; client_max_window_bits": True,
        "a b": False,
        ";": False,
    },
    "Sec-WebSocket-Protocol": {None: True, "chat": True, "chat, superchat": True, "chat, chat": False, "a b": False},
    "Origin": {None: True, "http://a": True, "null": True},
}
# The same of an answer, and whether a client has to take them. {accept} is what belongs to its key.
ANSWER: dict[str, dict[str | None, bool]] = {
    "Upgrade": {"websocket": True, "WebSocket": True, "h2c": False, None: False},
    "Connection": {"Upgrade": True, "keep-alive, upgrade": True, "close": False, None: False},
    "Sec-WebSocket-Accept": {
        "{accept}": True,
        "  {accept}\t": True,
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=": False,
        None: False,
    },
    "Sec-WebSocket-Protocol": {None: True, "chat": False},
    "Sec-WebSocket-Extensions": {
        None: True,
        "permessage-deflate": True,
        "permessage-deflate; server_max_window_bits=10": True,
        "permessage-deflate; unknown": False,
        "permessage-deflate, permessage-deflate": False,
        "x-unknown": False,
    },
    "X-Other": {None: True, "a": True, "\t": True, "\xe4": True, "x" * 3000: True},
}


@dataclass(frozen=True)
class Opening:
    """A request and whether it is to be accepted; `key` is what it says."""

    raw: bytes
    welcome: bool
    key: str


def accept_of(key: str) -> str:
    """Sec-WebSocket-Accept: what a server says to a key."""
    return b64encode(sha1(key.encode() + _GUID).digest()).decode()


def _chosen(rng: random.Random, table: dict[str, dict[str | None, bool]]) -> tuple[list[tuple[str, str]], bool]:
    """Fields, mostly right ones, and whether all of them are."""
    fields, right = [], True
    for name, values in table.items():
        good = [value for value, fine in values.items() if fine]
        value = rng.choice(good if rng.random() < 0.9 else list(values))
        right = right and values[value]
        if value is not None:
            fields.append((name, value))
    rng.shuffle(fields)
    return fields, right


def request(rng: random.Random) -> Opening:
    """A client's request."""
    fields, welcome = _chosen(rng, REQUEST)
    method, version = rng.choice((*["GET"] * 15, "POST", "HEAD")), rng.choice((*["HTTP/1.1"] * 15, "HTTP/1.0"))
    lines = [f"{method} /chat {version}", "Host: a", *(f"{name}: {value}" for name, value in fields), "", ""]
    welcome = welcome and (method, version) == ("GET", "HTTP/1.1")
    return Opening("\r\n".join(lines).encode("latin-1"), welcome, dict(fields).get("Sec-WebSocket-Key", ""))


@dataclass(frozen=True)
class Answer:
    """A server's answer, with "{accept}" in it. outcome: what a client has to make of it; "": anything but "open"."""

    template: bytes
    outcome: str

    def to(self, key: str) -> bytes:
        """The answer to a client with that key."""
        return self.template.replace(b"{accept}", accept_of(key).encode())


def answer(rng: random.Random) -> Answer:
    """A server's answer. One in four is mutilated: a client may refuse it, or see that it is right all the same."""
    fields, right = _chosen(rng, ANSWER)
    status = rng.choice((*["101 Switching Protocols"] * 12, "101", "200 OK", "403 No", "503 ", "301 Moved"))
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields), "", ""]
    raw = "\r\n".join(lines).encode("latin-1")
    if rng.random() < 0.25:
        return Answer(mutated(rng, raw), _FAULTY)
    if not status.startswith("101"):
        return Answer(raw, f"refused {status[:3]}")
    return Answer(raw, "open" if right else "refused 101")


def lawful(one: Answer, outcome: str) -> bool:
    """Whether a client may make this of an answer."""
    if one.outcome == _FAULTY:
        return outcome == "open" or outcome == "nonsense" or outcome.startswith("refused ")
    return outcome == one.outcome


# Answers for which a careless parser takes the square, or the cube, of their length. {n}: so many.
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "blanks and a zero": lambda n: b"X:" + b" " * n + b"\0",
    "tabs and blanks": lambda n: b"X:" + b"\t " * (n // 2) + b"\0",
    "blanks inside": lambda n: b"X:" + b"a " * (n // 2) + b"\0",
    "colons": lambda n: b":" * n,
    "no colon": lambda n: b"X" * n,
    "many fields": lambda n: b"\r\n".join([b"X: y"] * (n // 6)),
    "many elements": lambda n: b"Connection: " + b", " * (n // 2) + b"x",
    "many parameters": lambda n: b"Sec-WebSocket-Extensions: permessage-deflate" + b"; a" * (n // 3),
    "carriage returns": lambda n: b"X: " + b"\r" * n,
}


def hostile(kind: str, size: int) -> bytes:
    """A whole answer of about `size` bytes."""
    return b"HTTP/1.1 101 Switching Protocols\r\n" + HOSTILE[kind](size) + b"\r\n\r\n"
