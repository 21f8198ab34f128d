"""`WebSocket`: messages, the end of a connection, and green threads that are ended in the midst of things."""

import errno
from typing import Any

import pytest
from greenlet import GreenletExit

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.pool.greenpile import GreenPile
from greening.sync.event import Event
from greening.timeout import Timeout
from greening.websocket.client import connect
from greening.websocket.exceptions import ConnectionClosedError
from tests.websocket.wire import CLOSE, FIN, PING, PONG, TEXT, close_frame, echo, frame, handshake

BIG = bytes(12 << 20)  # more than buffers take


def test_the_handler_learns_what_was_asked(serve: Any) -> None:
    seen = []
    running = serve(lambda ws: seen.append((ws.path, ws.origin, ws.protocol, ws.version, ws.environ["QUERY_STRING"])))
    with connect(running.url + "/a%20b?c=d", origin="http://o") as ws:
        assert ws.wait() is None
    assert seen == [("/a b", "http://o", None, 13, "c=d")]
    assert (ws.close_code, ws.close_reason) == (1000, "")


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


def test_a_handler_that_raises_closes_with_1011_and_the_server_is_told(serve: Any) -> None:
    def handler(ws: Any) -> None:
        raise ZeroDivisionError

    running = serve(handler)
    assert running.open().closed_with == 1011
    assert "ZeroDivisionError" in running.log.getvalue()


def test_a_handler_whose_client_has_gone_is_no_error(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        try:
            ws.wait()
            ws.send("anybody there?")
        finally:
            ended.send()

    running = serve(handler)
    with connect(running.url):
        pass
    ended.wait()
    running.server.stop(5)
    assert "Traceback" not in running.log.getvalue()


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
    with connect(serve(lambda ws: sleep(0.2)).url) as ws:
        ws.socket.settimeout(0.02)
    assert ws.close_code == 1006


def test_who_waits_or_sends_is_let_go_when_another_closes_and_the_peer_does_nothing(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        waiting, sending = spawn(ws.wait), spawn(pytest.raises, ConnectionClosedError, ws.send, BIG)
        sleep(0)
        ws.close()
        assert waiting.wait() is None
        sending.wait()
        ended.send()

    client = serve(handler, close_timeout=0.05).open()
    with Timeout(5):
        ended.wait()
    assert client


def test_a_client_that_waits_is_let_go_when_another_closes(serve: Any) -> None:
    for handler in (echo, lambda ws: sleep(0.3)):
        ws = connect(serve(handler).url, close_timeout=0.05)
        waiting = spawn(ws.wait)
        sleep(0)
        ws.close()
        with Timeout(5):
            assert waiting.wait() is None
        assert ws.socket.fileno() == -1


def test_a_timeout_that_leaves_the_handler_is_its_error(serve: Any) -> None:
    def handler(ws: Any) -> None:
        with Timeout(0.01):
            ws.wait()

    assert serve(handler).open().closed_with == 1011


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 5000])
def test_codes_that_may_not_be_sent_are_mistakes(serve: Any, code: int) -> None:
    with connect(serve().url) as ws:
        with pytest.raises(ValueError):
            ws.close((code, ""))
        with pytest.raises(ValueError):
            ws.close((1000, "ü" * 62))
        ws.send("x")
        assert ws.wait() == "x"


def test_pings_are_answered_while_somebody_waits(serve: Any) -> None:
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


def test_messages_are_shared_among_those_who_wait(serve: Any) -> None:
    client_count = 4
    with connect(serve().url) as ws:
        waiting = [spawn(ws.wait) for _ in range(client_count)]
        sleep(0)
        for number in range(client_count):
            ws.send(str(number))
        assert sorted(thread.wait() for thread in waiting) == ["0", "1", "2", "3"]


def test_who_is_killed_while_it_waits_takes_no_message_along(serve: Any) -> None:
    with connect(serve().url) as ws:
        for _ in range(3):
            waiting = spawn(ws.wait)
            sleep(0)
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


def test_a_message_whose_sender_is_killed_midway_is_finished_by_the_next_one(serve: Any) -> None:
    killed, read = Event(), Event()

    def handler(ws: Any) -> None:
        for message in (BIG, "not begun", "nor this"):
            with pytest.raises(Timeout):
                with Timeout(0.05):
                    ws.send(message)
        killed.send()
        read.wait()
        ws.send("next")

    client = serve(handler).open()
    killed.wait()
    read.send()
    assert client.frame() == (FIN | 2, BIG)
    assert client.frame() == (FIN | TEXT, b"next")


def test_who_is_killed_while_others_send_has_sent_nothing(serve: Any) -> None:
    began, gone = Event(), Event()

    def handler(ws: Any) -> None:
        big = spawn(ws.send, BIG)
        sleep(0)
        small = spawn(ws.send, "never sent")
        sleep(0)
        kill(small)
        with pytest.raises(GreenletExit):
            raise small.wait()
        gone.send()
        big.wait()

    client = serve(handler).open()
    gone.wait()
    assert not began.ready()
    assert client.frame() == (FIN | 2, BIG)
    assert client.frame()[0] == FIN | CLOSE


def test_a_killed_handler_says_goodbye_and_is_not_waited_for_long(serve: Any) -> None:
    entered = Event()

    def handler(ws: Any) -> None:
        entered.send()
        sleep(1000)

    running = serve(handler)
    client = running.open()
    entered.wait()
    with Timeout(5):
        running.server.stop(0)
    data = client.data or client.sock.recv(100)
    assert data in (b"", b"\x88\x02\x03\xe9")


def test_stop_ends_connections_that_wait(serve: Any) -> None:
    running = serve()
    ws = connect(running.url)
    ws.send("x")
    assert ws.wait() == "x"
    with Timeout(5):
        running.server.stop()
    assert ws.wait() is None
    ws.close()


def test_the_socket_of_another_server_is_found(serve: Any) -> None:
    def without(key: str) -> Any:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            taken = environ.pop("greening.upgrade")
            sock = environ["gunicorn.socket"]
            for other in ("eventlet.input", "gunicorn.socket", "werkzeug.socket"):
                environ.pop(other)
            environ[key] = sock
            assert taken
            return inner(environ, start_response)

        return app

    for key in ("gunicorn.socket", "werkzeug.socket"):
        running = serve()
        inner, running.server.app = running.server.app, without(key)
        with connect(running.url) as ws:
            ws.send("x")
            assert ws.wait() == "x"
    running = serve()
    inner, running.server.app = running.server.app, without("nothing of use")
    assert running.raw().ask(handshake())[0] == 400
