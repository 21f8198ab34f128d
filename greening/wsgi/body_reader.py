"""The bytes behind a head: first those that were read with it, then those of the socket."""

from collections.abc import Callable
from typing import Any

from greening.net.retry import change_timeout
from greening.wsgi.errors import BadBody
from greening.wsgi.limits import Limits
from greening.wsgi.request_head import FORBIDDEN

BLOCK = 65536


class BodyReader:
    """Reads a body for its decoder, and keeps the time for it.

    Args:
        sock: cooperative, with a timeout. now: the hub's clock.
        raw: bytes that were read already. at: where the body begins in them.
    """

    __slots__ = ("sock", "limits", "_now", "raw", "at", "_spent", "_came")

    def __init__(self, sock: Any, limits: Limits, now: Callable[[], float], raw: bytes, at: int) -> None:
        self.sock = sock
        self.limits = limits
        self._now = now
        self.raw = raw
        self.at = at
        self._spent = 0.0
        self._came = 0

    def some(self, size: int) -> bytes:
        """At least one byte and at most `size`. Raises: BadBody."""
        raw, at = self.raw, self.at
        if at < len(raw):
            self.at = min(at + size, len(raw))
            return raw[at : self.at] if self.at - at < len(raw) else raw
        return self._receive(min(size, BLOCK))

    def exactly(self, size: int) -> bytes:
        """`size` bytes. Raises: BadBody."""
        data = self.some(size)
        while len(data) < size:
            data += self.some(size - len(data))
        return data

    def line(self, limit: int) -> bytes:
        """The next line, without its end. Raises: BadBody, also for more than `limit` bytes."""
        seen = 0
        while True:
            end = self.raw.find(b"\r\n", self.at + max(0, seen - 1))
            if 0 <= end <= self.at + limit:
                line = self.raw[self.at : end]
                self.at = end + 2
                return line
            rest = self.raw[self.at :]
            seen = len(rest)
            if end >= 0 or seen > limit:
                raise BadBody(400, "line too long")
            if FORBIDDEN.search(rest):
                raise BadBody(400, "control characters between chunks")
            self.raw, self.at = rest, 0
            self.raw += self._receive(BLOCK)

    def _receive(self, size: int) -> bytes:
        """Read from the socket, within what is left of the time for the whole body."""
        limits, sock = self.limits, self.sock
        began = self._now()
        left = None
        if limits.body_timeout is not None:
            left = max(limits.body_timeout + self._came / limits.body_rate - self._spent, 1e-3)
        change_timeout(sock, left)
        try:
            data: bytes = sock.recv(size)
        except TimeoutError:
            raise BadBody(408, "the body comes too slowly") from None
        except OSError as error:
            raise BadBody(400, f"the client is gone: {error}") from error
        if not data:
            raise BadBody(400, "the body ends too early")
        self._spent += self._now() - began
        self._came += len(data)
        return data
