"""The server as a whole: starting and stopping, eventlet's function and its arguments."""

import inspect
from io import StringIO
from pathlib import Path
from socket import AF_UNIX
from typing import Any

import pytest
from greenlet import GreenletExit

import greening.wsgi
from greening._core.greenthread import kill, spawn
from greening.net.convenience import connect, listen
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.testing import settle
from greening.timeout import Timeout
from greening.wsgi.limits import Limits
from greening.wsgi.server import Server, http_date

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def test_stop_finishes_what_is_under_way(serve: Any) -> None:
    entered, go_on = Event(), Event()

    def app(environ: Any, start_response: Any) -> Any:
        entered.send()
        go_on.wait()
        start_response("200 OK", [])
        return [b"finished"]

    running = serve(app)
    idle, busy = running.connect(), running.connect()
    busy.send(GET)
    entered.wait()
    stopping = spawn(running.server.stop)
    assert idle.is_closed
    with pytest.raises(ConnectionRefusedError):
        connect(running.address)
    assert not stopping.dead
    go_on.send()
    answer = busy.answer()
    assert (answer.body, answer.fields["connection"]) == (b"finished", "close")
    assert busy.is_closed
    stopping.wait()


def test_stop_closes_connections_that_wait_for_their_next_request(serve: Any) -> None:
    running = serve(hello)
    clients = [running.connect() for _ in range(3)]
    assert all(client.get().status == 200 for client in clients)
    with Timeout(5):
        running.server.stop()
    assert all(client.is_closed for client in clients)
    running.server.stop()


def test_stop_kills_what_does_not_end(serve: Any) -> None:
    seen: list[str] = []
    entered: Event = Event()

    def app(environ: Any, start_response: Any) -> Any:
        entered.send()
        try:
            Event().wait()
        except GreenletExit:
            seen.append("killed")
            raise
        return []

    running = serve(app)
    client = running.connect()
    client.send(GET)
    entered.wait()
    with Timeout(5):
        running.server.stop(0.01)
    assert seen == ["killed"]
    assert client.is_closed


def test_what_says_it_is_idle_is_not_waited_for(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        sock = environ["greening.upgrade"]()
        environ["eventlet.set_idle"]()
        sock.sendall(b"taken")
        assert sock.recv(1) == b""
        return []

    running = serve(app)
    client = running.connect()
    client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"))
    client.until(b"taken")
    with Timeout(5):
        running.server.stop()


def test_the_address_is_the_listener_s(serve: Any) -> None:
    running = serve(hello)
    assert running.address[0] == "127.0.0.1"
    assert running.address[1] > 0


def test_a_unix_socket(serve: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    running = serve(listener=listen(path, family=AF_UNIX), log_output=True)
    with connect(path, family=AF_UNIX) as client:
        client.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        said = b""
        while data := client.recv(65536):
            said += data
    assert b'"SERVER_NAME": "localhost"' in said and b'"REMOTE_ADDR": "127.0.0.1"' in said
    assert running.log.getvalue().splitlines()[-1].startswith("127.0.0.1 - - [")


def test_the_function_has_eventlet_s_arguments() -> None:
    names = (
        "sock site log environ max_size max_http_version protocol server_event minimum_chunk_size log_x_forwarded_for "
        "custom_pool keepalive log_output log_format url_length_limit debug socket_timeout capitalize_response_headers"
    ).split()
    assert list(inspect.signature(greening.wsgi.server).parameters)[: len(names)] == names
    assert inspect.signature(greening.wsgi.server).parameters["debug"].default is False


def test_the_function_serves_until_it_is_killed() -> None:
    listener = listen(("127.0.0.1", 0))
    address = listener.getsockname()
    told: Event = Event()
    pool = GreenPool(10)
    serving = spawn(
        greening.wsgi.server, listener, hello, log_output=False, server_event=told, custom_pool=pool, max_size=1
    )
    server = told.wait()
    assert isinstance(server, Server)
    clients = [connect(address) for _ in range(3)]
    for client in clients:
        client.sendall(GET)
        assert client.recv(1000).endswith(b"hello")
    assert len(server.connections) == 3
    kill(serving)
    with pytest.raises(GreenletExit), Timeout(5):
        serving.wait()
    assert listener.fileno() == -1
    for client in clients:
        assert client.recv(1) == b""
        client.close()


@pytest.mark.parametrize("twice", [False, True])
def test_an_interrupt_of_the_function_finishes_requests_and_a_second_one_ends_them(twice: bool) -> None:
    entered, go_on, log = Event(), Event(), StringIO()
    ended: list[str] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        entered.send()
        try:
            go_on.wait()
        except GreenletExit:
            ended.append("killed")
            raise
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    listener = listen(("127.0.0.1", 0))
    thread = spawn(greening.wsgi.server, listener, app, log)
    client = connect(listener.getsockname())
    client.sendall(GET)
    entered.wait()
    kill(thread, KeyboardInterrupt)
    assert not thread.dead
    assert "wsgi exiting" in log.getvalue()
    if twice:
        kill(thread, KeyboardInterrupt)
    else:
        go_on.send()
    assert thread.wait(20) is None
    assert ended == (["killed"] if twice else [])
    assert client.recv(12) == (b"" if twice else b"HTTP/1.1 200")
    client.close()


@pytest.mark.slow
def test_a_program_that_is_interrupted_while_it_serves_shows_no_traceback(run_program: Any) -> None:
    ran = run_program("""
import os, signal
import greening
from greening import wsgi

listener = greening.listen(("127.0.0.1", 0))
greening.spawn_after(0, os.kill, os.getpid(), signal.SIGINT)
wsgi.server(listener, None)
print("and goes on")
""")
    assert ran.stdout == "and goes on\n"
    assert "Traceback" not in ran.stderr
    assert "wsgi exited" in ran.stderr


def test_the_function_returns_when_its_server_is_stopped() -> None:
    listener = listen(("127.0.0.1", 0))
    told: Event = Event()
    serving = spawn(greening.wsgi.server, listener, hello, log_output=False, server_event=told)
    server = told.wait()
    settle()  # it accepts
    with Timeout(5):
        server.stop()
        serving.wait()


def test_no_more_connections_than_max_size(serve: Any) -> None:
    """The one that has been idle for longest goes for a new one; those that are served do not."""
    go_on = Event()

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/slow":
            go_on.wait()
        start_response("200 OK", [])
        return [b"ok"]

    running = serve(app, max_size=3)
    busy = running.connect()
    busy.send(GET.replace(b"/ ", b"/slow ", 1))
    first, second = running.connect(), running.connect()
    assert first.get().status == second.get().status == 200
    third = running.connect()
    assert third.get().status == 200
    assert first.is_closed
    silent = running.connect()
    assert second.is_closed
    fourth = running.connect()
    assert third.is_closed
    assert fourth.get().status == 200
    fifth = running.connect()
    assert fifth.get().status == 200
    assert silent.is_closed
    assert running.server.dismissed == 4
    assert len(running.server.connections) == 3
    go_on.send()
    assert busy.answer().body == b"ok"


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        GET[:10],
        GET[:-2] + b"X: ",
        GET.replace(b"GET", b"POST")[:-2] + b"Content-Length: 9\r\n\r\nabc",
        GET.replace(b"GET", b"POST")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n5\r\nab",
        GET.replace(b"/ ", b"/big ", 1),
        GET * 2,
        GET[:-2] + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_clients_that_keep_the_server_waiting_go_for_a_new_one(serve: Any, hostile: bytes) -> None:
    big = bytes(32 << 20)

    def app(environ: Any, start_response: Any) -> Any:
        if "greening.upgrade" in environ:
            environ["greening.upgrade"]().recv(1)
            return []
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [big] if environ["PATH_INFO"] == "/big" else [b"ok"]

    running = serve(app, max_size=4, limits=Limits(head_timeout=None, idle_timeout=None, body_timeout=None))
    for _ in range(8):
        running.connect().send(hostile)
    settle()
    with Timeout(10):
        assert running.connect().get().body == b"ok"
    assert len(running.server.connections) <= 4


def test_dates() -> None:
    assert http_date(784111777) == b"Sun, 06 Nov 1994 08:49:37 GMT"


def test_without_httptools_the_extra_is_named(run_program: Any) -> None:
    run_program(
        """
        import sys
        sys.modules["httptools"] = None
        try:
            import greening.wsgi
        except ImportError as error:
            assert "greening-toolkit[wsgi]" in str(error)
        else:
            raise SystemExit("imported")
        """.replace("\n        ", "\n")
    )


def test_it_expects_requests_on_connections_that_are_new_or_idle(serve: Any) -> None:
    running = serve(hello, proxy_protocol="*")
    server = running.server
    assert not server.expects_requests
    with connect(server.address) as client:
        settle()
        assert server.expects_requests and not server.idle
        client.sendall(b"PROXY UNKNOWN\r\n")
        settle()
        assert server.expects_requests and server.idle
        client.sendall(b"GET")
        settle()
        assert not server.expects_requests
    settle()


def test_its_repr_says_where_it_is_and_what_it_does() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        server = Server(listener, lambda environ, start_response: [])
        port = server.address[1]
        assert repr(server).endswith(f" http://127.0.0.1:{port} not started connections=0 idle=0>")
