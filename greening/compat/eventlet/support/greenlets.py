"""eventlet.support.greenlets. `getcurrent` gives greening's task, as everywhere under this name."""

from greenlet import GreenletExit, greenlet

from greening._core.greenthread import getcurrent

__all__ = ["GreenletExit", "getcurrent", "greenlet"]
