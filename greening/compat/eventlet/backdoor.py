"""eventlet.backdoor: a Python prompt inside the process, over a socket."""

from greening.backdoor.server import backdoor, backdoor_server

__all__ = ["backdoor", "backdoor_server"]
