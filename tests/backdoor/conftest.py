"""Prompts in this process."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.backdoor import backdoor_server
from greening.net.convenience import listen
from greening.timeout import Timeout
from tests.backdoor.talking import TOKEN, Client

Connect = Callable[[], Client]


@pytest.fixture
def server() -> Iterator[Callable[..., Connect]]:
    """Starts a server; what it returns opens a connection and reads up to the first prompt."""
    listener = listen(("127.0.0.1", 0))
    threads: list[Any] = []
    clients: list[Client] = []

    def start(names: dict[str, Any] | None = None) -> Connect:
        threads.append(spawn(backdoor_server, listener, names, token=TOKEN))

        def open_() -> Client:
            clients.append(Client(listener.getsockname()))
            clients[-1].enter()
            return clients[-1]

        return open_

    yield start
    for thread in threads:
        kill(thread)
    listener.close()  # one that was never served
    for client in clients:
        client.sock.close()
    with Timeout(20):
        while type(sys.stdin).__module__ == "greening.backdoor.streams":  # until the last prompt has seen that
            sleep(0)
