"""The fixtures of `tests/connections.py`, for the tests of this room, and a pair of sockets of the stdlib."""

import socket
from collections.abc import Iterator

import pytest

# ruff: noqa: F401  # pytest finds fixtures by name
from tests.connections import authority, client_context, ends, keep, listener, no_room, server_context, tcp


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets of the stdlib."""
    a, b = socket.socketpair()
    with a, b:
        yield a, b
