"""The way out: frames of several green threads, one after the other, each of them whole.

A sender that is killed, or times out, before it is its turn has sent nothing. A frame that was begun is finished,
perhaps by the next sender, or by a green thread that waits for a message: half a frame would end the connection, and
the compression of later messages builds on it.
"""

import errno
from collections.abc import Callable
from socket import MSG_DONTWAIT, MSG_MORE
from ssl import SSLWantReadError, SSLWantWriteError
from typing import Any

from greening._core.current import current
from greening._core.poller import OUT
from greening.net.retry import deadline_of, wait_socket
from greening.sync.lock import Lock
from greening.timeout import Timeout
from greening.websocket.masking import Outgoing

# Frames. A peer that asks faster than it listens gets answers to its latest questions (RFC 6455 5.5.3).
_MAX_CONTROL = 64
# Flags. Plain integers: `|` of the enum members is a Python call.
_NOW, _MORE = int(MSG_DONTWAIT), int(MSG_DONTWAIT | MSG_MORE)


class PeerStalledError(ConnectionError):
    """The peer takes nothing of what is sent to it."""


class FrameWriter:
    """Sends frames on a socket.

    Args:
        timeout: seconds that the peer may take nothing at all; None: no limit.
    Attributes:
        control: control frames that go out as soon as no other frame is being sent.
        tls: the socket is one of TLS.
    """

    __slots__ = ("control", "tls", "_sock", "_timeout", "_lock", "_rest", "_next")

    def __init__(self, sock: Any, timeout: float | None = None) -> None:
        self.control: list[bytes] = []
        self.tls = hasattr(sock, "do_handshake")
        self._sock = sock
        self._timeout = timeout
        self._lock = Lock()
        self._rest: Any = b""  # of a frame that was begun
        self._next: Any = b""  # its payload, while the rest is of its head

    @property
    def busy(self) -> bool:
        """A green thread is sending."""
        return self._lock.locked()

    def send(self, make: Callable[..., Outgoing], *args: Any) -> None:
        """Send what `make(*args)` returns, which is called when it is its turn; what it raises goes to the caller.

        Raises:
            PeerStalledError: the peer took nothing for too long; the frame is lost. Other OSErrors: the connection is.
            TimeoutError: the socket's own time limit; the rest will follow.
        """
        with self._lock:
            if self._rest:
                self._write()
            frame = make(*args)
            if type(frame) is tuple:
                self._rest, self._next = frame
            else:
                self._rest = frame
            self._write()
            if self.control:
                self._send_control()

    def answer(self, frame: bytes) -> None:
        """Put a control frame with those that go out as soon as possible."""
        if len(self.control) >= _MAX_CONTROL:
            del self.control[0]
        self.control.append(frame)

    def offer(self, frame: bytes) -> None:
        """Send a control frame, as far as that can be without waiting; the rest follows later. It does not raise."""
        self.answer(frame)
        self.try_flush(False)

    def try_flush(self, wait: bool = True) -> None:
        """`flush`, whatever comes of it: what came in is still to be read, and its end will show."""
        try:
            self.flush(wait)
        except OSError:
            pass

    def flush(self, wait: bool = True) -> None:
        """Finish what was begun, and send the control frames, unless a sender is at it.

        Raises:
            OSError: as `send`. BlockingIOError: it would have to wait.
        """
        if (self.control or self._rest) and self._lock.acquire(False):
            try:
                if self._rest:
                    self._write(wait)
                self._send_control(wait)
            finally:
                self._lock.release()

    def _send_control(self, wait: bool = True) -> None:
        while self.control:
            self._rest = self.control.pop(0)
            self._write(wait)

    def _write(self, wait: bool = True) -> None:
        """Send the rest. Keeps account of what has gone: a blocking `send` that is interrupted says nothing."""
        try:
            while True:
                while self._rest:
                    sent = self._send_some(self._rest, wait)
                    if sent == len(self._rest):
                        break
                    self._rest = memoryview(self._rest)[sent:]
                self._rest, self._next = self._next, b""
                if not self._rest:
                    return
        except (TimeoutError, BlockingIOError):
            raise
        except OSError:
            self._rest = self._next = b""
            raise

    def _send_some(self, data: Any, wait: bool) -> int:
        sock = self._sock
        if self.tls and not wait:
            return self._encrypt_now(data)
        if self.tls:  # sends a record at most, and does it again in the same way when it was interrupted
            with Timeout(self._timeout, self._stalled()):
                return sock.send(data)  # type: ignore[no-any-return]
        flags = _MORE if self._next else _NOW
        while True:
            try:
                return sock.send(data, flags)  # type: ignore[no-any-return]
            except BlockingIOError:
                if not wait:
                    raise
                self._await_room()

    def _encrypt_now(self, data: Any) -> int:
        """`send` of TLS parks. What OpenSSL wants to have repeated is repeated: it is the rest (see net/tls.py)."""
        engine = self._sock._sslobj
        if engine is None:
            raise OSError(errno.EBADF, "the session is over")
        try:
            return engine.write(data)  # type: ignore[no-any-return]
        except (SSLWantReadError, SSLWantWriteError):
            raise BlockingIOError from None

    def _await_room(self) -> None:
        sock = self._sock
        own = deadline_of(sock)
        limit = None if self._timeout is None else current().hub.now() + self._timeout
        if limit is None or (own is not None and own <= limit):
            wait_socket(sock, OUT, own)
            return
        try:
            wait_socket(sock, OUT, limit)
        except TimeoutError:
            raise self._stalled() from None

    def _stalled(self) -> PeerStalledError:
        return PeerStalledError(errno.ETIMEDOUT, f"the peer took nothing for {self._timeout} seconds")
