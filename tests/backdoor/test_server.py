"""Which clients get a prompt, and what outlives what."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening.backdoor import backdoor, backdoor_server
from greening.net.convenience import listen
from greening.testing import wait_until_parked
from tests.backdoor.talking import TOKEN, Client


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_listener_that_other_machines_reach_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = listen((host, 0), family)
    except OSError:
        pytest.skip("no such addresses here")
    with listener:
        with pytest.raises(ValueError, match="allow_remote=True"):
            backdoor_server(listener)
        assert listener.fileno() >= 0
        thread = spawn(backdoor_server, listener, allow_remote=True)
        wait_until_parked(thread)
        kill(thread)
        assert listener.fileno() < 0


def test_unix_sockets_and_ipv6_loopback_are_fine(tmp_path: Path) -> None:
    for address, family in ((str(tmp_path / "sock"), socket.AF_UNIX), (("::1", 0), socket.AF_INET6)):
        try:
            listener = listen(address, family)
        except OSError:
            continue  # a machine without IPv6
        thread = spawn(backdoor_server, listener, token=None if family == socket.AF_UNIX else TOKEN)
        client = Client(listener.getsockname(), family)
        if family == socket.AF_UNIX:
            client.until()
        else:
            client.enter()
        assert client.ask("1") == "1\n"
        client.say("exit()")
        client.rest()
        client.sock.close()
        kill(thread)


def test_an_abstract_unix_socket_is_not_local_and_asks_for_a_token() -> None:
    with listen(f"\0greening-test-{os.getpid()}", socket.AF_UNIX) as listener:
        with pytest.raises(ValueError, match="a Unix socket with a path"):
            backdoor_server(listener)
        thread = spawn(backdoor_server, listener, allow_remote=True, token=TOKEN)
        client = Client(listener.getsockname(), socket.AF_UNIX)
        client.enter()
        assert client.ask("1") == "1\n"
        client.say("exit()")
        client.rest()
        client.sock.close()
        kill(thread)


def test_a_connection_that_its_acceptor_closes_is_the_prompts() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        connection, address = listener.accept()
        thread = backdoor((connection, address), {"x": 5}, token=TOKEN)
        connection.close()
        client.enter()
        assert client.ask("x") == "5\n"
        kill(thread)
        assert client.rest() == ""
        client.sock.close()


def test_a_server_that_is_killed_leaves_its_prompts_alone() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        thread = spawn(backdoor_server, listener, token=TOKEN)
        client = Client(listener.getsockname())
        client.enter()
        kill(thread)
        assert client.ask("1") == "1\n"
        client.say("exit()")
        client.rest()
        client.sock.close()


def test_ipv4_loopback_in_ipv6_is_local_and_other_families_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listener:
        def __init__(self, family: int, host: str) -> None:
            self.family = family
            self.host = host

        def getsockname(self) -> Any:
            return (self.host, 3000)

    served: list[Any] = []

    class Served:
        def __init__(self, sock: Any, handle: Any) -> None:
            self.address = sock.getsockname()
            served.append(sock.host)

        def serve_forever(self) -> None: ...

        def close(self) -> None: ...

    monkeypatch.setattr("greening.backdoor.server.StreamServer", Served)
    for family, host in (
        (socket.AF_INET, "127.1.2.3"),
        (socket.AF_INET6, "::ffff:127.0.0.1"),
        (socket.AF_INET6, "::1%lo"),
    ):
        backdoor_server(Listener(family, host))
    for family, host in (
        (socket.AF_INET6, "::ffff:10.0.0.1"),
        (socket.AF_INET6, "fe80::1%eth0"),
        (socket.AF_VSOCK, "127.0.0.1"),
    ):
        with pytest.raises(ValueError, match="would be open to other machines or containers"):
            backdoor_server(Listener(family, host))
    assert served == ["127.1.2.3", "::ffff:127.0.0.1", "::1%lo"]
