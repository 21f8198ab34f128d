"""The fixtures of `tests/connections.py`, for the tests of this room."""

# ruff: noqa: F401  # pytest finds fixtures by name
from tests.connections import authority, client_context, ends, keep, listener, no_room, server_context, tcp
