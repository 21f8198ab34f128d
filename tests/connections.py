"""Sockets and certificates for the tests of this room. Everything is on loopback and closed at the end."""

import errno
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from greening._core.poller import EpollPoller
from greening.net.socket import GreenSocket
from tests.descriptors import Ends

Pair = tuple[GreenSocket, GreenSocket]


@pytest.fixture
def keep() -> Iterator[Callable[[Any], Any]]:
    """`keep(thing)` returns it, and closes it when the test ends."""
    with ExitStack() as stack:

        def keep_it(thing: Any) -> Any:
            stack.callback(thing.close)
            return thing

        yield keep_it


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The two ends of a pipe, reader and writer. A test may close them."""
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            pass


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[int]]:
    """`no_room("arm_edge", 2)`: the next two calls of that method of the poller fail, as for want of room in epoll.

    It returns the descriptors for which they did.
    """

    def refuse(name: str, times: int) -> list[int]:
        arm = getattr(EpollPoller, name)
        failed: list[int] = []

        def fail(self: EpollPoller, fd: int, *mask: int) -> None:
            if len(failed) < times:
                failed.append(fd)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            arm(self, fd, *mask)

        monkeypatch.setattr(EpollPoller, name, fail)
        return failed

    return refuse


@pytest.fixture
def listener(keep: Callable[[Any], Any]) -> GreenSocket:
    """Listens on 127.0.0.1."""
    sock: GreenSocket = keep(GreenSocket())
    sock.bind(("127.0.0.1", 0))
    sock.listen(8)
    return sock


@pytest.fixture
def tcp(listener: GreenSocket, keep: Callable[[Any], Any]) -> Pair:
    """A connection: (client, server)."""
    client: GreenSocket = keep(GreenSocket())
    client.connect(listener.getsockname())
    return client, keep(listener.accept()[0])


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Signs what the tests need, anew in every run."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """The context of a TLS server called `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    """The context of a client that trusts the authority, and no other one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context
