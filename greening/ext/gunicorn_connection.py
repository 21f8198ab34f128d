"""A client's connection in the gunicorn worker: what it keeps its green thread waiting for, and how long it may.

Facts: gunicorn's parser reads bodies from `request.unreader.sock`, and its responses are written to the socket that was
given to `handle`. It has no time limit for either. An application that takes the socket over (`gunicorn.socket`) reads
it directly.
Decisions: a request's reader is wrapped for as long as the request lasts, so that the time for a body holds there
alone. The sockets are of classes that note when the worker waits for them. A connection is ended by shutdown(2) below
TLS, which wakes all that wait for it; they raise ECONNRESET or EPIPE, which gunicorn does not log as errors.
"""

import errno
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from time import monotonic
from typing import Any

from greening.net.idle import has_bytes
from greening.net.places import cut

# What a connection is doing.
WORKING = "working"  # the application runs
IDLE = "idle"  # it waits for a handshake, a request, or the rest of a request's head
BODY = "body"  # it waits for a request's body
WRITING = "writing"  # it waits for the client to take a response
TAKEN = "taken"  # it waits for what an application reads that has taken the socket over, as WebSockets do

_PIECE = 65536  # bytes of a response that have to be taken within the time for a write
_FILE_PIECE = 262144  # the same for sendfile(2)
# Seconds. A request that has kept the worker waiting for less is not given up for a newcomer.
_SLOW = 0.5


@dataclass(frozen=True)
class Patience:
    """How long a client may keep the worker waiting. Seconds, but for `body_rate`; 0: no limit.

    Attributes:
        head_timeout: for a request's head, where gunicorn's `--keep-alive` is 0. (Otherwise that is the limit.)
        body_timeout: the time that is spent in waiting for a request's body, in all.
        body_rate: bytes; each time so many have come, the body gets a second more.
        write_timeout: for the client to take anything of a response; 64 KiB, at most, count as one thing.
    """

    head_timeout: float = 10.0
    body_timeout: float = 30.0
    body_rate: float = 500.0
    write_timeout: float = 60.0

    @classmethod
    def of(cls, environ: Mapping[str, str], defaults: "Patience") -> "Patience":
        """Return `defaults`, changed by the variables GREENING_GUNICORN_HEAD_TIMEOUT and so on.

        Raises:
            ValueError: a variable is not a number, or negative.
        """
        values: dict[str, float] = {}
        for name in (field.name for field in fields(cls)):
            variable = f"GREENING_GUNICORN_{name.upper()}"
            text = environ.get(variable, "")
            try:
                values[name] = float(text) if text else getattr(defaults, name)
            except ValueError:
                raise ValueError(f"{variable}={text!r} is not a number") from None
            if not values[name] >= 0:
                raise ValueError(f"{variable}={text!r} is negative, or no number")
        return cls(**values)


class Connection:
    """What is known of one client.

    Attributes:
        state: one of the constants above.
        since: monotonic time from which on the client has kept the worker waiting, in the states that wait.
        ended: why the server has ended the connection; "": it has not.
    """

    __slots__ = ("ended", "kept", "since", "sock", "state")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.state = IDLE
        self.since = monotonic()
        self.kept = False  # a request has been served on it
        self.ended = ""

    def awaits(self, state: str, spent: float = 0.0) -> None:
        """Say that the client is waited for from now on, and has been for `spent` seconds before."""
        self.since = monotonic() - spent
        self.state = state

    def works(self) -> None:
        """Say that the client is not waited for."""
        self.state = WORKING
        self.kept = True

    def hang_up(self, why: str) -> None:
        """End the connection: what waits for it wakes up at once. Does not block."""
        self.ended = self.ended or why
        cut(self.sock)

    def overdue(self, now: float, patience: Patience, keepalive: float) -> str:
        """Return what the client has not done in time; "": nothing."""
        waited = now - self.since
        if self.state == WRITING and 0 < patience.write_timeout < waited:
            return "the client takes nothing of the response"
        if self.state == IDLE and not keepalive and 0 < patience.head_timeout < waited:
            return "no request came"
        return ""

    def rank(self, now: float) -> tuple[int, float] | None:
        """Where the connection stands among those that a newcomer may replace, lowest first; None: not among them."""
        if self.state == WORKING or self.ended:
            return None
        if self.state == IDLE:
            return (0 if self.kept and not has_bytes(self.sock) else 1), self.since
        return (2, self.since) if now - self.since > _SLOW else None


class BodySource:
    """Stands for the socket in a request's reader, and keeps the time for the body."""

    def __init__(self, sock: Any, connection: Connection, patience: Patience) -> None:
        self._sock = sock
        self._connection = connection
        self._patience = patience
        self._spent = 0.0
        self._came = 0

    def recv(self, size: int) -> bytes:
        """Receive some of a body.

        Raises:
            ConnectionResetError: the time is up, or the place was needed. OSError: as `socket.recv`.
        """
        connection = self._connection
        if not connection.ended:
            connection.awaits(BODY, self._spent)
            try:
                data: bytes = self._sock.recv(size)
            finally:
                self._spent = monotonic() - connection.since
                connection.works()
        if connection.ended:
            raise ConnectionResetError(errno.ECONNRESET, connection.ended)
        self._came += len(data)
        return data

    def overdue(self, now: float) -> bool:
        """Whether the client has had its time for the body."""
        limit, rate = self._patience.body_timeout, self._patience.body_rate
        if not limit or self._connection.state != BODY:
            return False
        return now - self._connection.since > limit + (self._came / rate if rate else 0)


class ClientSocket(socket.socket):
    """A client's socket, which notes when it keeps the worker waiting.

    Attributes:
        connection: what is known of the client.
    """

    connection: Connection

    @classmethod
    def of(cls, sock: socket.socket) -> "ClientSocket":
        """Take over an accepted connection. `sock` is not usable any more."""
        made = cls(sock.family, sock.type, sock.proto, fileno=sock.detach())
        made.connection = Connection(made)
        return made

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        if self.connection.state != WORKING:
            return super().recv(buflen, flags)
        data: bytes = self._noted(TAKEN, super().recv, buflen, flags)
        return data

    def send(self, data: Any, flags: int = 0) -> int:
        sent: int = self._noted(WRITING, super().send, data, flags)
        return sent

    def sendall(self, data: Any, flags: int = 0) -> None:
        with memoryview(data) as view, view.cast("B") as bytes_:
            for at in range(0, len(bytes_), _PIECE):
                self._noted(WRITING, super().sendall, bytes_[at : at + _PIECE], flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        total = 0
        while count is None or total < count:
            wanted = _FILE_PIECE if count is None else min(count - total, _FILE_PIECE)
            sent = self._noted(WRITING, super().sendfile, file, offset + total, wanted)
            total += sent
            if sent < wanted:
                break
        return total

    def _noted(self, state: str, call: Callable[..., Any], *args: Any) -> Any:
        connection = self.connection
        if connection.state == WRITING:  # a method of `ssl` that calls another
            return call(*args)
        if connection.ended:
            raise BrokenPipeError(errno.EPIPE, connection.ended)
        before, since = connection.state, connection.since
        connection.awaits(state)
        try:
            return call(*args)
        finally:
            connection.state, connection.since = before, since


class TlsClientSocket(ClientSocket, ssl.SSLSocket):
    """The same over TLS; `SSLContext.sslsocket_class`."""
