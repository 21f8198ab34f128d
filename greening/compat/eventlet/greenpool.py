"""eventlet.greenpool."""

from greening.pool.greenmap import GreenMap
from greening.pool.greenpile import GreenPile
from greening.pool.greenpool import GreenPool

__all__ = ["GreenMap", "GreenPile", "GreenPool"]
