import socket
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening._core.greenthread import spawn
from greening.compat.eventlet import wsgi
from greening.errors import GreenletExit
from greening.net.convenience import connect, listen
from greening.net.wrap_ssl import wrap_ssl
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.timeout import Timeout
from tests.compat.eventlet.conftest import GET, ServeEventlet
from tests.wsgi.conftest import Client, echo


def test_names_that_programs_use() -> None:
    assert (wsgi.MAX_REQUEST_LINE, wsgi.MAX_HEADER_LINE, wsgi.MAX_TOTAL_HEADER_SIZE) == (8192, 8192, 65536)
    assert (wsgi.MINIMUM_CHUNK_SIZE, wsgi.DEFAULT_MAX_SIMULTANEOUS_REQUESTS) == (4096, 1024)
    assert (wsgi.STATE_IDLE, wsgi.STATE_REQUEST, wsgi.STATE_CLOSE) == ("idle", "request", "close")
    assert wsgi.DEFAULT_MAX_HTTP_VERSION == "HTTP/1.1" and issubclass(wsgi.ChunkReadError, ValueError)
    assert wsgi.format_date_time(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert set(wsgi.__all__) <= set(dir(wsgi))


def test_the_server_is_told_and_counts_what_is_under_way(serve_eventlet: ServeEventlet) -> None:
    counts = []
    ready = Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        counts.append(ready.wait().outstanding_requests)
        return echo(environ, start_response)

    running = serve_eventlet(app, server_event=ready)
    assert running.get().status == 200
    server = ready.wait()
    assert counts == [1] and server.outstanding_requests == 0
    assert (server.address, server.app) == (running.address, app)


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\nHo", b"", GET + b"Content-Length: 5\r\n\r\nhe"])
def test_a_silent_client_is_cut_after_the_socket_timeout(serve_eventlet: ServeEventlet, request_: bytes) -> None:
    running = serve_eventlet(socket_timeout=0.02)
    raw = running.raw(request_)
    assert raw == b"" or raw.startswith(b"HTTP/1.1 408 ")
    assert running.get().status == 200


def test_the_next_request_has_to_begin_within_the_time_of_keepalive(serve_eventlet: ServeEventlet) -> None:
    client = serve_eventlet(keepalive=0.02).connect()
    assert client.get().status == 200
    assert client.is_closed


def test_a_server_that_is_killed_finishes_what_is_under_way_and_ends_what_is_idle(
    serve_eventlet: ServeEventlet,
) -> None:
    begun, go_on = Event(), Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            begun.send()
            go_on.wait()
        return echo(environ, start_response)

    running = serve_eventlet(app)
    idle, busy = running.connect(), running.connect()
    assert idle.get().status == 200
    busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    begun.wait()
    spawn(running.thread.kill)
    assert idle.is_closed
    go_on.send()
    answer = busy.answer()
    assert answer.status == 200 and answer.fields["connection"] == "close" and busy.is_closed
    with Timeout(20), pytest.raises(GreenletExit):
        running.thread.wait()
    assert "wsgi exited, is_accepting=True" in running.log.getvalue()
    with pytest.raises(ConnectionRefusedError):
        connect(running.address)


def test_it_returns_when_is_accepting_is_made_false(
    serve_eventlet: ServeEventlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serve_eventlet()
    monkeypatch.setattr(wsgi, "is_accepting", False)
    client = running.connect()
    with Timeout(20):
        assert running.thread.wait() is None
    assert client.is_closed or running.thread.dead


def test_ctrl_c_ends_it_in_order() -> None:
    log = StringIO()

    class Interrupted:
        def accept(self) -> Any:
            raise KeyboardInterrupt

        def getsockname(self) -> Any:
            return "127.0.0.1", 80

        def close(self) -> None:
            log.write("closed\n")

    wsgi.server(Interrupted(), echo, log)
    assert log.getvalue().splitlines()[1] == "wsgi exiting" and log.getvalue().endswith("closed\n")


def test_a_pool_of_its_own(serve_eventlet: ServeEventlet) -> None:
    pool = GreenPool(5)
    client = serve_eventlet(custom_pool=pool).connect()
    client.get()
    assert pool.running() == 1
    with listen(("127.0.0.1", 0)) as listener, pytest.raises(AttributeError, match="spawn"):
        wsgi.server(listener, echo, custom_pool=object())


def test_no_more_connections_than_max_size(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(max_size=1)
    first, second = running.connect(), running.connect()
    first.get()
    second.send(GET + b"\r\n")
    first.close()
    assert second.answer().status == 200


def test_a_closed_listener_is_an_error() -> None:
    listener = listen(("127.0.0.1", 0))
    closing = spawn(listener.close)
    with Timeout(20), pytest.raises(OSError, match="descriptor"):
        wsgi.server(listener, echo, log_output=False)
    closing.wait()


@pytest.mark.parametrize(
    ("family", "address", "said"),
    [
        (socket.AF_INET, ("127.0.0.1", 0), "http://127.0.0.1:{}"),
        (socket.AF_INET, ("", 0), "http://0.0.0.0:{}"),
        (socket.AF_INET6, ("::1", 0), "http://[::1]:{}"),
        (socket.AF_UNIX, "unix.socket", "http:unix.socket"),
    ],
)
def test_where_a_server_is_reached(
    family: int, address: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with listen(address, family) as listener:
        bound = listener.getsockname()
        assert wsgi.socket_repr(listener) == said.format(bound[1])


def test_tls(serve_eventlet: ServeEventlet, tmp_path: Path) -> None:
    """A silent client does not hold up the others: hands are shaken in the connection's own green thread."""
    path = tmp_path / "all.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
    secured = wrap_ssl(listen(("127.0.0.1", 0)), certfile=path, server_side=True)
    running = serve_eventlet(listener=secured)
    silent = Client(running.address)
    client = Client(running.address)
    client.sock = wrap_ssl(client.sock)
    told = client.get().told
    assert (told["wsgi.url_scheme"], told["HTTPS"]) == ("https", "on")
    assert client.get().status == 200
    assert "https://" in running.log.getvalue()
    client.close()
    silent.close()


def test_heads_that_come_again_are_remembered_unless_they_hold_secrets() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        server = wsgi.Server(listener, listener.getsockname(), echo)
    plain, secret = GET + b"\r\n", GET + b"Cookie: a\r\n\r\n"
    assert server.head_of(plain, True) is server.head_of(plain, True)
    assert server.head_of(secret, True) is not server.head_of(secret, True)
    first = server.head_of(plain, True)
    for number in range(200):
        server.head_of(GET + b"X: %d\r\n\r\n" % number, True)
    assert server.head_of(plain, True) is not first, "only so many are"
