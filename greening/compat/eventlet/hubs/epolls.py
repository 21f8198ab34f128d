"""eventlet.hubs.epolls: one of the names for greening's hub.

`sleep` is here because programs replace it; greening's hub sleeps in its poller, and does not call it.
"""

from greening._originals import time_sleep as sleep
from greening.compat.eventlet.hubs.hub import BaseHub

__all__ = ["Hub", "is_available", "sleep"]


class Hub(BaseHub):
    """See `BaseHub`."""


def is_available() -> bool:
    """True: the name can be used."""
    return True
