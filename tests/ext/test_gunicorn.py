"""The gunicorn worker, in real gunicorn processes."""

import http.client
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("gunicorn")
pytestmark = pytest.mark.slow  # every one starts processes

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 20  # for anything that is waited for

APPLICATION = '''
import hashlib, os, sys, threading, time

import greening

patched_before = greening.is_monkey_patched("socket") and greening.is_monkey_patched("threading")
pair = threading.Barrier(2)
opened = threading.Event()


def app(environ, start_response):
    body = globals()[environ["PATH_INFO"].strip("/")](environ)
    if not isinstance(body, bytes):
        size = 65536000 if isinstance(body, Big) else os.path.getsize(__file__)
        start_response("200 OK", [("Content-Length", str(size))])
        return body
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def pid(environ):
    return b"%d" % os.getpid()


def patched(environ):
    return b"%d" % patched_before


def scheme(environ):
    return environ["wsgi.url_scheme"].encode()


def meet(environ):
    """Two requests wait for each other."""
    pair.wait(20)
    return b"met"


def slow(environ):
    """Says so, and waits for what is written into a FIFO."""
    print("SLOW", file=sys.stderr, flush=True)
    with open(environ["QUERY_STRING"]) as fifo:
        return fifo.read().encode()


def stuck(environ):
    print("STUCK", file=sys.stderr, flush=True)
    while True:
        pass


def digest(environ):
    return hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()


def file(environ):
    return environ["wsgi.file_wrapper"](open(__file__, "rb"))


class Big:
    """More than any socket takes. Says when it was given up."""

    def __iter__(self):
        for _ in range(1000):
            yield b"x" * 65536

    def close(self):
        print("CLOSED", file=sys.stderr, flush=True)


def big(environ):
    return Big()


def upgrade(environ):
    sock = environ["gunicorn.socket"]
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nConnection: upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n")
    while data := sock.recv(100):
        sock.sendall(data)
    raise StopIteration


def out(environ):
    raise SystemExit(3)
'''


class Gunicorn:
    """A gunicorn of its own. What it logs is read up to what a test waits for."""

    def __init__(self, folder: Path, *arguments: str, binds: tuple[str, ...] = ("127.0.0.1:0",)) -> None:
        (folder / "application.py").write_text(APPLICATION, encoding="utf-8")
        where = [argument for bind in binds for argument in ("--bind", bind)]
        command = [sys.executable, "-m", "gunicorn", "-k", "greening.ext.gunicorn.GreeningWorker"]
        self.process = subprocess.Popen(
            [*command, *_quiet(), *where, *arguments, "application:app"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self.process.stderr is not None
        self._stderr = self.process.stderr.fileno()
        self._unread = b""
        self.seen = ""
        try:
            listening = self.expect(r"Listening at: (\S+)").group(1)
        except BaseException:
            self.end()
            raise
        self.ports = [int(port) for port in re.findall(r"https?://127.0.0.1:(\d+)", listening)]

    def expect(self, pattern: str) -> re.Match[str]:
        """The next logged line that has `pattern`."""
        deadline = time.monotonic() + SECONDS
        while True:
            while b"\n" in self._unread:
                line, _, self._unread = self._unread.partition(b"\n")
                self.seen += line.decode(errors="replace") + "\n"
                found = re.search(pattern, self.seen.splitlines()[-1])
                if found:
                    return found
            if not select.select([self._stderr], [], [], max(0, deadline - time.monotonic()))[0]:
                pytest.fail(f"no line with {pattern!r} came within {SECONDS} seconds:\n{self.seen}")
            data = os.read(self._stderr, 65536)
            if not data:
                pytest.fail(f"gunicorn ended without a line with {pattern!r}:\n{self.seen}")
            self._unread += data

    def rest(self) -> str:
        """All that it has logged, once it has ended."""
        while data := os.read(self._stderr, 65536):
            self._unread += data
        self.seen += self._unread.decode(errors="replace")
        self._unread = b""
        return self.seen

    def connect(self, number: int = 0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.ports[number], timeout=SECONDS)

    def get(self, path: str, number: int = 0) -> bytes:
        with closing(self.connect(number)) as connection:
            return ask(connection, path)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(SECONDS)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


def _quiet() -> list[str]:
    """Without gunicorn's control socket, which is in the user's home, where this gunicorn has one."""
    told = subprocess.run([sys.executable, "-m", "gunicorn", "--help"], capture_output=True, text=True, check=True)
    return ["--no-control-socket"] if "--no-control-socket" in told.stdout else []


def ask(connection: http.client.HTTPConnection, path: str, body: bytes | None = None) -> bytes:
    connection.request("GET" if body is None else "POST", path, body)
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, data
    return data


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[Any]:
    started: list[Gunicorn] = []

    def start(*arguments: str, **options: Any) -> Gunicorn:
        started.append(Gunicorn(tmp_path, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


class Background(Thread):
    """A request in another thread, and its outcome."""

    def __init__(self, server: Gunicorn, path: str) -> None:
        super().__init__(daemon=True)
        self.outcome: Any = None
        self._call = (server, path)
        self.start()

    def run(self) -> None:
        server, path = self._call
        try:
            self.outcome = server.get(path)
        except (OSError, http.client.HTTPException) as error:
            self.outcome = error

    def result(self) -> Any:
        self.join(SECONDS)
        assert not self.is_alive()
        return self.outcome


def test_the_worker_is_patched_before_the_application_is_imported(gunicorn: Any) -> None:
    assert gunicorn().get("/patched") == b"1"


def test_two_requests_in_one_worker_wait_for_each_other(gunicorn: Any) -> None:
    server = gunicorn()
    first, second = Background(server, "/meet"), Background(server, "/meet")
    assert [first.result(), second.result()] == [b"met", b"met"]


def test_a_preloaded_application_is_patched_late(gunicorn: Any) -> None:
    server = gunicorn("--preload")
    assert server.get("/patched") == b"0"
    first, second = Background(server, "/meet"), Background(server, "/meet")
    assert [first.result(), second.result()] == [b"met", b"met"]


def test_connections_are_kept_alive_and_closed_when_idle(gunicorn: Any) -> None:
    server = gunicorn("--keep-alive", "1")
    with closing(server.connect()) as connection:
        worker = ask(connection, "/pid")
        sock = connection.sock
        assert ask(connection, "/pid") == worker
        assert connection.sock is sock
        assert sock.recv(1) == b""


def test_bodies_come_in_and_files_go_out(gunicorn: Any, tmp_path: Path) -> None:
    server = gunicorn()
    with closing(server.connect()) as connection:
        assert len(ask(connection, "/digest", os.urandom(3_000_000))) == 64
        assert ask(connection, "/file") == (tmp_path / "application.py").read_bytes()
        assert ask(connection, "/scheme") == b"http"


HELD_UP = {
    "silent": b"",
    "half-a-head": b"GET /pid HTTP/1.1\r\nHo",
    "kept-alive": b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n",
    "slow-body": b"POST /digest HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
    "does-not-read": b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
    "taken-over": b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
}


@pytest.mark.parametrize("sent", HELD_UP.values(), ids=HELD_UP)
def test_a_client_that_keeps_a_full_worker_waiting_goes_for_a_newcomer(gunicorn: Any, sent: bytes) -> None:
    server = gunicorn("--worker-connections", "2", "--keep-alive", "60")
    clients = [socket.create_connection(("127.0.0.1", server.ports[0]), SECONDS) for _ in range(3)]
    for client in clients:
        client.sendall(sent)
    assert server.get("/patched") == b"1"
    for client in clients:
        client.close()


def test_requests_under_way_do_not_go_for_a_newcomer(gunicorn: Any, fifo: Path) -> None:
    server = gunicorn("--worker-connections", "2", "--keep-alive", "60")
    first = Background(server, f"/slow?{fifo}")
    server.expect("SLOW")
    with closing(server.connect()) as idle:
        ask(idle, "/pid")
        assert server.get("/patched") == b"1"
        assert idle.sock.recv(1) == b""
    fifo.write_text("done")
    assert first.result() == b"done"


def test_a_silent_handshake_goes_for_a_newcomer(gunicorn: Any, tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    pem = str(tmp_path / "pem")
    server = gunicorn("--certfile", pem, "--keyfile", pem, "--worker-connections", "1", "--keep-alive", "60")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    address = ("127.0.0.1", server.ports[0])
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_connection(address, SECONDS))
        for _ in range(3):  # the later ones: connections that are idle
            connection = http.client.HTTPSConnection("localhost", address[1], timeout=SECONDS, context=context)
            stack.enter_context(closing(connection))
            assert ask(connection, "/scheme") == b"https"
        assert silent.recv(1) == b""


def test_a_body_that_comes_too_slowly_is_given_up(gunicorn: Any) -> None:
    server = gunicorn("--env", "GREENING_GUNICORN_BODY_TIMEOUT=0.1")
    with closing(socket.create_connection(("127.0.0.1", server.ports[0]), SECONDS)) as client:
        client.sendall(HELD_UP["slow-body"])
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    assert "Traceback" not in server.seen


def test_a_client_that_takes_nothing_of_its_response_is_cut_off(gunicorn: Any) -> None:
    server = gunicorn("--env", "GREENING_GUNICORN_WRITE_TIMEOUT=0.1")
    with closing(socket.create_connection(("127.0.0.1", server.ports[0]), SECONDS)) as client:
        client.sendall(HELD_UP["does-not-read"])
        server.expect("CLOSED")
        came = 0
        with suppress(ConnectionResetError):
            while data := client.recv(65536):
                came += len(data)
        assert came < 65536000


def test_without_keep_alive_a_head_has_a_limit_too(gunicorn: Any) -> None:
    server = gunicorn("--keep-alive", "0", "--env", "GREENING_GUNICORN_HEAD_TIMEOUT=0.1")
    with closing(socket.create_connection(("127.0.0.1", server.ports[0]), SECONDS)) as client:
        client.sendall(HELD_UP["half-a-head"])
        assert client.recv(1) == b""


def test_a_limit_that_is_no_number_is_told_at_the_start(gunicorn: Any) -> None:
    server = gunicorn("--env", "GREENING_GUNICORN_BODY_RATE=fast")
    assert server.wait() == 3
    assert "GREENING_GUNICORN_BODY_RATE='fast' is not a number" in server.rest()


def test_a_stop_serves_what_is_in_the_backlog(gunicorn: Any) -> None:
    server = gunicorn()
    worker = int(server.get("/pid"))
    os.kill(worker, signal.SIGSTOP)
    clients = [socket.create_connection(("127.0.0.1", server.ports[0]), SECONDS) for _ in range(20)]
    try:
        for client in clients:
            client.sendall(b"GET /patched HTTP/1.1\r\nHost: a\r\n\r\n")
        server.signal(signal.SIGTERM)
        server.expect("Handling signal: term")
    finally:
        os.kill(worker, signal.SIGCONT)
    for client in clients:
        assert client.makefile("rb").read().endswith(b"\r\n\r\n1")
        client.close()
    assert server.wait() == 0
    assert "Traceback" not in server.rest()


def test_several_listeners_share_the_places(gunicorn: Any, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    server = gunicorn("--worker-connections", "1", binds=("127.0.0.1:0", "127.0.0.1:0", f"unix:{path}"))
    for number in (0, 1, 0, 1):
        assert server.get("/patched", number) == b"1"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        sock.connect(str(path))
        sock.sendall(b"GET /patched HTTP/1.0\r\n\r\n")
        assert sock.makefile("rb").read().endswith(b"\r\n\r\n1")


def test_a_full_worker_leaves_connections_to_its_siblings(gunicorn: Any, fifo: Path, tmp_path: Path) -> None:
    server = gunicorn("--worker-connections", "1", "--workers", "2")
    first = Background(server, f"/slow?{fifo}")
    server.expect("SLOW")
    assert server.get("/patched") == b"1"
    other = tmp_path / "other"
    os.mkfifo(other)
    second = Background(server, f"/slow?{other}")
    server.expect("SLOW")
    third = Background(server, "/patched")  # no worker has a place
    fifo.write_text("done")
    assert first.result() == b"done"
    assert third.result() == b"1"
    other.write_text("done, too")
    assert second.result() == b"done, too"


def test_tls_handshakes_are_each_connections_own_business(gunicorn: Any, tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    server = gunicorn("--certfile", str(tmp_path / "pem"), "--keyfile", str(tmp_path / "pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    address = ("127.0.0.1", server.ports[0])
    with closing(socket.create_connection(address, SECONDS)), closing(socket.create_connection(address)) as nonsense:
        nonsense.sendall(b"GET / HTTP/1.0\r\n\r\n")
        for _ in range(2):
            with closing(http.client.HTTPSConnection("localhost", address[1], context=context)) as connection:
                connection.timeout = SECONDS
                assert ask(connection, "/scheme") == b"https"
                assert len(ask(connection, "/file")) > 1000


def test_a_connection_can_be_taken_over(gunicorn: Any) -> None:
    server = gunicorn()
    with closing(socket.create_connection(("127.0.0.1", server.ports[0]), SECONDS)) as sock:
        sock.sendall(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        stream = sock.makefile("rb")
        while stream.readline() != b"\r\n":
            pass
        for data in (b"one\n", b"two\n"):
            sock.sendall(data)
            assert stream.readline() == data
        sock.shutdown(socket.SHUT_WR)
        assert stream.read() == b""
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert "Traceback" not in server.rest()


def test_a_stop_finishes_what_is_under_way(gunicorn: Any, fifo: Path) -> None:
    server = gunicorn("--keep-alive", "60")
    with closing(server.connect()) as idle:
        ask(idle, "/pid")
        request = Background(server, f"/slow?{fifo}")
        server.expect("SLOW")
        server.signal(signal.SIGTERM)
        server.expect("Handling signal: term")
        with closing(server.connect()) as late, suppress(ConnectionResetError), pytest.raises(ConnectionRefusedError):
            while True:  # until the worker has closed its listeners, too
                late.connect()
                late.close()
        fifo.write_text("done")
        assert request.result() == b"done"
        assert idle.sock.recv(1) == b""  # long before it has been idle for a minute
    assert server.wait() == 0


def test_a_stopping_worker_still_answers_on_kept_alive_connections(gunicorn: Any, fifo: Path) -> None:
    server = gunicorn("--keep-alive", "60")
    with closing(server.connect()) as idle:
        ask(idle, "/pid")
        server.signal(signal.SIGTERM)
        server.expect("Handling signal: term")
        idle.request("GET", "/pid")
        answer = idle.getresponse()
        assert answer.read().isdigit()
        assert server.wait() == 0


def test_what_outlives_the_graceful_timeout_is_closed(gunicorn: Any, fifo: Path) -> None:
    server = gunicorn("--graceful-timeout", "1")
    request = Background(server, f"/slow?{fifo}")
    server.expect("SLOW")
    server.signal(signal.SIGHUP)  # (a gunicorn that stops kills its workers itself, at that very moment)
    server.expect("Worker graceful timeout")
    server.expect("Cuts off GET /slow")
    assert isinstance(request.result(), http.client.RemoteDisconnected)
    server.expect("Worker exiting")
    assert server.get("/patched") == b"1"
    assert "Error handling request" not in server.seen


def test_a_quick_stop_does_not_wait(gunicorn: Any, fifo: Path) -> None:
    server = gunicorn()
    request = Background(server, f"/slow?{fifo}")
    server.expect("SLOW")
    server.signal(signal.SIGQUIT)
    assert server.wait() == 0
    assert isinstance(request.result(), (OSError, http.client.HTTPException))


def test_a_reload_under_load_loses_no_request(gunicorn: Any) -> None:
    server = gunicorn("--workers", "2", "--worker-connections", "20")
    before = {server.get("/pid") for _ in range(20)}
    stop: list[bool] = []
    outcomes: list[list[Any]] = [[] for _ in range(8)]

    def load(outcome: list[Any]) -> None:
        while not stop:
            try:
                outcome.append(server.get("/pid"))
            except (OSError, http.client.HTTPException) as error:
                outcome.append(error)

    clients = [Thread(target=load, args=(outcome,), daemon=True) for outcome in outcomes]
    for client in clients:
        client.start()
    try:
        for _ in range(2):
            server.signal(signal.SIGHUP)
            for _ in range(2):
                server.expect("Worker exiting")
    finally:
        stop.append(True)
        for client in clients:
            client.join(SECONDS)
    answers = {answer for outcome in outcomes for answer in outcome}
    assert [answer for answer in answers if not isinstance(answer, bytes)] == []
    assert {server.get("/pid") for _ in range(20)}.isdisjoint(before)


def test_a_reload_that_follows_another_ends_the_workers_that_are_starting_up(gunicorn: Any) -> None:
    server = gunicorn("--workers", "3")
    server.get("/pid")
    for _ in range(2):
        server.signal(signal.SIGHUP)
        server.expect("Hang up")
    while server.seen.count("Worker exiting") < 6:
        server.expect("Worker exiting")
    assert server.get("/patched") == b"1"


def test_a_worker_that_is_stuck_is_aborted_and_says_where(gunicorn: Any) -> None:
    server = gunicorn("--timeout", "1")
    server.get("/pid")
    request = Background(server, "/stuck")
    server.expect("STUCK")
    server.expect("WORKER TIMEOUT")
    server.expect("was stuck here")
    server.expect("in stuck")
    server.expect("Booting worker")
    assert isinstance(request.result(), (OSError, http.client.HTTPException))
    assert server.get("/patched") == b"1"


def test_requests_that_wait_do_not_keep_the_worker_from_giving_signs_of_life(gunicorn: Any, fifo: Path) -> None:
    server = gunicorn("--timeout", "1")
    request = Background(server, f"/slow?{fifo}")
    server.expect("SLOW")
    time.sleep(3)  # the arbiter looks once a second
    fifo.write_text("done")
    assert request.result() == b"done"
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert "TIMEOUT" not in server.rest()


def test_a_worker_is_replaced_after_its_number_of_requests(gunicorn: Any) -> None:
    server = gunicorn("--max-requests", "3")
    with closing(server.connect()) as connection:
        workers = [ask(connection, "/pid") for _ in range(4)]  # told to close after the third, it connects again
    assert len(set(workers[:3])) == 1
    assert workers[3] != workers[0]


def test_workers_end_with_their_arbiter(gunicorn: Any) -> None:
    server = gunicorn()
    server.get("/pid")
    server.signal(signal.SIGKILL)
    server.expect("Parent changed")
    server.expect("Worker exiting")
    server.rest()  # ends when no process has the pipe any more


def test_log_files_are_opened_again(gunicorn: Any, tmp_path: Path) -> None:
    log, old = tmp_path / "access", tmp_path / "access.1"
    server = gunicorn("--access-logfile", str(log))
    with closing(server.connect()) as connection:
        ask(connection, "/pid")
        ask(connection, "/pid")  # what was asked before it on this connection has been logged
    log.rename(old)
    server.signal(signal.SIGUSR1)
    server.expect("Handling signal: usr1")
    while not log.exists() or '"GET /patched HTTP/1.1" 200' not in log.read_text():
        server.get("/patched")
    assert '"GET /pid HTTP/1.1" 200' in old.read_text()


def test_an_application_that_exits_ends_its_request_only(gunicorn: Any) -> None:
    server = gunicorn()
    worker = server.get("/pid")
    with closing(server.connect()) as connection:
        connection.request("GET", "/out")
        assert connection.getresponse().status == 500
    assert server.get("/pid") == worker
