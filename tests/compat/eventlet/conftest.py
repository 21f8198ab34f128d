"""A server of `eventlet.wsgi`, on greening, in this process; its clients speak raw bytes to it over real sockets."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.compat.eventlet import wsgi
from greening.errors import GreenletExit
from greening.net.convenience import listen
from greening.testing import settle
from greening.timeout import Timeout
from tests.wsgi.conftest import Answer, Client, echo

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


class Running:
    """A server that was started. `log` has what it says, `server` is its `Server`."""

    def __init__(self, app: Any, listener: Any, settings: dict[str, Any]) -> None:
        self.log = StringIO()
        self.address = listener.getsockname()
        self.clients: list[Client] = []
        self.thread = spawn(wsgi.server, listener, app, **{"log": self.log, **settings})
        sleep(0)

    def connect(self) -> Client:
        client = Client(self.address)
        self.clients.append(client)
        return client

    def ask(self, data: bytes) -> Answer:
        return self.connect().ask(data)

    def get(self, fields: bytes = b"") -> Answer:
        return self.ask(GET + fields + b"\r\n")

    def raw(self, data: bytes) -> bytes:
        """All that is answered until the server closes."""
        client = self.connect()
        client.send(data)
        return client.rest()

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        with Timeout(20), suppress(GreenletExit, OSError):
            kill(self.thread)
            self.thread.wait()


ServeEventlet = Callable[..., Running]


@pytest.fixture
def serve_eventlet() -> Iterator[ServeEventlet]:
    """Start `wsgi.server` for an application, with its arguments; it is stopped after the test."""
    running: list[Running] = []

    def start(app: Any = echo, *, listener: Any = None, **settings: Any) -> Running:
        one = Running(app, listener or listen(("127.0.0.1", 0)), settings)
        running.append(one)
        return one

    yield start
    for one in running:
        one.stop()
    settle()
