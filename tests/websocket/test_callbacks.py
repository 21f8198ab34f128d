"""`WebSocketWSGI.callbacks`: functions that are called back, and connections that cost no green thread meanwhile."""

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.sync.event import Event
from greening.testing import settle, unfinished
from greening.timeout import Timeout
from greening.websocket.application import WebSocketWSGI
from greening.websocket.client import connect
from greening.websocket.exceptions import ConnectionClosedError
from tests.websocket.wire import BINARY, CLOSE, DEFLATE, FIN, PING, PONG, RSV1, TEXT, close_frame, code_of, frame


def echo(ws: Any, message: Any) -> None:
    ws.send(message)


def test_an_idle_connection_has_no_green_thread(serve: Any) -> None:
    before = len(unfinished(current().hub))
    running = serve(WebSocketWSGI.callbacks(echo))
    clients = [running.open() for _ in range(20)]
    settle()
    assert len(unfinished(current().hub)) - before <= 1 + len(clients), "the acceptor, and threads that have not begun"
    assert not any(thread.started for thread in unfinished(current().hub)[before + 1 :])
    assert running.server._streams.idle == 20
    for number, client in enumerate(clients):
        client.send(frame(FIN | TEXT, b"%d" % number))
        assert client.frame() == (FIN | TEXT, b"%d" % number)
    settle()
    assert running.server._streams.idle == 20


def test_what_happens_is_told_in_order_and_the_end_once(serve: Any) -> None:
    told: list[Any] = []
    ended = Event()

    def on_message(ws: Any, message: Any) -> None:
        sleep(0)
        told.append(message)

    def on_close(ws: Any) -> None:
        told.append((ws.close_code, ws.close_reason))
        ended.send()

    app = WebSocketWSGI.callbacks(on_message, on_open=lambda ws: told.append(ws.path), on_close=on_close)
    client = serve(app).open()
    client.send(b"".join(frame(FIN | TEXT, b"%d" % number) for number in range(50)))
    client.send(frame(BINARY, b"a") + frame(FIN | PING, b"?") + frame(FIN, b"b") + close_frame(4001, b"enough"))
    assert client.frame() == (FIN | PONG, b"?")
    assert client.closed_with == 4001
    ended.wait()
    assert told == ["/", *(str(number) for number in range(50)), b"ab", (4001, "enough")]


def test_messages_in_pieces_of_a_byte_are_put_together(serve: Any) -> None:
    client = serve(WebSocketWSGI.callbacks(echo)).open()
    for byte in frame(TEXT, b"in ") + frame(FIN, b"pieces"):
        client.send(bytes([byte]))
        settle()
    assert client.frame() == (FIN | TEXT, b"in pieces")


def test_long_messages_come_back(serve: Any) -> None:
    with connect(serve(WebSocketWSGI.callbacks(echo)).url, compression=False) as ws:
        for message in (bytes(range(256)) * 4000, "ä" * 300_000):
            ws.send(message)
            assert ws.wait() == message


def test_an_exception_of_on_message_closes_with_1011_and_is_reported(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(ws: Any, message: Any) -> None:
        raise ZeroDivisionError("oops")

    reports: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", reports.append)
    ended = Event()
    running = serve(WebSocketWSGI.callbacks(fail, on_close=lambda ws: ended.send(ws.close_code)))
    client = running.open()
    client.send(frame(FIN | TEXT, b"x"))
    assert client.closed_with == 1011
    assert ended.wait() == 1006  # the raw client says no goodbye
    settle()
    assert [report.exc_type for report in reports] == [ZeroDivisionError]
    assert running.server.connections == []


def test_an_exception_of_on_open_closes_with_1011_and_the_server_is_told(serve: Any) -> None:
    def fail(ws: Any) -> None:
        raise ZeroDivisionError("oops")

    ended = Event()
    running = serve(WebSocketWSGI.callbacks(echo, on_open=fail, on_close=lambda ws: ended.send(ws.close_code)))
    client = running.open()
    assert client.closed_with == 1011
    ended.wait()
    settle()
    assert "ZeroDivisionError: oops" in running.log.getvalue()
    assert running.server.connections == []


def test_a_callback_whose_client_has_gone_is_no_error(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    go_on, ended = Event(), Event()

    def on_message(ws: Any, message: Any) -> None:
        go_on.wait()
        while True:
            ws.send(message)
            sleep(0)

    running = serve(WebSocketWSGI.callbacks(on_message, on_close=lambda ws: ended.send()))
    client = running.open()
    client.send(frame(FIN | TEXT, b"x") + frame(FIN | TEXT, b"unread"))
    settle()
    client.sock.close()
    go_on.send()
    ended.wait()
    settle()
    assert capsys.readouterr().err == ""
    assert "Traceback" not in running.log.getvalue()


def test_any_green_thread_may_send_while_the_connection_is_idle(serve: Any) -> None:
    opened = Event()
    client = serve(WebSocketWSGI.callbacks(echo, on_open=opened.send)).open()
    ws = opened.wait()
    settle()
    ws.send("by the way")
    assert client.frame() == (FIN | TEXT, b"by the way")


def test_any_green_thread_may_close_an_idle_connection(serve: Any) -> None:
    opened, ended = Event(), Event()
    running = serve(WebSocketWSGI.callbacks(echo, on_open=opened.send, on_close=lambda ws: ended.send(ws.close_code)))
    with connect(running.url) as client:
        ws = opened.wait()
        settle()
        closing = Event()
        client.ping()
        from_elsewhere = spawn(lambda: (ws.close((4002, "")), closing.send()))
        assert client.wait() is None
        assert client.close_code == 4002
        from_elsewhere.wait()
    assert ended.wait() == 4002
    settle()
    assert running.server.connections == []


def test_a_stop_says_1001_and_ends_when_the_peers_have_answered(serve: Any) -> None:
    ended: list[Any] = []
    app = WebSocketWSGI.callbacks(echo, on_close=lambda ws: ended.append(ws.close_code), close_timeout=0.05)
    running = serve(app)
    polite, silent = running.open(), running.open()
    settle()
    stopping = spawn(running.server.stop)
    first, payload = polite.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1001)
    polite.send(close_frame(1001))
    with Timeout(20):
        stopping.wait()
    assert ended == [1001, 1001]
    assert silent


def test_a_newcomer_takes_the_place_of_the_longest_idle_one(serve: Any) -> None:
    ended: list[Any] = []
    app = WebSocketWSGI.callbacks(echo, on_close=lambda ws: ended.append((ws.close_code, ws.close_reason)))
    running = serve(app, server={"max_size": 2})
    oldest, busy = running.open(), running.open()
    settle()
    oldest.send(frame(FIN | TEXT, b"x"))
    assert oldest.frame() == (FIN | TEXT, b"x")
    settle()
    newcomer = running.open()  # `busy` has been idle for longer
    first, payload = busy.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1013)
    settle()
    assert ended == [(1013, "its place was needed")]
    for client in (oldest, newcomer):
        client.send(frame(FIN | TEXT, b"y"))
        assert client.frame() == (FIN | TEXT, b"y")


def test_a_handler_that_waits_gives_its_place_away_too(serve: Any) -> None:
    ended = Event()

    def handler(ws: Any) -> None:
        ended.send((ws.wait(), ws.close_code, ws.close_reason))

    running = serve(handler, server={"max_size": 1})
    client = running.open()
    settle()
    assert running.open()
    assert ended.wait() == (None, 1013, "its place was needed")
    first, payload = client.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1013)


def test_limits_of_time_hold_while_no_green_thread_is_there(serve: Any) -> None:
    ended = Event()
    app = WebSocketWSGI.callbacks(
        echo, on_close=lambda ws: ended.send(ws.close_code), ping_interval=0.01, ping_timeout=0.01
    )
    running = serve(app)
    client = running.open()
    assert client.frame() == (FIN | PING, b"")
    assert client.frame()[0] == FIN | CLOSE
    assert ended.wait() == 1011
    settle()
    assert running.server.connections == []


def test_an_unfinished_message_is_timed_and_counted_while_idle(serve: Any) -> None:
    client = serve(WebSocketWSGI.callbacks(echo, message_timeout=0.01)).open(DEFLATE)
    client.send(frame(RSV1 | TEXT, b"x" * 5000))
    first, payload = client.frame()
    assert (first, code_of(payload)) == (FIN | CLOSE, 1008)


def test_over_tls(serve: Any, contexts: Callable[[], tuple[Any, Any]]) -> None:
    server, client = contexts()
    ended = Event()
    app = WebSocketWSGI.callbacks(echo, on_close=lambda ws: ended.send(ws.close_code))
    running = serve(app, server={"ssl_context": server})
    with connect(running.url, ssl_context=client) as ws:
        for message in ("x", "y", bytes(300_000), "z"):
            ws.send(message)
            assert ws.wait() == message
            settle()
        ws.close((4000, ""))
    assert ended.wait() == 4000


def test_over_tls_too_a_newcomer_takes_a_place_and_the_other_one_is_told(serve: Any, contexts: Any) -> None:
    server, client = contexts()
    running = serve(WebSocketWSGI.callbacks(echo), server={"ssl_context": server, "max_size": 1})
    with connect(running.url, ssl_context=client) as first:
        first.send("x")
        assert first.wait() == "x"
        settle()
        with connect(running.url, ssl_context=client) as second:
            second.send("y")
            assert second.wait() == "y"
        assert first.wait() is None
        assert (first.close_code, first.close_reason) == (1013, "its place was needed")


def test_on_another_server_the_functions_are_called_from_a_green_thread(serve: Any) -> None:
    told: list[Any] = []
    ended = Event()

    def on_message(ws: Any, message: Any) -> None:
        told.append(message)
        ws.send(message)

    def on_close(ws: Any) -> None:
        told.append(ws.close_code)
        ended.send()

    inner = WebSocketWSGI.callbacks(on_message, on_open=lambda ws: told.append("open"), on_close=on_close)

    def other_server(environ: dict[str, Any], start_response: Any) -> Any:
        environ.pop("greening.stay")
        return inner(environ, start_response)

    running = serve()
    running.server.app = other_server
    with connect(running.url) as ws:
        ws.send("x")
        assert ws.wait() == "x"
        ws.close((4000, ""))
    ended.wait()
    assert told == ["open", "x", 4000]


def test_a_callback_may_close_and_what_follows_is_dropped(serve: Any) -> None:
    told: list[Any] = []

    def on_message(ws: Any, message: Any) -> None:
        told.append(message)
        ws.close((4005, ""))
        with pytest.raises(ConnectionClosedError):
            ws.send("x")

    client = serve(WebSocketWSGI.callbacks(on_message)).open()
    client.send(frame(FIN | TEXT, b"1") + frame(FIN | TEXT, b"2") + close_frame(4005))
    assert client.closed_with == 4005
    settle()
    assert told == ["1"]


@pytest.mark.parametrize("kind", ["callbacks", "handler"])
def test_a_connection_that_is_over_is_freed_without_the_collector(serve: Any, kind: str) -> None:
    freed: list[Any] = []

    def handler(ws: Any) -> None:
        freed.append(weakref.ref(ws))
        ws.wait()

    def on_open(ws: Any) -> None:
        freed.append(weakref.ref(ws))

    app = WebSocketWSGI.callbacks(echo, on_open=on_open) if kind == "callbacks" else WebSocketWSGI(handler)
    running = serve(app)
    gc.disable()
    try:
        with connect(running.url):
            settle()
        while running.server.connections:
            sleep(0.001)
        settle()
        assert freed[0]() is None
    finally:
        gc.enable()
