"""eventlet.tpool: calls in native threads."""

from greening.threads.native import execute, killall, set_num_threads
from greening.threads.proxy import Proxy
from greening.tpool import setup

__all__ = ["Proxy", "execute", "killall", "set_num_threads", "setup"]
