"""`python -m greening.wsgi` as real processes: what it prints, what it serves, how it ends, and what it survives."""

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening.wsgi.cli import parse

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0  # seconds, for a whole test

# `/hold` says that it is there and finishes when the test opens the FIFO `go`.
APP = """
import json, os, sys
from greening.monkey import is_monkey_patched

def app(environ, start_response):
    told = {"pid": os.getpid(), "patched": is_monkey_patched("socket"), "version": 1,
            "multiprocess": environ["wsgi.multiprocess"], "scheme": environ["wsgi.url_scheme"]}
    if environ["PATH_INFO"] == "/hold":
        print("holding", file=sys.stderr, flush=True)
        open("go").close()
    body = repr(told).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

def factory(name, *, loud=False):
    return app

class Site:
    wsgi = staticmethod(app)

number = 5
application = app
if "QUIET" not in os.environ:
    print("loaded", os.getpid(), file=sys.stderr, flush=True)
"""


class Command:
    """The command, running. It is stopped, with all that belongs to it, at the end of the test."""

    def __init__(self, folder: Path, *arguments: str, **options: Any) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "greening.wsgi", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **options.get("env", {})},
            stdin=subprocess.DEVNULL,
            stdout=options.get("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        # Who waits in vain for a line fails then, and says what there was.
        self.patience = threading.Timer(PATIENCE, self.kill)
        self.patience.daemon = True
        self.patience.start()
        self.errors = ""
        self.address: Any = None
        self.context: ssl.SSLContext | None = None

    def until(self, pattern: str) -> "re.Match[str]":
        """The next line on standard error that matches."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f"ended without {pattern!r}:\n{self.errors}")

    def listening(self) -> "Command":
        """Wait until it serves."""
        found = self.until(r" on (?:(https?)://(127\.0\.0\.1):(\d+)|unix:(\S+)) \(")
        self.address = found[4] or (found[2], int(found[3]))
        return self

    def connect(self) -> Any:
        sock = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
        try:
            sock.connect(self.address)
        except BaseException:
            sock.close()
            raise
        return sock if self.context is None else self.context.wrap_socket(sock, server_hostname="localhost")

    def ask(self, path: str = "/") -> "Asked":
        return Asked(self.connect(), path)

    def get(self, path: str = "/") -> dict[str, Any]:
        return self.ask(path).answer()

    def refuses(self) -> None:
        """Wait until nobody listens any more."""
        while True:
            try:
                self.connect().close()
            except (ConnectionRefusedError, FileNotFoundError):
                return
            except ConnectionResetError:
                pass

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for it; its exit status, and what it said on standard output."""
        output, errors = self.process.communicate()
        self.errors += errors
        return self.process.returncode, output

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        self.patience.cancel()
        self.kill()
        with self.process:
            pass


class Asked:
    """A request that was sent."""

    def __init__(self, sock: Any, path: str) -> None:
        self.sock = sock
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nConnection: close\r\n\r\n".encode())

    def data(self) -> bytes:
        with self.sock:
            return b"".join(iter(lambda: self.sock.recv(65536), b""))

    def answer(self) -> dict[str, Any]:
        with self.sock:
            response = http.client.HTTPResponse(self.sock)
            response.begin()
            assert response.status == 200
            return eval(response.read())  # our own application's


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site1.py").write_text(APP)
    os.mkfifo(tmp_path / "go")
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Command]]:
    running: list[Command] = []

    def start(*arguments: str, bind: str = "127.0.0.1:0", **options: Any) -> Command:
        running.append(Command(folder, "--bind", bind, *arguments, **options))
        return running[-1]

    yield start
    for command in running:
        command.close()


def let_go(folder: Path) -> None:
    """Let the request that holds finish."""
    with open(folder / "go", "w"):
        pass


def change(folder: Path, source: str) -> None:
    (folder / "new").write_text(source)
    (folder / "new").rename(folder / "site1.py")


Start = Callable[..., Command]


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["site1", "site1:app", "site1:Site.wsgi", "site1:factory('x', loud=True)"])
def test_serves_what_is_named(start: Start, spec: str) -> None:
    command = start(spec).listening()
    told = command.get()
    assert told["patched"]
    assert not told["multiprocess"]
    assert told["pid"] != command.process.pid
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_access_lines_go_to_standard_output_in_the_combined_format(start: Start) -> None:
    command = start("site1:app").listening()
    size = len(repr(command.get("/some/where?x=1")))
    command.signal(signal.SIGINT)
    status, output = command.end()
    assert status == 0
    date = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    assert re.fullmatch(rf'127\.0\.0\.1 - - {date} "GET /some/where\?x=1 HTTP/1\.1" 200 {size} "-" "me"\n', output)
    assert "GET" not in command.errors


@pytest.mark.slow
def test_no_access_log(start: Start) -> None:
    command = start("--no-access-log", "site1:app").listening()
    command.get()
    command.signal(signal.SIGTERM)
    assert command.end() == (0, "")


@pytest.mark.slow
def test_serves_on_when_nobody_reads_its_standard_output(start: Start) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = start("site1:app", stdout=writer)
    os.close(writer)
    command.listening().get()
    command.until("no more access lines: standard output: Broken pipe")
    command.get()
    command.signal(signal.SIGTERM)
    assert command.process.wait() == 0


@pytest.mark.slow
def test_serves_on_when_nobody_reads_its_standard_error(start: Start) -> None:
    command = start("site1:app", env={"QUIET": "1"}).listening()
    assert command.process.stderr is not None
    command.process.stderr.close()
    pid = command.get()["pid"]
    os.kill(pid, signal.SIGKILL)
    now = pid
    while now == pid:
        with suppress(ConnectionResetError, http.client.BadStatusLine):  # taken by the one that is dying
            now = command.get()["pid"]
    command.signal(signal.SIGTERM)
    assert command.process.wait() == 0


# The end


@pytest.mark.slow
@pytest.mark.parametrize("send", ["SIGTERM", "SIGINT", "terminal"])
def test_a_signal_lets_what_is_in_flight_finish(start: Start, folder: Path, send: str) -> None:
    command = start("--workers", "2", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    if send == "terminal":  # Ctrl-C: everybody gets it
        os.killpg(command.process.pid, signal.SIGINT)
    else:
        command.signal(getattr(signal, send))
    command.refuses()
    let_go(folder)
    assert held.answer()["version"] == 1
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    command = start("site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGTERM)
    command.until("another signal ends it at once")
    command.signal(signal.SIGTERM)
    assert held.data() == b""
    assert command.end()[0] == 0


@pytest.mark.slow
def test_what_takes_longer_than_the_graceful_timeout_is_cut_off(start: Start) -> None:
    command = start("--graceful-timeout", "0.2", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGTERM)
    assert held.data() == b""
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_worker_that_does_not_end_is_killed(start: Start, folder: Path) -> None:
    change(folder, APP.replace('open("go").close()', "while True: pass"))
    command = start("--graceful-timeout", "0", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGTERM)
    command.until("does not end; killed")
    with suppress(ConnectionResetError):
        assert held.data() == b""
    assert command.end()[0] == 0


@pytest.mark.slow
def test_ends_while_the_application_is_being_loaded(start: Start, folder: Path) -> None:
    change(folder, "import sys\nprint('loading', file=sys.stderr, flush=True)\nopen('go')\n")
    command = start("site1:app")
    command.until("loading")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_workers_end_when_the_supervisor_is_killed(start: Start, folder: Path) -> None:
    command = start("--workers", "2", "site1:app").listening()
    command.until("loaded")  # the second one
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGKILL)
    command.until("supervisor is gone")
    let_go(folder)
    assert held.answer()["version"] == 1
    command.end()  # the pipes are closed when the last worker has gone
    command.refuses()


# Workers


@pytest.mark.slow
def test_dead_workers_are_replaced(start: Start) -> None:
    command = start("--workers", "2", "site1:app").listening()
    command.until("loaded")
    seen = set()
    for _ in range(3):
        told = command.get()
        assert told["multiprocess"]
        assert told["pid"] not in seen
        seen.add(told["pid"])
        os.kill(told["pid"], signal.SIGKILL)
        command.until(f"worker {told['pid']} was killed by SIGKILL")
        command.until("loaded")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_finishes_and_is_replaced(start: Start, folder: Path) -> None:
    command = start("site1:app").listening()
    pid = command.get()["pid"]
    held = command.ask("/hold")
    command.until("holding")
    os.kill(pid, signal.SIGTERM)
    let_go(folder)
    assert held.answer()["pid"] == pid
    command.until(f"worker {pid} ended with status 0")
    assert command.get()["pid"] != pid


@pytest.mark.slow
def test_gives_up_when_no_worker_ever_starts(start: Start, folder: Path) -> None:
    change(folder, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    command = start("--workers", "3", "site1:app")
    assert command.end() == (1, "")
    deaths = re.findall("was killed by SIGKILL before it could serve anything", command.errors)
    assert len(deaths) == 5
    assert command.errors.endswith("no worker could be started; giving up\n")


# Reloading


@pytest.mark.slow
def test_sighup_brings_new_workers_and_lets_the_old_ones_finish(start: Start, folder: Path) -> None:
    command = start("--workers", "2", "site1:app").listening()
    command.until("loaded")
    held = command.ask("/hold")
    command.until("holding")
    change(folder, APP.replace('"version": 1', '"version": 2'))
    command.signal(signal.SIGHUP)
    command.until("reloaded")
    command.until("loaded")
    let_go(folder)
    assert held.answer()["version"] == 1
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_request_that_is_on_its_way_to_an_old_worker_is_answered(start: Start) -> None:
    command = start("site1:app").listening()
    with command.connect() as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.recv(65536)
        command.signal(signal.SIGHUP)
        command.until("reloaded")
        answer = b""
        while b"\r\nConnection: close\r\n" not in answer:  # the first ones may come before it knows that it is old
            idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = idle.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert command.get()["version"] == 1


@pytest.mark.slow
def test_an_application_that_cannot_be_loaded_again_leaves_the_old_workers(start: Start, folder: Path) -> None:
    command = start("--workers", "2", "site1:app").listening()
    command.until("loaded")
    change(folder, "import nowhere_to_be_found\n")
    command.signal(signal.SIGHUP)
    command.until("not reloaded: the old workers go on")
    assert command.get()["version"] == 1
    assert "No module named 'nowhere_to_be_found'" in command.errors
    change(folder, APP.replace('"version": 1', '"version": 2'))
    command.signal(signal.SIGHUP)
    command.until("reloaded")
    command.until("loaded")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_reload_when_a_file_changes(start: Start, folder: Path) -> None:
    command = start("--reload", "site1:app").listening()
    assert command.get()["version"] == 1
    change(folder, APP.replace('"version": 1', '"version": 2'))
    command.until("site1.py has changed")
    command.until("reloaded")
    change(folder, "def app(:\n")
    command.until("not reloaded: the old workers go on")
    change(folder, APP.replace('"version": 1', '"version": 3'))
    command.until("reloaded")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_reload_waits_for_an_application_that_can_be_loaded(start: Start, folder: Path) -> None:
    change(folder, "import helper1\n" + APP)
    (folder / "helper1.py").write_text("1 / 0\n")
    command = start("--reload", "site1:app")
    command.until("ZeroDivisionError")
    (folder / "helper1.py").write_text("fine = True\n")
    assert command.listening().get()["version"] == 1
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


# Sockets and certificates


@pytest.mark.slow
def test_unix_socket(start: Start, folder: Path) -> None:
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    command = start("site1:app", bind=f"unix:{path}").listening()
    assert command.get()["version"] == 1
    second = start("site1:app", bind=f"unix:{path}")
    assert second.end() == (1, "")
    assert second.errors == f"greening.wsgi: cannot listen on unix:{path}: Address already in use\n"
    assert command.get()["version"] == 1
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0
    assert not path.exists()


def certificate(folder: Path) -> ssl.SSLContext:
    """Write a new one; a client's context that believes in no other."""
    authority = trustme.CA()
    mine = authority.issue_cert("localhost")
    mine.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.slow
def test_sighup_brings_new_certificates(start: Start, folder: Path) -> None:
    first = certificate(folder)
    command = start("--certfile", "both.pem", "site1:app").listening()
    command.context = first
    assert command.get()["scheme"] == "https"
    command.context = certificate(folder)
    with pytest.raises(ssl.SSLCertVerificationError):
        command.get()
    command.signal(signal.SIGHUP)
    command.until("reloaded")
    while True:  # the old worker takes a connection, perhaps, until it is told to leave
        with suppress(ssl.SSLCertVerificationError):
            assert command.get()["scheme"] == "https"
            break
    (folder / "both.pem").write_text("nonsense")
    command.signal(signal.SIGHUP)
    command.until("not reloaded, everything stays as it is: ")
    assert command.get()["scheme"] == "https"
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


# What is wrong is said in a line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["site1:"], 2, "'site1:' is not of the form module:app, e.g. mysite.wsgi:application"),
        (["site1:a b"], 2, "'site1:a b': 'a b' is neither a name nor a call of one with literals as arguments"),
        (["nowhere1.a:app"], 1, "no module named 'nowhere1', neither in {folder} nor elsewhere on sys.path"),
        (["site1:nope"], 1, "'site1:nope': module 'site1' has no attribute 'nope'"),
        (["site1:number"], 1, "'site1:number' cannot be called: it is of type 'int'"),
        (["json"], 1, "module 'json' has neither 'application' nor 'app': name it, as in json:NAME"),
        (["--certfile", "no.pem", "site1"], 1, "cannot read no.pem: No such file or directory"),
        (["--certfile", "site1.py", "site1"], 1, "not a certificate with its private key: site1.py: "),
        (["--bind", "here", "site1"], 2, "--bind: 'here' is neither HOST:PORT nor unix:PATH"),
    ],
)
def test_says_what_is_wrong(start: Start, folder: Path, arguments: list[str], status: int, said: str) -> None:
    command = start(*arguments)
    assert command.end() == (status, "")
    assert f"greening.wsgi: {said.format(folder=folder)}" in command.errors
    assert "Traceback" not in command.errors


@pytest.mark.slow
def test_port_in_use(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        command = start("site1:app", bind=bind)
        assert command.end() == (1, "")
    assert command.errors == f"greening.wsgi: cannot listen on {bind}: Address already in use\n"


@pytest.mark.slow
@pytest.mark.parametrize("source", ["def inner():\n    1 / 0\ninner()\n", "def app():\n    1 / 0\n"])
def test_shows_the_traceback_of_the_application_and_nothing_else(start: Start, folder: Path, source: str) -> None:
    change(folder, source)
    command = start("site1:app()")
    assert command.end() == (1, "")
    frames = re.findall(r'File "(.*?)"', command.errors)
    assert set(frames) == {str(folder / "site1.py")}
    assert "ZeroDivisionError: division by zero\n" in command.errors
    assert command.errors.count("Traceback") == 1


@pytest.mark.parametrize(
    "arguments",
    [["a", "--workers", "0"], ["a", "--workers", "x"], ["a", "--keyfile", "k"], ["a", "--graceful-timeout", "-1"]],
)
def test_refuses_options_that_make_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert arguments[1] in capsys.readouterr().err
