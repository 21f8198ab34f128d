"""What can be tried: for each target a function from a seed and a count to the first that goes wrong."""

import random
from collections.abc import Callable
from time import monotonic

from tests.fuzz.frames import read_by_wsproto, stream
from tests.fuzz.handshakes import HOSTILE, accept_of, answer, hostile, lawful, request
from tests.fuzz.sockets import WebSocketServer, equal, opened_by, pieces
from tests.fuzz.stateful import run

# A target takes a seed, a count, and what it calls with how many went well. It returns what went wrong; "": nothing.
Progress = Callable[[int], None]
Target = Callable[[int, int, Progress], str]

SLOW = 1.0  # seconds for one answer; what is not linear takes minutes for the longest
SIZES = (2000, 16000, 60000)  # bytes


def requests(seed: int, count: int, progress: Progress) -> str:
    """Many clients of one server: each is answered as by a server that has seen no other."""
    outcome = run(seed, count, lambda now: progress(now.requests))
    return "\n\n".join(map(str, outcome.differences))


def frames(seed: int, count: int, progress: Progress) -> str:
    """WebSocket frames, whole and in pieces: the handler is told what wsproto reads."""
    server = WebSocketServer()
    try:
        for number in range(count):
            rng = random.Random(f"frames {seed} {number}")
            compressed = rng.random() < 0.4
            raw = stream(rng, compressed)
            expected = read_by_wsproto(raw, compressed)
            for parts in ([raw], pieces(rng, raw)):
                told = server.read(compressed, parts)
                if not equal(told, expected):
                    about = f"number {number}, compressed={compressed}"
                    return f"{about}\n{parts!r}\nwas read as\n{told}\nand is\n{expected}"
            progress(number + 1)
    finally:
        server.stop()
    return ""


def handshakes(seed: int, count: int, progress: Progress) -> str:
    """WebSocket handshakes, whole and in pieces: accepted if RFC 6455 says so, and refused otherwise."""
    server = WebSocketServer()
    try:
        for number in range(count):
            rng = random.Random(f"handshakes {seed} {number}")
            opening = request(rng)
            for parts in ([opening.raw], pieces(rng, opening.raw)):
                got = server.answer(parts)
                accepted = f"\r\nSec-WebSocket-Accept: {accept_of(opening.key)}\r\n".encode() in got
                switched = got.startswith(b"HTTP/1.1 101 ")
                if switched != opening.welcome or accepted != switched or not got.startswith(b"HTTP/1."):
                    return f"number {number}, welcome={opening.welcome}\n{parts!r}\nwas answered\n{got!r}"
            progress(number + 1)
    finally:
        server.stop()
    return ""


def answers(seed: int, count: int, progress: Progress) -> str:
    """Servers' answers to a WebSocket client, whole and in pieces; hostile ones take time linear in their size."""
    for number in range(count):
        rng = random.Random(f"answers {seed} {number}")
        one = answer(rng)
        whole = opened_by(lambda key, one=one: [one.to(key)])  # type: ignore[misc]
        cut = opened_by(lambda key, one=one, rng=rng: pieces(rng, one.to(key)))  # type: ignore[misc]
        if whole != cut or not lawful(one, whole):
            return f"number {number}\n{one}\nis understood as {whole!r}, in pieces as {cut!r}"
        progress(number + 1)
    return slow_answer()


def slow_answer() -> str:
    """The first hostile answer that takes long."""
    for kind in HOSTILE:
        for size in SIZES:
            began = monotonic()
            opened_by(lambda key, kind=kind, size=size: [hostile(kind, size)])  # type: ignore[misc]
            if (took := monotonic() - began) > SLOW:
                return f"{kind}, {size} bytes: the client took {took:.1f} s"
    return ""


TARGETS: dict[str, Target] = {"requests": requests, "frames": frames, "handshakes": handshakes, "answers": answers}
