"""eventlet.lock."""

from greening.sync.lock import Lock

__all__ = ["Lock"]
