"""eventlet.queue. `Full` and `Empty` are the standard library's."""

from queue import Empty, Full

from greening.sync.queue import LifoQueue, LightQueue, PriorityQueue, Queue

__all__ = ["Empty", "Full", "LifoQueue", "LightQueue", "PriorityQueue", "Queue"]
