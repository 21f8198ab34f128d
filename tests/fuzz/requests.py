"""Requests, right and wrong ones, on many connections at once; always the same ones for the same generator."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

# What can be wrong with a request, or looks odd and is right.
METHODS = (*[b"GET"] * 8, *[b"POST"] * 4, b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"BREW", b"get", b"PRI")
PATHS = (
    b"/echo", b"/echo?a=b", b"/unread", b"/pieces", b"/none", b"/raise", b"/cookie", b"/%41", b"/s?path=C:\\d", b"*",
)  # fmt: skip
OTHER_TARGETS = (
    b"http://a/echo", b"http://b:80?x", b"a:443", b"[::1]:80", b"//b", b"echo", b"/100%", b"/%00", b"/a b", b"/#f",
)  # fmt: skip
VERSIONS = (*[b"HTTP/1.1"] * 20, *[b"HTTP/1.0"] * 3, b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1", b"http/1.1")
HOSTS = (*[b"a"] * 12, b"b:8080", b"[::1]", b"", b"a,b", b"u@a", b"a/b", b"a:99999", b"\xff")
OPTIONS = (
    b"close", b"Close", b"keep-alive", b"Keep-Alive, close", b"upgrade", b"keep-alive, Upgrade", b"close, upgrade", b"",
    b",close,", b"x-a, x-b", b"close\t", b"keep-alive,", b"HTTP2-Settings, Upgrade",
)  # fmt: skip
VALUES = {
    b"Connection": OPTIONS,
    b"Proxy-Connection": OPTIONS,
    b"Keep-Alive": (b"timeout=5", b"max=1"),
    b"Upgrade": (b"h2c", b"websocket", b"TLS/1.0", b"h2c, websocket", b""),
    b"HTTP2-Settings": (b"AAMAAABkAAQAoAAAAAIAAAAA",),
    b"Expect": (b"100-continue", b"100-Continue", b"200-ok", b""),
    b"Cookie": (b"a=1", b"session=%d"),
    b"Authorization": (b"Basic %d",),
    b"Accept": (b"*/*", b"a, b"),
    b"User-Agent": (b"fuzz", b"\xff\x80", b"x" * 300),
    b"X-Number": (b"%d",),
    b"X_Number": (b"%d",),
    b"Proxy": (b"http://evil",),
    b"TE": (b"trailers",),
    b"Trailer": (b"X-End",),
    b"Content-Type": (b"text/plain", b"a/b; c=d"),
    b"Transfer-Encoding": (b"chunked", b"gzip, chunked", b"identity", b"chunked, chunked", b"\x0bchunked", b"Chunked"),
    b"Content-Length": (b"0", b"3", b"+3", b"3, 3", b"0x3", b"99999999999999999999"),
    b"Sec-WebSocket-Key": (b"dGhlIHNhbXBsZSBub25jZQ==",),
}
NAMES = tuple(VALUES)
_OFTEN = {b"Connection": 6, b"Proxy-Connection": 3, b"Upgrade": 3, b"X-Number": 6, b"Cookie": 3}
WEIGHTS = tuple(_OFTEN.get(name, 1) for name in NAMES)
BITS = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\0", b"\x0b", b"\x7f", b"\x80", b"\xff", b"%", b"#", b"0",
    b"-", b"_", b"Host: a\r\n", b"Content-Length: 3\r\n", b"chunked", b"\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
)  # fmt: skip
LONGEST_DOUBLED = 200  # bytes
LONG = (8100, 9000, 65000, 70000)

AT_ONCE = 8  # connections


@dataclass(frozen=True)
class Step:
    """What a client does: send some bytes, and then, with `end`, finish ("finish") or vanish ("vanish")."""

    connection: int
    data: bytes
    end: str = ""


def connections(rng: random.Random, requests: int, first: int = 0) -> list[Step]:
    """What clients with at least so many requests do, step by step, several of them at once.

    Args:
        first: the number of the first connection.
    """
    steps: list[Step] = []
    active: list[list[Step]] = []
    number = first
    while requests > 0 or active:
        while requests > 0 and len(active) < AT_ONCE:
            count = rng.choice((1, 1, 1, 2, 3, 6))
            requests -= count
            active.append(_script(rng, number, count))
            number += 1
        script = rng.choice(active)
        steps.append(script.pop(0))
        if not script:
            active.remove(script)
    return steps


def _script(rng: random.Random, connection: int, count: int) -> list[Step]:
    raw = b"".join(request(rng) for _ in range(count))
    vanishes = rng.random() < 0.1
    if vanishes:
        raw = raw[: rng.randrange(len(raw) + 1)]
    cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.choice((0, 0, count - 1, 1, 2, 5))))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    steps = [Step(connection, piece) for piece in pieces[:-1] if piece]
    return [*steps, Step(connection, pieces[-1], "vanish" if vanishes else "finish")]


def request(rng: random.Random) -> bytes:
    """One request, with its body."""
    method, version = rng.choice(METHODS), rng.choice(VERSIONS)
    target = rng.choice(PATHS) if rng.random() < 0.85 else rng.choice(OTHER_TARGETS)
    lines = [b"%b %b %b" % (method, target, version)]
    if rng.random() < 0.97:
        lines.append(b"Host: " + rng.choice(HOSTS))
    for name in rng.choices(NAMES, WEIGHTS, k=rng.choice((0, 0, 1, 1, 2, 3, 8))):
        lines.append(_field(rng, name))
    body = b""
    if rng.random() < (0.7 if method in (b"POST", b"PUT") else 0.05):
        field, body = _body(rng)
        lines.append(field)
    if rng.random() < 0.01:
        lines.append(b"X-Long: " + b"x" * rng.choice(LONG))
    if len(lines) > 2 and rng.random() < 0.3:
        fields = lines[1:]
        rng.shuffle(fields)
        lines[1:] = fields
    raw = b"\r\n".join([*lines, b"", b""])
    if rng.random() < 0.03:
        raw = b"\r\n" + raw
    return mutated(rng, raw + body) if rng.random() < 0.1 else raw + body


def _field(rng: random.Random, name: bytes) -> bytes:
    value = rng.choice(VALUES[name])
    if b"%d" in value:
        value %= rng.choice((1, 1, 2, rng.randrange(10**6)))
    if rng.random() < 0.1:
        name = rng.choice((name.lower(), name.upper()))
    before, after = rng.choice((b" ", b" ", b" ", b"", b"\t", b"  ")), rng.choice((b"", b"", b"", b"", b" ", b"\t "))
    return b"%b:%b%b%b" % (name, before, value, after)


def _body(rng: random.Random) -> tuple[bytes, bytes]:
    """The field that frames a body, and the body."""
    body = bytes(rng.choices(b"ab\r\n0:", k=rng.choice((0, 1, 5, 30, 3000))))
    roll = rng.random()
    if roll < 0.5:
        return b"Content-Length: %d" % len(body), body
    size = rng.choice((1, 7, 500))
    extension = rng.choice((b"", b"", b";a=b", b' ; a="b"'))
    chunks = [body[at : at + size] for at in range(0, len(body), size)][:60]
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    trailers = rng.choice((b"", b"", b"X-End: 1\r\n", b"Content-Length: 5\r\n", b"bad trailer\r\n"))
    return b"Transfer-Encoding: chunked", framed + b"0\r\n" + trailers + b"\r\n"


def mutated(
    rng: random.Random, raw: bytes, bits: Sequence[bytes] = BITS, longest: int | None = LONGEST_DOUBLED
) -> bytes:
    """The same with a few bytes changed, gone, doubled (`longest` at most) or put in (out of `bits`)."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(5)
        if what == 0:
            data[at:at] = rng.choice(bits)
        elif what == 1:
            del data[at : at + rng.choice((1, 1, 2, 5))]
        elif what == 2:
            data[at : at + 1] = rng.choice(bits)
        elif what == 3:
            data[at : at + 1] = bytes((rng.randrange(256),))
        else:
            end = rng.randrange(len(data) + 1)
            data[at:at] = data[min(at, end) : max(at, end)][:longest]
    return bytes(data)
