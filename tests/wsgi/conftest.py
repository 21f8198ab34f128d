"""A server in this process, and a client that speaks raw bytes to it over a real socket."""

import json
import os
import re
import ssl
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from socket import AF_INET, AF_UNIX
from typing import Any

import pytest
import trustme

from greening.net.convenience import connect, listen
from greening.net.socket import GreenSocket
from greening.net.tls import GreenSSLSocket
from greening.testing import fake_time, settle
from greening.timeout import Timeout
from greening.wsgi.server import Server
from tests.wsgi.processes import APP, Command


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Says what it understood, as JSON."""
    body = environ["wsgi.input"].read()
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    told["body"] = body.decode("latin-1")
    data = json.dumps(told).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]


class Answer:
    """One response: status, fields by their names in small letters, body."""

    def __init__(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.status = status
        self.fields = fields
        self.body = body

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.body)


class Client:
    """A connection. Everything that it waits for comes within seconds, or the test fails."""

    def __init__(self, address: Any) -> None:
        self.sock: Any = connect(address, AF_UNIX if isinstance(address, str) else AF_INET)
        self.data = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def _more(self) -> bool:
        with Timeout(20):
            try:
                came = self.sock.recv(65536)
            except ConnectionResetError:
                return False
        self.data += came
        return bool(came)

    def until(self, mark: bytes) -> bytes:
        while mark not in self.data:
            assert self._more(), f"the connection ended before {mark!r}; there was {self.data!r}"
        found, _, self.data = self.data.partition(mark)
        return found + mark

    def exactly(self, size: int) -> bytes:
        while len(self.data) < size:
            assert self._more(), f"the connection ended {size - len(self.data)} bytes too early"
        found, self.data = self.data[:size], self.data[size:]
        return found

    def rest(self) -> bytes:
        """All there is until the server closes."""
        while self._more():
            pass
        found, self.data = self.data, b""
        return found

    def answer(self, head_only: bool = False) -> Answer:
        head = self.until(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")[:-2]
        status = int(re.fullmatch(r"HTTP/1\.[01] (\d{3}) .*", line)[1])  # type: ignore[index]  # it matches
        fields = {}
        for one in lines:
            name, _, value = one.partition(": ")
            assert name.lower() not in fields, f"{name} twice"
            fields[name.lower()] = value
        if head_only or status in (100, 204, 304):
            return Answer(status, fields, b"")
        if "content-length" in fields:
            return Answer(status, fields, self.exactly(int(fields["content-length"])))
        if "transfer-encoding" in fields:
            body = b""
            while size := int(self.until(b"\r\n"), 16):
                body += self.exactly(size)
                assert self.exactly(2) == b"\r\n"
            assert self.exactly(2) == b"\r\n"
            return Answer(status, fields, body)
        return Answer(status, fields, self.rest())

    def ask(self, data: bytes) -> Answer:
        self.send(data)
        return self.answer()

    def get(self, path: str = "/") -> Answer:
        return self.ask(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())

    @property
    def is_closed(self) -> bool:
        """The server closes, and says nothing more before it does."""
        return self.rest() == b""

    def close(self) -> None:
        self.sock.close()


class Running:
    """A server that was started, and what it logs."""

    def __init__(self, app: Any, listener: GreenSocket, settings: dict[str, Any]) -> None:
        self.log = StringIO()
        self.server = Server(listener, app, **{"log": self.log, "log_output": False, **settings})
        self.server.start()
        self.address = self.server.address
        self.clients: list[Client] = []

    def connect(self) -> Client:
        client = Client(self.address)
        self.clients.append(client)
        return client

    def refuses(self, data: bytes, status: int = 400) -> None:
        """It answers with `status` and closes, and no application has seen anything."""
        client = self.connect()
        client.send(data)
        answer = client.answer()
        assert answer.status == status, (data, answer.body)
        assert answer.fields["connection"] == "close"
        assert client.is_closed

    def accepts(self, data: bytes) -> dict[str, Any]:
        """It lets one request in. Returns what `echo` said of it."""
        client = self.connect()
        answer = client.ask(data)
        assert answer.status == 200, (data, answer.body)
        return answer.told

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        with Timeout(20):
            self.server.stop(10)


Serve = Callable[..., Running]


@pytest.fixture
def jumping() -> Iterator[None]:
    """Time that jumps when everything waits: sleeps and deadlines take the order that they say, and no time.

    Name it in front of `serve`. Bytes that are on their way between two sockets get the 5 ms of `patience`.
    """
    with fake_time(patience=0.005):
        yield


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server, and of a client that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.sslsocket_class = GreenSSLSocket
    authority.configure_trust(client)
    return server, client


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server for an application, with settings of `Server`; it is stopped after the test."""
    running: list[Running] = []

    def start(app: Any = echo, *, listener: Any = None, **settings: Any) -> Running:
        one = Running(app, listener or listen(("127.0.0.1", 0), backlog=200), settings)
        running.append(one)
        return one

    yield start
    for one in running:
        one.stop()
    settle()


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
