"""eventlet.event."""

from greening.sync.event import NOT_SENT as NOT_USED
from greening.sync.event import Event

__all__ = ["NOT_USED", "Event"]
