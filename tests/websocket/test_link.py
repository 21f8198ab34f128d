"""`Link`: connections end when their time is up, whatever their green threads do."""

import struct
from socket import SHUT_RDWR
from typing import Any

import pytest
from greenlet import GreenletExit

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.sync.event import Event
from greening.testing import wait_until_parked
from greening.timeout import Timeout
from greening.websocket.application import WebSocketWSGI
from greening.websocket.budget import Budget
from greening.websocket.client import connect
from greening.websocket.exceptions import ConnectionClosedError
from greening.wsgi.limits import Limits
from tests.websocket.wire import BIG, BINARY, CLOSE, FIN, PING, PONG, TEXT, close_frame, code_of, echo, frame

SOON = 0.01  # seconds


@pytest.mark.parametrize("ping_timeout", [5, None])
def test_a_peer_that_answers_is_pinged_again_and_again(serve_in_fake_time: Any, ping_timeout: float | None) -> None:
    client = serve_in_fake_time(ping_interval=10, ping_timeout=ping_timeout).open()
    for _ in range(3):
        assert client.frame() == (FIN | PING, b"")
        client.send(frame(FIN | PONG))
    client.send(frame(FIN | TEXT, b"still there"))
    assert client.frame() == (FIN | TEXT, b"still there")


def test_a_peer_that_answers_no_ping_is_closed_with_1011_and_the_handler_is_told_why(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        ended.send((ws.wait(), ws.close_code, ws.close_reason))

    client = serve(handler, ping_interval=SOON, ping_timeout=SOON).open()
    assert client.frame() == (FIN | PING, b"")
    first, payload = client.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1011)
    assert ended.wait() == (None, 1011, f"no answer to a ping for {SOON} seconds")
    assert client.sock.recv(1) == b""


def test_pings_are_sent_while_the_handler_is_elsewhere_and_their_answers_count_unread(serve_in_fake_time: Any) -> None:
    go_on = Event()

    def handler(ws: Any) -> None:
        go_on.wait()
        echo(ws)

    client = serve_in_fake_time(handler, ping_interval=10, ping_timeout=5).open()
    for _ in range(3):
        assert client.frame() == (FIN | PING, b"")
        client.send(frame(FIN | PONG))
    go_on.send()
    client.send(frame(FIN | TEXT, b"x"))
    assert client.frame() == (FIN | TEXT, b"x")


def test_a_handler_that_is_elsewhere_holds_no_dead_connection(serve: Any) -> None:
    go_on, ended = Event(), Event()

    def handler(ws: Any) -> None:
        go_on.wait()
        with pytest.raises(ConnectionClosedError, match="1011"):
            ws.send("x")
        ended.send((ws.wait(), ws.close_code))

    client = serve(handler, ping_interval=SOON, ping_timeout=SOON).open()
    assert client.frame() == (FIN | PING, b"")
    assert client.frame()[0] == FIN | CLOSE
    go_on.send()
    assert ended.wait() == (None, 1011)


def test_a_client_pings_too(serve: Any) -> None:
    silent: Event = Event()
    with connect(serve(lambda ws: silent.wait()).url, ping_interval=SOON, ping_timeout=SOON) as ws:
        assert ws.wait() is None
        assert ws.close_code == 1011
    silent.send()


def test_a_connection_without_messages_ends_with_1001(serve: Any) -> None:
    client = serve(idle_timeout=SOON * 5, ping_interval=None).open()
    client.send(frame(FIN | PING))
    assert client.frame() == (FIN | PONG, b"")
    first, payload = client.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1001)
    assert payload[2:] == f"no message for {SOON * 5} seconds".encode()


@pytest.mark.parametrize(
    "begun",
    [frame(TEXT, b"begun"), frame(FIN | BINARY, b"begun", length=10_000), frame(FIN | TEXT, b"x" * 50)[:-1], b"\x81"],
)
def test_a_message_that_does_not_end_is_closed_with_1008(serve: Any, begun: bytes) -> None:
    client = serve(message_timeout=SOON, ping_interval=None).open()
    client.send(frame(FIN | TEXT, b"whole") + begun)
    assert client.frame() == (FIN | TEXT, b"whole")
    first, payload = client.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1008)


def test_each_message_has_its_own_time(serve_in_fake_time: Any) -> None:
    client = serve_in_fake_time(message_timeout=10, ping_interval=None).open()
    client.send(frame(TEXT, b"1"))
    for number in range(2, 6):  # there is always one that has begun
        sleep(6)
        client.send(frame(FIN, b"") + frame(TEXT, b"%d" % number))
        assert client.frame() == (FIN | TEXT, b"%d" % (number - 1))
    first, payload = client.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1008)


def test_a_peer_that_takes_nothing_ends_the_connection_of_its_sender(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        with pytest.raises(ConnectionClosedError, match="1006 the peer took nothing"):
            ws.send(BIG)
        ended.send((ws.close_code, ws.wait()))

    client = serve(handler, write_timeout=SOON * 5).open()
    assert ended.wait() == (1006, None)
    assert client


def test_on_greening_wsgi_the_servers_write_timeout_holds(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        with pytest.raises(ConnectionClosedError):
            ws.send(BIG)
        ended.send()

    running = serve(handler, server={"limits": Limits(write_timeout=SOON * 5)})
    client = running.open()
    ended.wait()
    assert client


def test_dismissed_with_waiters_and_senders(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        waiting, sending = spawn(ws.wait), spawn(pytest.raises, ConnectionClosedError, ws.send, BIG)
        wait_until_parked(waiting)
        wait_until_parked(sending)
        ws.dismiss(1013, "no room")
        assert waiting.wait() is None
        sending.wait()
        ended.send((ws.close_code, ws.close_reason))

    client = serve(handler).open()
    assert ended.wait() == (1013, "no room")
    assert client


def test_dismissed_over_tls_the_peer_is_told_why(serve: Any, contexts: Any) -> None:
    server, client = contexts()

    def handler(ws: Any) -> None:
        ws.dismiss(1013, "no room")
        assert ws.wait() is None

    running = serve(handler, server={"ssl_context": server})
    with connect(running.url, ssl_context=client) as ws:
        assert ws.wait() is None
        assert (ws.close_code, ws.close_reason) == (1013, "no room")


def test_leaving_waits_for_the_peers_answer_and_delivers_what_was_under_way(serve: Any) -> None:
    got: list[Any] = []
    ended = Event()

    def handler(ws: Any) -> None:
        ws.leave(1012, "restart")
        got.extend(ws)
        ended.send(ws.close_code)

    client = serve(handler).open()
    first, payload = client.frame()
    assert (first, payload) == (FIN | CLOSE, struct.pack("!H", 1012) + b"restart")
    client.send(frame(FIN | TEXT, b"under way") + close_frame(1012))
    assert ended.wait() == 1012
    assert got == ["under way"]


def test_a_socket_that_is_closed_by_others_is_looked_after_no_longer(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        ws.socket.shutdown(SHUT_RDWR)
        ws.socket.close()
        while not ws.over:
            Event().wait(SOON)
        ended.send(ws.close_code)

    client = serve(handler, ping_interval=SOON).open()
    assert ended.wait() == 1006
    assert client


def test_when_there_is_no_room_the_largest_unfinished_message_goes_with_1013(serve: Any) -> None:
    running = serve(budget=Budget(100_000))
    large, small, honest = running.open(), running.open(), running.open()
    small.send(frame(BINARY, bytes(30_000), mask=b"\0\0\0\0") + frame(FIN | PING))
    assert small.frame() == (FIN | PONG, b"")
    large.send(frame(BINARY, bytes(90_000), mask=b"\0\0\0\0"))
    first, payload = large.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1013)
    honest.send(frame(FIN | TEXT, b"x"))
    assert honest.frame() == (FIN | TEXT, b"x")
    small.send(frame(FIN))
    assert small.frame() == (FIN | BINARY, bytes(30_000))


def test_what_unfinished_messages_took_up_is_free_again_when_they_end(serve: Any) -> None:
    budget = Budget(1 << 20)
    running = serve(budget=budget)
    finished, lost = running.open(), running.open()
    for client in (finished, lost):
        client.send(frame(BINARY, bytes(10_000)) + frame(FIN | PING))
        assert client.frame() == (FIN | PONG, b"")
    assert 20_000 <= budget.used < 21_000
    finished.send(frame(FIN))
    assert finished.frame() == (FIN | BINARY, bytes(10_000))
    finished.send(frame(FIN | PING))
    assert finished.frame() == (FIN | PONG, b"")
    assert 10_000 <= budget.used < 11_000
    lost.sock.close()
    finished.send(close_frame(1000))
    assert finished.closed_with == 1000
    running.server.stop(5)
    assert budget.used == 0


def test_a_peer_that_reads_a_long_message_slowly_is_not_blamed_for_answering_no_ping(serve_in_fake_time: Any) -> None:
    sent = Event()

    def handler(ws: Any) -> None:
        ws.send(BIG)
        sent.send()
        ws.wait()

    client = serve_in_fake_time(handler, compression=False, ping_interval=2, ping_timeout=2, write_timeout=100).open()
    sleep(15)
    assert not sent.ready()
    assert client.frame() == (FIN | BINARY, BIG)
    sent.wait()
    assert client.frame() == (FIN | PING, b"")


def interrupt(ws: Any) -> None:
    """Begin to send a message to a peer that does not read yet."""
    sending = spawn(ws.send, BIG)
    wait_until_parked(sending)
    kill(sending)
    with pytest.raises(GreenletExit):
        raise sending.wait()


@pytest.mark.parametrize("tls", [False, True])
def test_a_message_whose_sender_was_interrupted_is_finished_while_nobody_sends(
    serve: Any, contexts: Any, tls: bool
) -> None:
    server, client = contexts()
    begun, got = Event(), Event()

    def handler(ws: Any) -> None:
        interrupt(ws)
        begun.send()
        got.send(ws.wait())

    running = serve(handler, compression=False, server={"ssl_context": server} if tls else {})
    with connect(running.url, ssl_context=client if tls else None, max_frame_length=len(BIG)) as ws:
        begun.wait()
        with Timeout(20):
            assert ws.wait() == BIG
        ws.send("that was all")
        assert got.wait() == "that was all"


def test_a_message_that_was_begun_in_a_callback_is_finished_without_another_one(serve: Any) -> None:
    begun = Event()

    def on_message(ws: Any, message: Any) -> None:
        interrupt(ws)
        begun.send()

    client = serve(WebSocketWSGI.callbacks(on_message, compression=False)).open()
    client.send(frame(FIN | TEXT, b"go"))
    begun.wait()
    assert client.frame() == (FIN | BINARY, BIG)


@pytest.mark.parametrize("asked", [b"", frame(FIN | PING, b"are you there?")])
def test_half_a_frame_that_the_peer_does_not_take_is_the_last_thing_that_is_sent(serve: Any, asked: bytes) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        interrupt(ws)
        assert ws.wait() is None
        with pytest.raises(ConnectionClosedError):
            ws.send("the peer would take this for the rest")
        ended.send((ws.close_code, ws.close_reason))

    client = serve(handler, compression=False, write_timeout=SOON * 5).open()
    client.send(asked)
    assert ended.wait() == (1006, f"the peer took nothing for {SOON * 5} seconds")
    with pytest.raises(AssertionError, match="the connection ended"):
        client.frame()
    assert client.data.strip(b"\0") == b""


def test_a_peer_that_does_not_read_before_it_has_sent_is_listened_to(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        interrupt(ws)
        ended.send(len(ws.wait()))

    client = serve(handler, compression=False, max_frame_length=len(BIG)).open()
    with Timeout(20):
        client.send(frame(FIN | PING, b"x") + frame(FIN | BINARY, BIG, mask=b"\0\0\0\0"))
        assert ended.wait() == len(BIG)
    assert client.frame() == (FIN | BINARY, BIG)
    assert client.frame() == (FIN | PONG, b"x")


def test_a_peer_that_takes_an_interrupted_message_slowly_is_not_blamed_for_answering_no_ping(
    serve_in_fake_time: Any,
) -> None:
    def handler(ws: Any) -> None:
        interrupt(ws)
        ws.wait()

    client = serve_in_fake_time(handler, compression=False, ping_interval=2, ping_timeout=2, write_timeout=100).open()
    for _ in range(8):
        sleep(1)
        client.sock.recv(1 << 20)
    data = b"?"
    while data and not data.endswith(bytes((FIN | PING, 0))):
        data = client.sock.recv(1 << 20)
    assert data, "the connection was ended"
