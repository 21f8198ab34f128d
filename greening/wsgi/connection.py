"""The bytes of a client's connection: how they are sent, and how it ends."""

from socket import SHUT_WR
from typing import Any

from greening._core.current import current
from greening._originals import raw_socket
from greening.net.idle import Idle
from greening.net.retry import DONTWAIT, change_timeout
from greening.net.sendfile import send_range
from greening.wsgi.body_reader import BLOCK
from greening.wsgi.limits import Limits

SLICE = 65536  # bytes of a response that one write timeout is for
_FIRST = 16384  # bytes of a long response that go with its head: a record of TLS

_send = raw_socket.send
_shutdown = raw_socket.shutdown


class Connection(Idle):
    """One connection, without what is said on it.

    Attributes:
        plain: bytes go to the descriptor as they are (no TLS). now: the hub's clock.
        taken: an application has taken it over. gone: the client has, or takes nothing any more.
        other_limit: the socket's time limit is not that for the next request.
    """

    __slots__ = ("limits", "sock", "plain", "taken", "gone", "now", "other_limit")

    def __init__(self, limits: Limits, sock: Any) -> None:
        super().__init__(limits.head_timeout)
        self.limits = limits
        self.sock = sock
        self.plain = not hasattr(sock, "do_handshake")
        self.taken = False
        self.gone = False
        self.other_limit = True
        self.now = current().hub.now

    def send(self, data: bytes | memoryview, flags: int = 0) -> None:
        """Send all of it, unless the connection was taken over.

        Raises:
            OSError: the client is gone, or takes nothing.
        """
        if self.taken:
            return
        try:
            if self.plain and len(data) <= SLICE:
                # Mostly there is room: a time limit is of use only where there is none.
                try:
                    sent = _send(self.sock, data, flags | DONTWAIT)
                except BlockingIOError:
                    sent = 0
                if sent == len(data):
                    return
                data = memoryview(data)[sent:]
            self._expect_write()
            with memoryview(data) as view:
                for start in range(0, len(view), SLICE):
                    with view[start : start + SLICE] as part:
                        self.sock.sendall(part, flags)
        except OSError:
            self.gone = True
            raise

    def send_parts(self, head: bytes, data: bytes, tail: bytes = b"") -> None:
        """Send all three, one after the other. `data`, which may be long, is not copied, however slowly it is read.

        Raises: as `send`.
        """
        if len(data) <= SLICE:
            self.send(b"".join((head, data, tail)))
            return
        with memoryview(data) as view:
            # The first bytes go with the head: it would be a packet, or a record of TLS, of its own.
            with view[:_FIRST] as first:
                self.send(b"".join((head, first)))
            with view[_FIRST:] as rest:
                self.send(rest)
        if tail:
            self.send(tail)

    def send_file(self, fd: int, offset: int, count: int) -> int:
        """Send `count` bytes of a file, fewer if it has fewer. Returns how many. Raises: OSError."""
        self._expect_write()
        try:
            return send_range(self.sock, fd, offset, count)
        except OSError:
            self.gone = True
            raise

    def take(self) -> Any:
        """The socket. It is the caller's from now on, without a timeout, and is closed when the application returns."""
        if not self.taken:
            self.taken = True
            self.sock.settimeout(None)
        return self.sock

    def _expect_write(self) -> None:
        self.other_limit = True
        change_timeout(self.sock, self.limits.write_timeout)

    def wait_at_most(self, seconds: float | None) -> None:
        """The next read's time limit. `settimeout` would be two system calls."""
        self.other_limit = True
        change_timeout(self.sock, None if seconds is None else max(seconds, 1e-3))

    def linger(self) -> None:
        """Send no more, and throw away what comes for a while: a reset would take the answer from the client."""
        now = self.now
        end = now() + self.limits.linger_timeout
        try:
            self.farewell()
            _shutdown(self.sock, SHUT_WR)
            while (left := end - now()) > 0:
                self.wait_at_most(left)
                if not self.sock.recv(BLOCK):
                    return
        except OSError:
            pass

    def farewell(self) -> None:
        """Send TLS's own end: without it, a body that ends with the connection might have been cut off."""
        if self.plain or self.gone or self.taken:
            return
        try:
            self.sock._sslobj.shutdown()
        except (OSError, AttributeError):  # it is sent, and the client's has not come yet; or the client is gone
            pass
