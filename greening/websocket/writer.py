"""The way out: frames of several green threads, one after the other, each of them whole.

A sender that is killed, or times out, before it is its turn has sent nothing. A frame that was begun is finished,
perhaps by the next sender, or by a green thread that waits for a message: half a frame would end the connection, and
the compression of later messages builds on it.
"""

from collections import deque
from collections.abc import Callable
from socket import MSG_DONTWAIT
from typing import Any

from greening._core.poller import OUT
from greening.net.retry import deadline_of, wait_socket
from greening.sync.lock import Lock

# Frames. A peer that asks faster than it listens gets answers to its latest questions (RFC 6455 5.5.3).
_MAX_PONGS = 64


class FrameWriter:
    """Sends frames on a socket.

    Attributes:
        pongs: frames that go out as soon as no other frame is being sent.
    """

    __slots__ = ("pongs", "_sock", "_tls", "_lock", "_rest")

    def __init__(self, sock: Any) -> None:
        self.pongs: deque[bytes | bytearray] = deque(maxlen=_MAX_PONGS)
        self._sock = sock
        self._tls = hasattr(sock, "do_handshake")
        self._lock = Lock()
        self._rest: Any = b""  # of a frame that was begun

    def send(self, make: Callable[..., bytes | bytearray], *args: Any) -> None:
        """Send what `make(*args)` returns, which is called when it is its turn; what it raises goes to the caller.

        Raises:
            OSError: the connection is lost. TimeoutError: the socket's own time limit; the rest will follow.
        """
        with self._lock:
            if self._rest:
                self._write(self._rest)
            self._write(make(*args))
            while self.pongs:
                self._write(self.pongs.popleft())

    def flush(self) -> None:
        """Finish what was begun, and send the pongs, unless a sender is at it.

        Raises:
            OSError: as `send`.
        """
        if (self.pongs or self._rest) and self._lock.acquire(False):
            try:
                self._write(self._rest)
                while self.pongs:
                    self._write(self.pongs.popleft())
            finally:
                self._lock.release()

    def _write(self, data: Any) -> None:
        """Keeps account of what has gone: a blocking `send` that is interrupted says nothing."""
        self._rest = data
        try:
            while self._rest:
                sent = self._send_some(self._rest)
                if sent == len(self._rest):
                    break
                self._rest = memoryview(self._rest)[sent:]
        except TimeoutError:
            raise
        except OSError:
            self._rest = b""
            raise
        self._rest = b""

    def _send_some(self, data: Any) -> int:
        sock = self._sock
        if self._tls:  # sends a record at most, and does it again in the same way when it was interrupted
            return sock.send(data)  # type: ignore[no-any-return]
        while True:
            try:
                return sock.send(data, MSG_DONTWAIT)  # type: ignore[no-any-return]
            except BlockingIOError:
                wait_socket(sock, OUT, deadline_of(sock))
