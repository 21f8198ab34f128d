"""What greening.websocket raises."""

import errno

from greening.errors import GreeningError
from greening.websocket.exceptions import ConnectionClosedError, HandshakeError


def test_a_closed_connection_is_a_broken_pipe_that_says_how_it_was_closed() -> None:
    error = ConnectionClosedError(4001, "enough")
    assert isinstance(error, GreeningError) and isinstance(error, BrokenPipeError)
    assert (error.errno, error.code, error.reason) == (errno.EPIPE, 4001, "enough")
    assert str(error).endswith("the WebSocket connection is closed: 4001 enough")


def test_a_connection_that_is_closing_has_no_code_yet() -> None:
    error = ConnectionClosedError()
    assert (error.code, error.reason) == (None, "")
    assert str(error).endswith("the WebSocket connection is closed")
    assert str(ConnectionClosedError(1006)).endswith("is closed: 1006")


def test_a_handshake_that_failed_is_a_connection_error_with_the_answer() -> None:
    error = HandshakeError("the server answers 403, not 101", 403, (("X", "y"),), b"no")
    assert isinstance(error, GreeningError) and isinstance(error, ConnectionError)
    assert (error.status, error.headers, error.body) == (403, (("X", "y"),), b"no")
    assert str(error) == "the server answers 403, not 101"
    silent = HandshakeError("no HTTP")
    assert (silent.status, silent.headers, silent.body) == (None, (), b"")
