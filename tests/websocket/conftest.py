"""A WebSocket server in this process, and a client that speaks raw frames to it over a real socket."""

import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from socket import IPPROTO_TCP, SO_RCVBUF, SOL_SOCKET, TCP_NODELAY
from typing import Any

import pytest
import trustme

from greening.net.convenience import connect, listen
from greening.testing import fake_time, settle
from greening.timeout import Timeout
from greening.websocket.application import WebSocketWSGI
from greening.wsgi.server import Server
from tests.websocket.wire import CLOSE, FIN, echo, handshake


class Raw:
    """A connection. Everything that it waits for comes within seconds, or the test fails."""

    def __init__(self, address: Any) -> None:
        self.sock: Any = connect(address)
        self.data = b""
        self.sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 65536)  # so that a sender has to wait for us
        self.sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # so that nothing is kept back, which takes real time

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

    def exactly(self, size: int) -> bytes:
        parts, there = [self.data], len(self.data)
        while there < size:
            self.data = b""
            assert self._more(), f"the connection ended {size - there} bytes too early"
            parts.append(self.data)
            there += len(self.data)
        data = b"".join(parts)
        self.data = data[size:]
        return data[:size]

    def ask(self, request: bytes) -> tuple[int, dict[str, str]]:
        """Status and fields of the answer to a handshake."""
        self.send(request)
        while b"\r\n\r\n" not in self.data:
            assert self._more(), self.data
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(one.split(": ", 1) for one in lines)
        return int(line.split(" ")[1]), {name.lower(): value for name, value in fields.items()}

    def frame(self) -> tuple[int, bytes]:
        """First byte and payload of the next frame."""
        first, size = self.exactly(2)
        assert size < 128, "a server does not mask"
        if size == 126:
            (size,) = struct.unpack("!H", self.exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.exactly(8))
        return first, self.exactly(size)

    @property
    def closed_with(self) -> int | None:
        """The code of the close frame that comes next; nothing comes behind it but the connection's end."""
        first, payload = self.frame()
        assert first == FIN | CLOSE, (first, payload)
        self.sock.shutdown(1)
        while self._more():
            pass
        assert self.data == b""
        payload[2:].decode()
        return struct.unpack("!H", payload[:2])[0] if payload else None


class Running:
    """A server that was started."""

    def __init__(self, app: Any, settings: dict[str, Any]) -> None:
        self.log = StringIO()
        listener = listen(("127.0.0.1", 0), backlog=200)
        self.server = Server(listener, app, log=self.log, log_output=False, **settings)
        self.server.start()
        self.address = self.server.address
        scheme = "wss" if "ssl_context" in settings else "ws"
        self.url = f"{scheme}://127.0.0.1:{self.address[1]}"
        self.clients: list[Raw] = []

    def raw(self) -> Raw:
        client = Raw(self.address)
        self.clients.append(client)
        return client

    def open(self, *lines: str) -> Raw:
        """A connection that has been opened."""
        client = self.raw()
        status, _ = client.ask(handshake(*lines))
        assert status == 101
        return client

    def stop(self) -> None:
        for client in self.clients:
            client.sock.close()
        with Timeout(20):
            self.server.stop(10)


Serve = Callable[..., Running]


@contextmanager
def servers() -> Iterator[Serve]:
    """Start servers for handlers, with settings of `WebSocketWSGI`; `server`: those of `Server`."""
    running: list[Running] = []

    def start(handler: Any = echo, *, server: dict[str, Any] | None = None, **settings: Any) -> Running:
        app = handler if isinstance(handler, WebSocketWSGI) else WebSocketWSGI.configured(handler, **settings)
        one = Running(app, server or {})
        running.append(one)
        return one

    yield start
    for one in running:
        one.stop()
    settle()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """See `servers`."""
    with servers() as start:
        yield start


@pytest.fixture
def serve_in_fake_time() -> Iterator[Serve]:
    """The same on a hub whose time jumps when every green thread waits. A client waits for 20 seconds of it."""
    with fake_time(patience=0.02), servers() as start:
        yield start


@pytest.fixture
def contexts() -> Callable[[], tuple[ssl.SSLContext, ssl.SSLContext]]:
    def make() -> tuple[ssl.SSLContext, ssl.SSLContext]:
        authority = trustme.CA()
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(server)
        authority.configure_trust(client)
        return server, client

    return make
