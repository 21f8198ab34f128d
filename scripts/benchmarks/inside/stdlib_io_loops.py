"""The loops of the patched rows on processes, descriptors and names; imported after the patching."""

from __future__ import annotations

import select
import selectors
import socket
import subprocess
import threading
from collections.abc import Callable

Loop = Callable[[int], None]


def subprocess_run() -> Loop:
    """Start `true` and wait for it."""

    def loop(n: int) -> None:
        for _ in range(n):
            subprocess.run(["true"], check=True)

    return loop


def _ping_pong(make_wait: Callable[[socket.socket], Callable[[], object]]) -> Loop:
    """A byte there and back between two threads, each of which first waits for its end of a socket pair."""
    left, right = socket.socketpair()
    wait_left, wait_right = make_wait(left), make_wait(right)

    def answer(n: int) -> None:
        for _ in range(n):
            wait_right()
            right.send(right.recv(1))

    def loop(n: int) -> None:
        other = threading.Thread(target=answer, args=(n,), daemon=True)
        other.start()
        for _ in range(n):
            left.send(b"x")
            wait_left()
            left.recv(1)
        other.join()

    return loop


def select_select() -> Loop:
    """Both sides wait in select.select: two calls for each there and back."""

    def make(sock: socket.socket) -> Callable[[], object]:
        return lambda: select.select([sock], [], [])

    return _ping_pong(make)


def default_selector() -> Loop:
    """Both sides wait in a selector of their own."""

    def make(sock: socket.socket) -> Callable[[], object]:
        selector = selectors.DefaultSelector()
        selector.register(sock, selectors.EVENT_READ)
        return selector.select

    return _ping_pong(make)


def _look_up(host: str) -> Loop:
    def loop(n: int) -> None:
        for _ in range(n):
            assert socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)

    return loop


def dns_numeric() -> Loop:
    """An address that is one already."""
    return _look_up("127.0.0.1")


def dns_localhost() -> Loop:
    """A name out of /etc/hosts."""
    return _look_up("localhost")


LOOPS: dict[str, Callable[[], Loop]] = {
    make.__name__: make for make in (subprocess_run, select_select, default_selector, dns_numeric, dns_localhost)
}
