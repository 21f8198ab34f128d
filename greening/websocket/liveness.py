"""Whether a connection is alive: what came when, and what follows from it. Plain data; times are absolute, in seconds.

Facts: bytes are read only while a green thread waits for a message. A peer whose pong lies unread is alive.
Decision: the number of unread bytes is looked at, too. One that grows, or has grown to a block, is a sign of life.
"""

from fcntl import ioctl
from math import inf
from struct import unpack
from termios import FIONREAD
from typing import Any

from greening.websocket._wsproto import CloseReason
from greening.websocket.settings import Settings

_BLOCK = 65536  # bytes: when so many are unread, the fault is with this side


class Liveness:
    """Of one connection.

    Args:
        settings: its limits. now: the time at which it was opened.
    Attributes:
        heard: when bytes came. moved: when a message went either way. begun: when the message, or frame, that is coming
            in began; None: there is none.
    """

    __slots__ = ("heard", "moved", "begun", "_pinged", "_unread", "_settings")

    def __init__(self, settings: Settings, now: float) -> None:
        self.heard = self.moved = now
        self.begun: float | None = None
        self._pinged: float | None = None  # when a ping was sent that was followed by nothing yet
        self._unread = 0
        self._settings = settings

    def verdict(self, now: float, unread: int) -> tuple[int, str] | None:
        """The code and the reason to end the connection with; None: it goes on. unread: bytes that wait to be read."""
        if unread > self._unread or unread >= _BLOCK:
            self.heard = now
        self._unread = unread
        settings = self._settings
        if self.begun is not None and now >= self.begun + _or_never(settings.message_timeout):
            return CloseReason.POLICY_VIOLATION, f"a message took more than {settings.message_timeout} seconds"
        if now >= self.moved + _or_never(settings.idle_timeout):
            return CloseReason.GOING_AWAY, f"no message for {settings.idle_timeout} seconds"
        if self._pinged is not None:
            if self.heard >= self._pinged:
                self._pinged = None
            elif now >= self._pinged + _or_never(settings.ping_timeout):
                return CloseReason.INTERNAL_ERROR, f"no answer to a ping for {settings.ping_timeout} seconds"
        return None

    def needs_ping(self, now: float) -> bool:
        """Whether to send a ping now. It counts as sent."""
        if self._pinged is not None or now < self.heard + _or_never(self._settings.ping_interval):
            return False
        if self._settings.ping_timeout is None:
            self.heard = now  # as good as an answer, which nobody will look for
        else:
            self._pinged = now
        return True

    def next_look(self) -> float:
        """When there is something to be decided, if nothing comes until then; infinite: never."""
        settings = self._settings
        due = self.moved + _or_never(settings.idle_timeout)
        if self.begun is not None:
            due = min(due, self.begun + _or_never(settings.message_timeout))
        if self._pinged is None:
            return min(due, self.heard + _or_never(settings.ping_interval))
        return min(due, self._pinged + _or_never(settings.ping_timeout))


def _or_never(seconds: float | None) -> float:
    return inf if seconds is None else seconds


def unread_bytes(sock: Any) -> int:
    """Bytes that a socket has received and nobody has read (tcp(7), FIONREAD)."""
    try:
        return unpack("i", ioctl(sock.fileno(), FIONREAD, b"\0\0\0\0"))[0]  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return 0
