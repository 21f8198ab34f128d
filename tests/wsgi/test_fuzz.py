"""Seeded fuzz of the request stream. Whatever comes: nothing but our own errors, never two requests out of one refused,
and the same, however the bytes are cut up.
"""

import random
import re
from typing import Any

import pytest

from greening._core.waiting import sleep
from greening.wsgi.errors import Refused
from greening.wsgi.limits import Limits
from greening.wsgi.request_head import CHUNKED, Head, check_partial, read_head
from tests.fuzz.requests import mutated

HEADS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\n",
    b"PUT http://a/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nX-Y: z\r\n\r\n",
    b"CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
]
BITS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\x00", b"\x0b", b"\x7f", b"\x80", b"\xff", b"/", b"%", b"#",
    b"0", b"5", b"-", b"_", b"HTTP/1.1", b"Host: a\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n",
    b"chunked", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n\r\n",
]  # fmt: skip


def sound(head: Head, raw: bytes) -> None:
    """What every head that is let in has to be, whatever it looked like."""
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\r\n") == raw.count(b"\r") == raw.count(b"\n")
    environ = head.environ
    assert head.minor == 0 or environ["HTTP_HOST"]
    assert not ({"HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH"} <= environ.keys())
    assert (head.length == CHUNKED) == ("HTTP_TRANSFER_ENCODING" in environ)
    if head.length > 0:
        assert int(environ["CONTENT_LENGTH"]) == head.length
    lower = raw.lower()
    for name in (b"\r\ncontent-length:", b"\r\ntransfer-encoding:", b"\r\nhost:"):
        assert lower.count(name) <= 1
    for key, value in environ.items():
        if isinstance(value, str) and key not in ("PATH_INFO",):
            assert value.isprintable() or not {c for c in value if c < " " and c != "\t"}, (key, value)


@pytest.mark.parametrize("seed", range(20))
def test_heads(seed: int) -> None:
    rng = random.Random(seed)
    limits = Limits()
    let_in = 0
    for _ in range(500):
        raw = mutated(rng, rng.choice(HEADS), BITS, longest=None)
        whole = raw[: raw.find(b"\r\n\r\n", 2) + 4] if b"\r\n\r\n" in raw[2:] else raw
        try:
            head = read_head(whole, limits)
        except Refused as refused:
            assert 400 <= refused.status <= 505
            continue
        sound(head, whole)
        let_in += 1
        seen = 0
        for end in sorted({*rng.choices(range(1, len(whole) - 3), k=5)}):
            check_partial(bytearray(whole[:end]), seen, limits)  # what will be let in is not refused on the way
            seen = end
    assert let_in > 20


def script(rng: random.Random) -> bytes:
    """Requests with bodies, one after the other, and something wrong somewhere."""
    parts = []
    for number in range(3):
        body = bytes(rng.choices(b"ab\r\n0:", k=rng.randrange(20)))
        head = b"POST /%d HTTP/1.1\r\nHost: a\r\n" % number
        if rng.random() < 0.5:
            parts.append(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        else:
            chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
            parts.append(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    return mutated(rng, b"".join(parts), BITS, longest=None)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_streams(serve: Any, seed: int) -> None:
    rng = random.Random(seed)
    seen: list[tuple[str, bytes]] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read()
        seen.append((environ["PATH_INFO"], body))
        start_response("200 OK", [])
        return [b"ok"]

    running = serve(app, limits=Limits(linger_timeout=0.02))
    for _ in range(200):
        raw = script(rng)
        runs = []
        for pieces in (1, 7):
            seen.clear()
            client = running.connect()
            cuts = sorted(rng.choices(range(len(raw) + 1), k=pieces - 1))
            for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
                try:
                    client.send(raw[start:end])
                except OSError:
                    break  # it was refused already
                if pieces > 1:
                    sleep(0)
            try:
                client.sock.shutdown(1)
            except OSError:
                pass
            said = client.rest()
            client.close()
            answers = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]
            assert all(status == 200 for status in answers[:-1]), (raw, said)
            assert len(seen) == answers.count(200), (raw, said)
            assert answers[-1:] in ([], [200]) or 400 <= answers[-1] <= 505
            assert 500 not in answers
            runs.append((list(seen), answers))
        assert runs[0][0] == runs[1][0], raw
    assert running.log.getvalue() == ""
