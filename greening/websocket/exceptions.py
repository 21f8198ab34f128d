"""What greening.websocket raises."""

import errno

from greening.errors import GreeningError


class ConnectionClosedError(GreeningError, BrokenPipeError):
    """`send` or `ping` on a connection that is closed, or closing, from either side. Its errno is EPIPE.

    `wait` does not raise it: it returns None then.

    Attributes:
        code, reason: how it was closed, as `WebSocket.close_code` and `close_reason`.
    """

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        how = "" if code is None else f": {code} {reason}".rstrip()
        super().__init__(errno.EPIPE, f"the WebSocket connection is closed{how}")
        self.code = code
        self.reason = reason


class HandshakeError(GreeningError, ConnectionError):
    """`connect`: the server, or a proxy, answered, but not with a WebSocket connection, or a tunnel.

    Attributes:
        status: of its answer, e.g. 403; None: it was no answer in HTTP. headers: of its answer, (name, value).
        body: the first bytes of its answer's content, as many as came with the head.
    """

    def __init__(
        self, why: str, status: int | None = None, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers
        self.body = body
