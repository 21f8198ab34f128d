"""eventlet.green.OpenSSL.SSL: `Connection` parks where OpenSSL wants to read or write; all else is pyOpenSSL's.

Source: pyOpenSSL's documentation of WantReadError and WantWriteError; SSL_get_error(3).
"""

import os
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL as _module

from greening._core.current import current
from greening._core.poller import IN, OUT
from greening._core.waiting import forget_fd, wait_fd

__all__ = ["Connection", "GreenConnection"]


class GreenConnection(_module.Connection):  # type: ignore[misc]  # pyOpenSSL need not be there
    """A `Connection` whose operations park. Args, results and errors are pyOpenSSL's; WantReadError is none of them.

    The descriptor of its socket is made non-blocking. The timeout of the socket counts for each operation.

    Raises:
        TimeoutError: the time of the socket's timeout has passed.
    """

    def __init__(self, context: Any, socket: Any = None) -> None:
        super().__init__(context, socket)
        self._patience: float | None = None
        if socket is not None:
            self._patience = socket.gettimeout()
            os.set_blocking(socket.fileno(), False)

    def _repeat(self, call: Callable[..., Any], *args: Any) -> Any:
        deadline = None if self._patience is None else current().hub.now() + self._patience
        while True:
            try:
                return call(*args)
            except _module.WantReadError:
                self._wait(IN, deadline)
            except _module.WantWriteError:
                self._wait(OUT, deadline)

    def _wait(self, mask: int, deadline: float | None) -> None:
        left = None if deadline is None else max(0.0, deadline - current().hub.now())
        if not wait_fd(self.fileno(), mask, left):
            raise TimeoutError("timed out")

    def settimeout(self, timeout: float | None) -> None:
        """Set the timeout of every later operation, in seconds; None: no limit."""
        self._patience = timeout

    def gettimeout(self) -> float | None:
        """The timeout in seconds, or None."""
        return self._patience

    def do_handshake(self) -> None:
        """Shake hands."""
        self._repeat(super().do_handshake)

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Read up to `bufsiz` decrypted bytes; b"" when the peer has said goodbye."""
        try:
            data: bytes = self._repeat(super().recv, bufsiz, flags)
        except _module.ZeroReturnError:
            return b""
        return data

    read = recv

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int | None = None) -> int:
        """As `recv`, into a buffer. Returns the number of bytes."""
        try:
            got: int = self._repeat(super().recv_into, buffer, nbytes, flags)
        except _module.ZeroReturnError:
            return 0
        return got

    def send(self, buf: Any, flags: int = 0) -> int:
        """Encrypt and send; returns the number of bytes of `buf` that were sent."""
        sent: int = self._repeat(super().send, buf, flags)
        return sent

    write = send

    def sendall(self, buf: Any, flags: int = 0) -> int:
        """Encrypt and send all of `buf`. Returns the number of its bytes."""
        with memoryview(buf) as view, view.cast("B") as data:
            sent = 0
            while sent < len(data):
                sent += self.send(bytes(data[sent : sent + 16384]), flags)
            return sent

    def shutdown(self) -> bool:
        """Say goodbye. Returns True if the peer has, too."""
        return bool(self._repeat(super().shutdown))

    def close(self) -> None:
        """Close the socket; green threads that wait in this connection get an error."""
        forget_fd(self.fileno())
        super().__getattr__("close")()

    def accept(self) -> tuple["GreenConnection", Any]:
        """Accept a connection on the underlying socket. Returns it, before its handshake, and the peer's address."""
        sock, address = super().__getattr__("accept")()
        connection = GreenConnection(self.get_context(), sock)
        connection.set_accept_state()
        return connection, address


Connection = GreenConnection


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
