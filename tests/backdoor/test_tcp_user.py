"""Which user the kernel says is at the other end of a TCP connection."""

import os
import socket
import struct
from typing import Any

import pytest

from greening import tpool
from greening.backdoor.tcp_user import tcp_user_of


def ends(listening: int, host: str, client_family: int, reached: str) -> Any:
    """Server's end, client's end."""
    with socket.socket(listening) as listener:
        if listening == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, 0))
        listener.listen()
        client = socket.socket(client_family)
        client.connect((reached, listener.getsockname()[1]))
        return listener.accept()[0], client


@pytest.mark.parametrize(
    ("listening", "host", "client_family", "reached"),
    [
        (socket.AF_INET, "127.0.0.1", socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", socket.AF_INET, "127.0.0.2"),
        (socket.AF_INET6, "::1", socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::", socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET6, "::", socket.AF_INET6, "::ffff:127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", socket.AF_INET6, "::ffff:127.0.0.1"),
    ],
)
def test_a_process_of_this_user(listening: int, host: str, client_family: int, reached: str) -> None:
    ours, theirs = ends(listening, host, client_family, reached)
    with ours, theirs:
        assert tcp_user_of(ours) == os.geteuid()
        assert tcp_user_of(theirs) == os.geteuid()


def test_an_end_that_no_process_has_any_more_is_nobodys() -> None:
    """The kernel keeps it for a while, and says that it is root's."""
    ours, theirs = ends(socket.AF_INET, "127.0.0.1", socket.AF_INET, "127.0.0.1")
    with ours:
        theirs.sendall(b"exit()\n")
        theirs.close()
        assert tcp_user_of(ours) is None


def test_a_connection_that_was_reset_is_an_error() -> None:
    ours, theirs = ends(socket.AF_INET, "127.0.0.1", socket.AF_INET, "127.0.0.1")
    with ours:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(OSError):
            tcp_user_of(ours)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_process_of_another_user() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = os.fork()
        if child == 0:
            try:
                os.setuid(65534)
                with socket.socket() as sock:
                    sock.connect(listener.getsockname())
                    os._exit(len(sock.recv(1)))
            finally:
                os._exit(99)
        ours, _ = listener.accept()
        with ours:
            assert tcp_user_of(ours) == 65534
        assert tpool.execute(os.waitpid, child, 0) == (child, 0)
