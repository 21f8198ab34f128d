"""The programs in scripts/examples, each run as a program against servers on loopback."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme

pytestmark = pytest.mark.slow  # whole programs, some of them two at a time

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "scripts" / "examples"
SECONDS = 10  # for anything that hangs

Address = tuple[str, int]
Run = Callable[..., subprocess.CompletedProcess[str]]
Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(handler: Callable[..., object], host: str = "127.0.0.1") -> Iterator[Address]:
    """A threaded server on loopback; `handler` is called as socketserver calls it."""

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 64

    with Server((host, 0), handler) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address  # type: ignore[misc]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def talking(talk: Talk) -> Iterator[Address]:
    """A server that hands each connection to `talk` and closes it afterwards."""

    def handle(connection: socket.socket, address: Address, server: object) -> None:
        connection.settimeout(SECONDS)
        talk(connection)

    with serving(handle) as address:
        yield address


@contextlib.contextmanager
def web_server(meet: threading.Barrier) -> Iterator[str]:
    """Answers /N with N bytes, once as many clients have asked as `meet` expects: one at a time is stuck."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            meet.wait(SECONDS)
            size = int(self.path.removeprefix("/"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * size)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(Pages) as (host, port):
        yield f"http://{host}:{port}"


@contextlib.contextmanager
def running(name: str, *args: str) -> Iterator[tuple[subprocess.Popen[str], Address]]:
    """An example that serves, and the address that it says it listens on. Leaving the block ends it as Ctrl-C would."""
    command = [sys.executable, str(EXAMPLES / name), *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                process.kill()
                pytest.fail(f"{name} does not listen: {line}{process.communicate()[1]}")
            host, _, port = line.removeprefix("listening on ").strip().rpartition(":")
            yield process, (host, int(port))
        finally:
            process.kill()


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Ctrl-C: what the program still printed, and its errors. It must end well."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return out, err


def complaint(process: subprocess.Popen[str]) -> str:
    """The next line of its errors, once it is written."""
    assert process.stderr is not None
    return process.stderr.readline()


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return data


def connect(address: Address) -> socket.socket:
    return socket.create_connection(address, timeout=SECONDS)


class TestCrawler:
    def test_fetches_all_at_once_and_keeps_the_order(self, run_program: Run):
        sizes = range(1, 21)
        with web_server(threading.Barrier(len(sizes))) as site:
            done = run_program(EXAMPLES / "crawler.py", *(f"{site}/{size}" for size in sizes))
        got = [line for line in done.stdout.splitlines() if line.startswith("got")]
        assert got == [f"got {size} bytes" for size in sizes]
        assert done.stderr == ""


class HostCounter:
    """A server at several addresses of loopback that counts how many of its pages are under way at each."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.begun = threading.Semaphore(0)
        self.hold = threading.Event()

    def handle(self, connection: socket.socket, address: Address, server: object) -> None:
        connection.recv(65536)
        host = connection.getsockname()[0]
        with self.lock:
            self.now[host] = self.now.get(host, 0) + 1
            self.most[host] = max(self.most.get(host, 0), self.now[host])
        self.begun.release()
        self.hold.wait(SECONDS)
        with self.lock:
            self.now[host] -= 1
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")


class TestPoliteCrawler:
    def test_no_more_than_two_at_once_from_each_host_and_one_bad_page_is_a_line(
        self, run_program: Run, tmp_path: Path
    ) -> None:
        counter, file = HostCounter(), tmp_path / "results"
        with serving(counter.handle, "0.0.0.0") as (_, port):
            urls = [f"http://127.0.0.{1 + n % 3}:{port}/{n}" for n in range(12)]

            def let_go() -> None:
                for _ in range(6):  # two of each
                    counter.begun.acquire(timeout=SECONDS)
                counter.hold.set()

            thread = threading.Thread(target=let_go)
            thread.start()
            done = run_program(EXAMPLES / "polite_crawler.py", str(file), *urls, "http://127.0.0.1:1/", "nonsense")
            thread.join()
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert counter.most == {"127.0.0.1": 2, "127.0.0.2": 2, "127.0.0.3": 2}
        assert {line["url"]: line["size"] for line in lines if "size" in line} == dict.fromkeys(urls, 5)
        assert sorted(line["url"] for line in lines if "error" in line) == ["http://127.0.0.1:1/", "nonsense"]
        assert (done.stdout, done.stderr) == ("14 of 14 pages\n", "")

    def test_ctrl_c_keeps_what_was_fetched(self, tmp_path: Path) -> None:
        counter, file = HostCounter(), tmp_path / "results"
        with serving(counter.handle, "0.0.0.0") as (_, port):
            urls = [f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}/"]
            command = [sys.executable, str(EXAMPLES / "polite_crawler.py"), str(file), "nonsense", *urls]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
                for _ in urls:
                    assert counter.begun.acquire(timeout=SECONDS)
                process.send_signal(signal.SIGINT)
                out, _ = process.communicate(timeout=SECONDS)
            counter.hold.set()
        assert (process.returncode, out) == (0, "interrupted; 1 of 3 pages\n")
        assert [json.loads(line)["url"] for line in file.read_text().splitlines()] == ["nonsense"]


class TestPile:
    def test_answers_lie_beside_their_addresses(self, run_program: Run):
        with web_server(threading.Barrier(3)) as site:
            urls = [f"{site}/{size}" for size in (30, 20, 10)]
            done = run_program(EXAMPLES / "pile.py", *urls)
        lines = done.stdout.splitlines()
        assert [line.partition(": ")[0] for line in lines] == urls
        assert all(": HTTP/1.0 200 OK, " in line for line in lines)
        sizes = [int(line.split()[-2]) for line in lines]
        assert (sizes[0] - sizes[1], sizes[1] - sizes[2]) == (10, 10)
        assert done.stderr == ""


class TestEchoServer:
    def test_many_clients_side_by_side(self):
        with running("echo_server.py", "127.0.0.1:0") as (process, address), contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(address)) for _ in range(10)]
            for number, client in reversed(list(enumerate(clients))):  # no client waits for an earlier one
                client.sendall(f"hello {number}\nand".encode())
                assert client.recv(100) == f"hello {number}\n".encode()
            for client in clients:
                client.sendall(b" more\n")
                client.shutdown(socket.SHUT_WR)
                assert read_all(client) == b"and more\n"
            out, err = interrupt(process)
        assert out.splitlines() == ["stopped"]
        assert err == ""

    def test_survives_a_client_that_vanishes(self):
        with running("echo_server.py", "127.0.0.1:0") as (process, address):
            with connect(address) as client:
                client.sendall(b"one\n")
                assert client.recv(100) == b"one\n"
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with connect(address) as client:
                client.sendall(b"two\n")
                assert client.recv(100) == b"two\n"
            out, err = interrupt(process)
        assert out.startswith("client lost: ")
        assert err == ""


class TestPubSub:
    def test_a_line_goes_to_all_and_all_hear_goodbye(self) -> None:
        with running("pubsub.py", "127.0.0.1:0") as (process, address), contextlib.ExitStack() as stack:
            subscribers = [stack.enter_context(connect(address)) for _ in range(20)]
            for subscriber in subscribers:
                subscriber.sendall(b"sub\n")
                assert subscriber.recv(100) == b"welcome\n"
            with connect(address) as publisher:
                publisher.sendall(b"news\nmore\n")
                for subscriber in subscribers:
                    with subscriber.makefile("rb") as lines:
                        assert [lines.readline(), lines.readline()] == [b"news\n", b"more\n"]
                    subscriber.settimeout(SECONDS)
                publisher.shutdown(socket.SHUT_WR)
                assert read_all(publisher) == b""
            process.send_signal(signal.SIGTERM)
            assert [read_all(subscriber) for subscriber in subscribers] == [b"bye\n"] * 20
            out, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, out, err) == (0, "stopped\n", "")

    def test_a_subscriber_that_does_not_read_is_dropped_and_the_others_lose_nothing(self) -> None:
        line, count = b"x" * 9_999 + b"\n", 3_000
        with (
            running("pubsub.py", "127.0.0.1:0") as (process, address),
            connect(address) as slow,
            connect(address) as quick,
            connect(address) as publisher,
        ):
            for subscriber in (slow, quick):
                subscriber.sendall(b"sub\n")
                assert subscriber.recv(100) == b"welcome\n"
            with quick.makefile("rb") as lines:
                for _ in range(count // 100):
                    publisher.sendall(line * 100)
                    for _ in range(100):
                        assert lines.readline() == line
            assert process.stdout is not None
            assert process.stdout.readline() == "dropped a slow subscriber\n"
            publisher.close()  # or it is waited for
            out, err = interrupt(process)
        assert (out, err) == ("stopped\n", "")


def digest(connection: socket.socket) -> None:
    """Listen to the end, then answer: this works only where a half-close arrives as one."""
    connection.sendall(hashlib.sha256(read_all(connection)).hexdigest().encode())


def echo(connection: socket.socket) -> None:
    while chunk := connection.recv(65536):
        connection.sendall(chunk)


def to(address: Address) -> tuple[str, ...]:
    """The proxy's common arguments. By name, because certificates are made for names."""
    return ("--listen", "127.0.0.1:0", "--to", f"localhost:{address[1]}")


class Certificates:
    """A server's certificate for localhost, and the authority that vouches for it."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.server = authority.issue_cert("localhost")
        self.authority = str(folder / "authority.pem")
        self.certificate, self.key = str(folder / "certificate.pem"), str(folder / "key.pem")
        self.listen = ("--tls-listen", self.certificate, self.key)
        authority.cert_pem.write_to_path(self.authority)
        self.server.private_key_pem.write_to_path(self.key)
        for blob in self.server.cert_chain_pems:
            blob.write_to_path(self.certificate, append=True)

    def over_tls(self, talk: Talk) -> Talk:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.configure_cert(context)

        def secure(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                talk(wrapped)

        return secure


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


class TestProxy:
    @pytest.mark.parametrize("size", [0, 5, 3_000_000])
    def test_a_half_close_crosses_tls(self, certificates: Certificates, size: int):
        """plain client -> proxy -> TLS -> proxy -> plain server: both sides of TLS are ours."""
        data = os.urandom(size)
        with (
            talking(digest) as server,
            running("proxy.py", *to(server), *certificates.listen) as (_, inner),
            running("proxy.py", *to(inner), "--tls-connect", certificates.authority) as (outer_process, outer),
            connect(outer) as client,
        ):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == hashlib.sha256(data).hexdigest().encode()
            assert interrupt(outer_process) == ("stopped\n", "")

    def test_connects_over_tls_both_ways_at_once(self, certificates: Certificates):
        data = os.urandom(2_000_000)
        with (
            talking(certificates.over_tls(echo)) as server,
            running("proxy.py", *to(server), "--tls-connect", certificates.authority) as (_, address),
            connect(address) as client,
        ):

            def send() -> None:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            assert read_all(client) == data
            sender.join()

    def test_listens_with_tls(self, certificates: Certificates):
        context = ssl.create_default_context(cafile=certificates.authority)
        with (
            talking(echo) as server,
            running("proxy.py", *to(server), *certificates.listen) as (_, address),
            connect(address) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            client.unwrap().close()  # our goodbye travels to the server and its own comes back

    def test_refuses_a_server_that_it_does_not_trust_and_goes_on(self, certificates: Certificates, tmp_path: Path):
        stranger = Certificates(tmp_path)

        def meet(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):  # the proxy hangs up
                certificates.over_tls(echo)(connection)

        with (
            talking(meet) as server,
            running("proxy.py", *to(server), "--tls-connect", stranger.authority) as (process, address),
        ):
            for _ in range(2):
                with connect(address) as client, pytest.raises(ConnectionError):
                    client.recv(100)
                assert "CERTIFICATE_VERIFY_FAILED" in complaint(process)
            assert interrupt(process) == ("stopped\n", "")

    def test_a_reset_is_passed_on_as_one(self):
        """An answer that was cut off must not look complete."""

        def cut_off(connection: socket.socket) -> None:
            connection.sendall(b"half an ans")
            connection.recv(100)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        with talking(cut_off) as server, running("proxy.py", *to(server)) as (process, address):
            with connect(address) as client:
                assert client.recv(100) == b"half an ans"
                client.sendall(b"go on")
                with pytest.raises(ConnectionResetError):
                    client.recv(100)
            assert "reset" in complaint(process)
            assert interrupt(process) == ("stopped\n", "")

    def test_no_server_there(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        with running("proxy.py", *to(address)) as (process, proxy):
            with connect(proxy) as client, pytest.raises(ConnectionError):
                client.recv(100)
            assert "refused" in complaint(process)
            assert interrupt(process) == ("stopped\n", "")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--listen", "8000", "--to", "localhost:1"), "'8000' is not HOST:PORT"),
            (("--listen", "127.0.0.1:0", "--to", "localhost:1", "--tls-connect", "/nowhere.pem"), "No such file"),
        ],
    )
    def test_says_what_is_wrong_with_its_arguments(self, run_program: Run, arguments: tuple[str, ...], words: str):
        done = run_program(EXAMPLES / "proxy.py", *arguments, check=False)
        assert done.returncode == 2
        assert words in done.stderr
