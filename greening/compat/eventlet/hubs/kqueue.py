"""eventlet.hubs.kqueue: a name for a hub of BSD systems. greening runs on Linux, and its own hub on epoll."""

from greening.compat.eventlet.hubs.hub import BaseHub

__all__ = ["Hub", "is_available"]


class Hub(BaseHub):
    """See `BaseHub`. `use_hub` refuses it."""


def is_available() -> bool:
    """False: the name cannot be used."""
    return False
