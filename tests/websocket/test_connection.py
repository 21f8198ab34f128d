"""`WebSocket`: messages, the end of a connection, and green threads that are ended in the midst of things."""

import errno
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.pool.greenpile import GreenPile
from greening.sync.event import Event
from greening.testing import wait_until_parked
from greening.timeout import Timeout
from greening.websocket.client import connect
from greening.websocket.exceptions import ConnectionClosedError
from tests.websocket.wire import BIG, CLOSE, FIN, PING, PONG, TEXT, close_frame, echo, frame


def test_text_is_str_and_bytes_are_bytes(serve: Any) -> None:
    with connect(serve().url) as ws:
        for message in ("", "text", "𝄞" * 5000, b"", b"\xff\xfe", bytes(range(256)) * 1000):
            ws.send(message)
            assert ws.wait() == message
        ws.send(bytearray(b"x"))
        ws.send(memoryview(b"y"))
        assert (ws.wait(), ws.wait()) == (b"x", b"y")
        for mistake in (5, None, ["x"]):
            with pytest.raises(TypeError):
                ws.send(mistake)
        with pytest.raises(UnicodeEncodeError):
            ws.send("\ud800")
        ws.send("still there")
        assert ws.wait() == "still there"


def test_sending_on_a_closed_connection_is_an_error_that_says_so(serve: Any) -> None:
    with connect(serve().url) as ws:
        ws.close((4001, "enough"))
        with pytest.raises(ConnectionClosedError, match="closed: 4001") as caught:
            ws.send("x")
        assert caught.value.errno == errno.EPIPE
        assert isinstance(caught.value, BrokenPipeError)
        with pytest.raises(ConnectionClosedError):
            ws.ping()
        assert ws.wait() is None
        assert ws.websocket_closed
        ws.close()


def test_the_server_learns_why_the_client_closed(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        assert ws.wait() is None
        with pytest.raises(ConnectionClosedError):
            ws.send("x")
        ended.send((ws.close_code, ws.close_reason))

    running = serve(handler)
    with connect(running.url) as ws:
        ws.close((3333, "wäre gut"))
    assert ended.wait() == (3333, "wäre gut")


def test_a_lost_connection_is_1006(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        ended.send((ws.wait(), ws.close_code))

    client = serve(handler).open()
    client.sock.close()
    assert ended.wait() == (None, 1006)


def test_the_server_closes_when_the_handler_returns(serve: Any) -> None:
    client = serve(lambda ws: ws.send("bye")).open()
    assert client.frame() == (FIN | TEXT, b"bye")
    assert client.frame()[0] == FIN | CLOSE
    client.send(frame(FIN | TEXT, b"under way") + close_frame(1000))
    assert client.sock.recv(1) == b""


def test_a_client_that_does_not_close_is_cut_off(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        ws.close()
        ended.send(ws.close_code)

    client = serve(handler, close_timeout=0.1).open()
    assert ended.wait() == 1006
    assert client.frame()[0] == FIN | CLOSE
    assert client.sock.recv(1) == b""


def test_what_the_peer_said_before_it_went_can_be_read_after_a_send_has_failed(serve: Any) -> None:
    gone, ended = Event(), Event()

    def handler(ws: Any) -> None:
        gone.wait()
        with pytest.raises(ConnectionClosedError):
            while True:
                ws.send("x" * 1000)
                sleep(0)
        ended.send([*ws, ws.close_code])

    client = serve(handler).open()
    client.send(frame(FIN | TEXT, b"last words") + close_frame(4004))
    client.sock.close()
    gone.send()
    assert ended.wait() == ["last words", 4004]


def test_a_time_limit_of_the_socket_loses_nothing(serve: Any) -> None:
    with connect(serve(lambda ws: ws.send(ws.wait())).url) as ws:
        ws.socket.settimeout(0.02)
        with pytest.raises(TimeoutError):
            ws.wait()
        ws.send("x")
        ws.socket.settimeout(None)
        assert ws.wait() == "x"
    silent: Event = Event()
    with connect(serve(lambda ws: silent.wait()).url) as ws:
        ws.socket.settimeout(0.02)
    assert ws.close_code == 1006
    silent.send()


def test_waiters_and_senders_are_let_go_when_another_closes_and_the_peer_does_nothing(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        waiting, sending = spawn(ws.wait), spawn(pytest.raises, ConnectionClosedError, ws.send, BIG)
        wait_until_parked(waiting)
        wait_until_parked(sending)
        ws.close()
        assert waiting.wait() is None
        sending.wait()
        ended.send()

    client = serve(handler, close_timeout=0.05).open()
    with Timeout(5):
        ended.wait()
    assert client


def test_a_client_that_waits_is_let_go_when_another_closes(serve: Any) -> None:
    silent: Event = Event()
    for handler in (echo, lambda ws: silent.wait()):
        ws = connect(serve(handler).url, close_timeout=0.05)
        waiting = spawn(ws.wait)
        wait_until_parked(waiting)
        ws.close()
        with Timeout(5):
            assert waiting.wait() is None
        assert ws.socket.fileno() == -1
    silent.send()


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 5000])
def test_codes_that_may_not_be_sent_are_mistakes(serve: Any, code: int) -> None:
    with connect(serve().url) as ws:
        with pytest.raises(ValueError):
            ws.close((code, ""))
        with pytest.raises(ValueError):
            ws.close((1000, "ü" * 62))
        ws.send("x")
        assert ws.wait() == "x"


def test_pings_are_answered_while_a_thread_waits(serve: Any) -> None:
    client = serve().open()
    client.send(frame(FIN | PING, b"abc"))
    assert client.frame() == (FIN | PONG, b"abc")
    with connect(serve(lambda ws: ws.ping(b"x") or ws.wait()).url) as ws:
        with pytest.raises(ValueError):
            ws.ping(bytes(126))
        ws.ping(b"y")


def test_iteration_ends_with_the_connection(serve: Any) -> None:
    def handler(ws: Any) -> None:
        for number in range(3):
            ws.send(str(number))

    with connect(serve(handler).url) as ws:
        assert list(ws) == ["0", "1", "2"]


def test_messages_of_many_green_threads_stay_whole(serve: Any) -> None:
    messages = [bytes([number]) * 300_000 for number in range(8)]
    for compression in (True, False):
        with connect(serve(compression=compression).url) as ws:
            pile = GreenPile(8)
            for message in messages:
                pile.spawn(ws.send, message)
            assert sorted(ws.wait() or b"" for _ in messages) == messages


def test_messages_are_shared_among_the_threads_that_wait(serve: Any) -> None:
    client_count = 4
    with connect(serve().url) as ws:
        waiting = [spawn(ws.wait) for _ in range(client_count)]
        for thread in waiting:
            wait_until_parked(thread)
        for number in range(client_count):
            ws.send(str(number))
        assert sorted(thread.wait() for thread in waiting) == ["0", "1", "2", "3"]


def test_a_thread_that_is_killed_while_it_waits_takes_no_message_along(serve: Any) -> None:
    with connect(serve().url) as ws:
        for _ in range(3):
            waiting = spawn(ws.wait)
            wait_until_parked(waiting)
            kill(waiting)
            with pytest.raises(Timeout):
                with Timeout(0.01):
                    ws.wait()
        ws.send("for the living")
        assert ws.wait() == "for the living"


def test_a_timeout_while_a_message_comes_in_pieces_loses_none_of_them(serve: Any) -> None:
    come, got = Event(), Event()

    def handler(ws: Any) -> None:
        with pytest.raises(Timeout):
            with Timeout(0.05):
                ws.wait()
        come.send()
        got.send(ws.wait())

    client = serve(handler).open()
    client.send(frame(TEXT, b"first, ") + frame(FIN, b"second", length=6)[:7])
    come.wait()
    client.send(frame(FIN, b"second")[7:])
    assert got.wait() == "first, second"


def test_frames_of_ones_own_make_up_a_message(serve: Any) -> None:
    with connect(serve().url) as ws:
        ws.send_frame(TEXT, b"in ")
        ws.send_frame(PING | FIN, b"")
        ws.send_frame(FIN, "zwölf".encode())
        assert ws.wait() == "in zwölf"
        ws.close()
        with pytest.raises(ConnectionClosedError):
            ws.send_frame(FIN | TEXT, b"")
