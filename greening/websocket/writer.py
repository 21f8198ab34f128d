"""The way out: frames of several green threads, one after the other, each of them whole.

A sender that is killed, or times out, before it is its turn has sent nothing. A frame that was begun is finished, by
the next sender or by what looks after the connection: the compression of later messages builds on it. After half a
frame that cannot be finished nothing is sent any more: the peer would take it for the other half.
"""

import errno
from collections.abc import Callable
from socket import MSG_DONTWAIT, MSG_MORE
from ssl import SSLWantReadError, SSLWantWriteError
from typing import Any

from greening._core.current import current
from greening._core.poller import IN, OUT
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
        broken: nothing can be sent any more; what was sent last may be half a frame.
        control: control frames that go out as soon as no other frame is being sent.
        tls: the socket is one of TLS.
    """

    __slots__ = ("broken", "control", "tls", "_sock", "_timeout", "_lock", "_rest", "_next", "_wants")

    def __init__(self, sock: Any, timeout: float | None = None) -> None:
        self.broken = False
        self.control: list[bytes] = []
        self.tls = hasattr(sock, "do_handshake")
        self._sock = sock
        self._timeout = timeout
        self._lock = Lock()
        self._rest: Any = b""  # of a frame that was begun
        self._next: Any = b""  # its payload, while the rest is of its head
        self._wants = OUT  # what has to come before more can be sent

    @property
    def busy(self) -> bool:
        """A green thread is sending."""
        return self._lock.locked()

    @property
    def behind(self) -> bool:
        """There is something to be sent, and no green thread is at it."""
        return bool(self._rest or self.control) and not self._lock.locked()

    def send(self, make: Callable[..., Outgoing], *args: Any) -> None:
        """Send what `make(*args)` returns, which is called when it is its turn; what it raises goes to the caller.

        Raises:
            PeerStalledError: the peer took nothing for too long. Other OSErrors: the connection is lost. In both cases
            this is `broken`. TimeoutError: the socket's own time limit; the rest will follow.
        """
        with self._lock:
            if self.broken:
                raise BrokenPipeError(errno.EPIPE, "a frame could not be finished: nothing can follow it")
            if self._rest:
                self._write()
            if self.control:
                self._send_control()
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
        if self.broken:
            return
        if len(self.control) >= _MAX_CONTROL:
            del self.control[0]
        self.control.append(frame)

    def offer(self, frame: bytes) -> None:
        """Send a control frame, as far as that can be without waiting; the rest follows later. It does not raise."""
        self.answer(frame)
        self.try_flush()

    def try_flush(self) -> None:
        """`flush`, whatever comes of it: see `behind` and `broken`."""
        try:
            self.flush()
        except OSError:
            pass

    def flush(self) -> None:
        """Finish what was begun, and send the control frames, without waiting, unless a sender is at it.

        Raises:
            BlockingIOError: it would have to wait. Other OSErrors: the connection is lost.
        """
        if (self.control or self._rest) and self._lock.acquire(False):
            try:
                if self._rest:
                    self._write(False)
                self._send_control(False)
            finally:
                self._lock.release()

    def await_room(self) -> None:
        """Park until `flush` may get on. Others may send meanwhile. The socket's own time limit does not count.

        Raises:
            PeerStalledError: the peer took nothing for too long. Other OSErrors: the socket was closed.
        """
        self._await(self._limit())

    def give_up(self) -> None:
        """Send nothing any more. No green thread may be at it."""
        self.broken = True
        self._rest = self._next = b""
        self.control.clear()

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
        except (TimeoutError, BlockingIOError, SSLWantReadError, SSLWantWriteError):
            raise
        except OSError:
            self.give_up()
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
        except (SSLWantReadError, SSLWantWriteError) as error:
            self._wants = IN if isinstance(error, SSLWantReadError) else OUT
            raise BlockingIOError from None

    def _await_room(self) -> None:
        sock = self._sock
        own, limit = deadline_of(sock), self._limit()
        if limit is None or (own is not None and own <= limit):
            wait_socket(sock, OUT, own)
            return
        self._await(limit)

    def _limit(self) -> float | None:
        """Absolute hub time, in seconds, until which the peer has to take something."""
        return None if self._timeout is None else current().hub.now() + self._timeout

    def _await(self, limit: float | None) -> None:
        """Park until there is room, or `limit` (absolute hub time, seconds) has passed."""
        try:
            wait_socket(self._sock, self._wants, limit)
        except TimeoutError:
            raise self._stalled() from None

    def _stalled(self) -> PeerStalledError:
        return PeerStalledError(errno.ETIMEDOUT, f"the peer took nothing for {self._timeout} seconds")
