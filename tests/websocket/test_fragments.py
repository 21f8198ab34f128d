"""What a hostile peer can make a connection cost."""

import struct
import zlib
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.sync.event import Event
from greening.testing import settle, wait_until_parked
from greening.timeout import Timeout
from greening.websocket.budget import Budget
from greening.websocket.client import connect
from tests.websocket.wire import BINARY, DEFLATE, FIN, RSV1, TEXT, frame, resident

MEGABYTE = 1 << 20


def bomb(size: int, level: int = 9) -> bytes:
    """So many zeros, deflated as a message."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    block = bytes(MEGABYTE)
    data = b"".join(deflater.compress(block) for _ in range(size // MEGABYTE))
    return (data + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_a_bomb_costs_about_the_limit_and_is_answered_with_1009(serve: Any) -> None:
    data = frame(FIN | RSV1 | BINARY, bomb(32 * MEGABYTE), mask=b"\0\0\0\0")
    client = serve(max_frame_length=4 * MEGABYTE).open(DEFLATE)
    before = resident()
    client.send(data)
    assert client.closed_with == 1009
    assert resident() - before < 10 * MEGABYTE


def test_a_bomb_in_fragments_is_no_better(serve: Any) -> None:
    data = bomb(16 * MEGABYTE)
    parts = [data[at : at + 2000] for at in range(0, len(data), 2000)]
    client = serve(max_frame_length=8 * MEGABYTE).open(DEFLATE)
    before = resident()
    client.send(frame(RSV1 | BINARY, parts[0]) + b"".join(frame(0, part) for part in parts[1:]) + frame(FIN))
    assert client.closed_with == 1009
    assert resident() - before < 20 * MEGABYTE


def test_a_message_of_the_size_of_the_limit_passes_and_one_byte_more_does_not(serve: Any) -> None:
    running = serve(max_frame_length=1000)
    for compression in (True, False):
        with connect(running.url, compression=compression) as ws:
            ws.send(b"\0" * 1000)
            assert ws.wait() == b"\0" * 1000
            ws.send(b"\0" * 1001)
            assert ws.wait() is None
            assert ws.close_code == 1009


def test_a_frame_that_claims_too_much_is_refused_at_once(serve: Any) -> None:
    for size in (1001, 1 << 40, (1 << 63) - 1):
        client = serve(max_frame_length=1000).open()
        client.send(frame(FIN | BINARY, b"", length=size))
        assert client.closed_with == 1009


def test_fragments_together_may_not_be_more_than_a_message_may_be(serve: Any) -> None:
    client = serve(max_frame_length=1000, max_message_length=1500).open()
    client.send(frame(BINARY, b"x" * 1000) + frame(0, b"x" * 500))
    client.send(frame(FIN, b"", length=1))
    assert client.closed_with == 1009


def test_many_tiny_fragments_take_no_more_memory_than_what_is_in_them(serve: Any) -> None:
    client = serve().open()
    client.send(frame(TEXT, "ü".encode()))
    before = resident()
    client.send(frame(0, b"", mask=b"\0\0\0\0") * 5000)
    client.send(frame(0, "€".encode(), mask=b"\0\0\0\0") * 5000)
    client.send(frame(FIN))
    assert client.frame()[1] == ("ü" + "€" * 5000).encode()
    assert resident() - before < 2 * MEGABYTE


@pytest.mark.slices_end
def test_others_run_while_a_block_of_tiny_frames_is_read(serve: Any) -> None:
    go, ended = Event(), Event()
    turns: list[None] = []

    def other() -> None:
        while True:
            turns.append(None)
            sleep(0)

    def handler(ws: Any) -> None:
        go.wait()
        before = len(turns)
        ended.send((ws.wait(), len(turns) - before))

    client = serve(handler).open()
    client.send(frame(TEXT, b"x") + frame(0) * 20_000 + frame(FIN))  # there before it is read
    running = spawn(other)
    go.send()
    message, others = ended.wait()
    kill(running)
    assert message == "x"
    assert others > 5


def test_a_client_has_limits_too(serve: Any) -> None:
    def handler(ws: Any) -> None:
        ws.send(bytes(10 * MEGABYTE))
        ws.wait()

    running = serve(handler)
    with connect(running.url, max_message_length=MEGABYTE) as ws:
        assert ws.wait() is None
        assert ws.close_code == 1009


def test_what_cannot_be_inflated_is_answered_with_1007(serve: Any) -> None:
    client = serve().open(DEFLATE)
    client.send(frame(FIN | RSV1 | TEXT, b"\x07 nonsense"))
    assert client.closed_with == 1007


def test_many_small_messages_that_inflate_are_inflated_one_at_a_time(serve: Any) -> None:
    got, go_on = Event(), Event()

    def handler(ws: Any) -> None:
        ws.wait()
        got.send()
        go_on.wait()
        assert all(message == bytes(4 * MEGABYTE) for message in ws)

    client = serve(handler).open(DEFLATE + "; client_no_context_takeover")
    data = frame(FIN | RSV1 | BINARY, bomb(4 * MEGABYTE), mask=b"\0\0\0\0") * 12
    before = resident()
    client.send(data)
    got.wait()
    assert resident() - before < 24 * MEGABYTE
    go_on.send()
    client.send(frame(FIN | 8, struct.pack("!H", 1000)))
    assert client.closed_with == 1000


def test_a_final_block_ends_a_message_and_nothing_may_follow_it(serve: Any) -> None:
    # RFC 7692 7.2.3.4: "Hello" in a block that says it is the last one, and padding.
    hello = bytes([0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00])
    client = serve().open(DEFLATE)
    for _ in range(2):
        client.send(frame(FIN | RSV1 | TEXT, hello))
        assert client.frame() == (FIN | TEXT, b"Hello")
    client.send(frame(FIN | RSV1 | TEXT, hello + b"more"))
    assert client.closed_with == 1007


@pytest.mark.parametrize("settings", [{"max_frame_length": 0}, {"max_message_length": 0}, {"close_timeout": -1}])
def test_limits_that_let_nothing_through_are_mistakes(serve: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        serve(**settings)


@pytest.mark.parametrize("unit", [b"\0", b"a", b"a" * 65532 + "\U0001f600".encode()], ids=["bytes", "ascii", "mixed"])
def test_unfinished_messages_take_no_more_memory_than_was_sent(serve: Any, unit: bytes) -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = deflater.compress(unit * (8 * MEGABYTE // len(unit) - 2)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    data = frame(RSV1 | (BINARY if unit == b"\0" else TEXT), data, mask=b"\0\0\0\0")
    running = serve()
    clients = [running.open(DEFLATE) for _ in range(20)]
    before = resident()
    for client in clients:
        client.send(data + frame(FIN | 9, b"?"))
        assert client.frame() == (FIN | 10, b"?")
    assert resident() - before < 10 * MEGABYTE


def test_a_long_message_is_inflated_while_others_of_its_kind_wait(serve: Any) -> None:
    """One at a time: each may become 8 MiB."""
    budget = Budget()
    running = serve(lambda ws: [ws.send(str(len(message))) for message in ws], budget=budget)
    client = running.open(DEFLATE)
    budget.inflating.acquire()
    client.send(frame(FIN | RSV1 | BINARY, bomb(MEGABYTE), mask=b"\0\0\0\0"))
    short = running.open(DEFLATE)
    short.send(frame(FIN | RSV1 | BINARY, zlib.compress(b"short", 9, -15)))
    assert short.frame() == (FIN | TEXT, b"5")
    settle()
    assert client.data == b""
    budget.inflating.release()
    assert client.frame() == (FIN | TEXT, str(MEGABYTE).encode())


def test_who_is_killed_while_it_waits_for_its_turn_to_inflate_takes_no_message_along(serve: Any) -> None:
    budget, tried, again = Budget(), Event(), Event()

    def handler(ws: Any) -> None:
        with pytest.raises(Timeout), Timeout(0.01):
            ws.wait()
        tried.send()
        again.wait()
        ws.send(str(len(ws.wait())))

    client = serve(handler, budget=budget).open(DEFLATE)
    with budget.inflating:
        client.send(frame(FIN | RSV1 | BINARY, bomb(MEGABYTE), mask=b"\0\0\0\0"))
        tried.wait()
    again.send()
    assert client.frame() == (FIN | TEXT, str(MEGABYTE).encode())


def test_fragments_that_inflate_to_nothing_have_a_limit_too(serve: Any) -> None:
    client = serve(max_frame_length=10_000).open(DEFLATE)
    empty = frame(0, b"\0\0\0\xff\xff" * 1000, mask=b"\0\0\0\0")
    client.send(frame(RSV1 | BINARY, b"") + empty * 3)
    assert client.closed_with == 1009


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (frame(FIN, b"x"), b"there is nothing to continue"),
        (frame(TEXT, b"x") + frame(FIN | TEXT, b"y"), b"a message begins inside another one"),
        (frame(FIN | TEXT, b"", length=2000), b"a frame of more than 1000 bytes"),
        (frame(TEXT, b"x" * 1000) + frame(0, b"x"), b"a message of more than 1000 bytes"),
    ],
)
def test_what_is_wrong_is_said(serve: Any, data: bytes, why: bytes) -> None:
    client = serve(max_frame_length=1000).open()
    client.send(data)
    assert client.frame()[1][2:] == why


def test_finished_messages_that_have_swollen_count_while_their_handlers_may_hold_them(serve: Any) -> None:
    budget = Budget(5 * MEGABYTE)
    running = serve(lambda ws: [ws.send(str(len(message))) for message in ws], budget=budget)
    clients = [running.open(DEFLATE + "; client_no_context_takeover") for _ in range(6)]
    data = frame(FIN | RSV1 | BINARY, bomb(MEGABYTE), mask=b"\0\0\0\0")
    codes = []
    for client in clients:
        client.send(data)
        assert client.frame() == (FIN | TEXT, str(MEGABYTE).encode())
        assert budget.used <= budget.limit
    for client in clients[:4]:
        codes.append(client.closed_with)
    assert codes == [1013] * 4
    for client in clients[4:]:
        client.send(frame(FIN | TEXT, b"short"))
        assert client.frame() == (FIN | TEXT, b"5")
    assert budget.used == 0


def test_a_message_in_proportion_to_what_was_sent_does_not_count(serve: Any) -> None:
    budget = Budget()
    message = b"".join(b'{"number": %d}, ' % number for number in range(20_000))
    with connect(serve(lambda ws: ws.send(str(len(ws.wait()) + budget.used)), budget=budget).url) as ws:
        ws.send(message)
        assert ws.wait() == str(len(message))


def test_a_connection_that_has_to_go_does_not_wait_for_its_turn_to_inflate(serve: Any) -> None:
    budget, ended = Budget(), Event()

    def handler(ws: Any) -> None:
        waiting = spawn(ws.wait)
        wait_until_parked(waiting)
        settle()
        ws.dismiss(1013, "no room")
        ended.send((waiting.wait(), ws.close_code))

    with budget.inflating:
        client = serve(handler, budget=budget).open(DEFLATE)
        client.send(frame(FIN | RSV1 | BINARY, bomb(MEGABYTE), mask=b"\0\0\0\0"))
        assert ended.wait() == (None, 1013)
    assert not budget.inflating.locked()
