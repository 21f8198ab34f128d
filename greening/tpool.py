"""Native threads for what cannot be made green: `greening.tpool`, with eventlet's names.

    from greening import tpool

    digest = tpool.execute(slow_c_function, data)
    connection = tpool.Proxy(driver.connect(...), autowrap=(driver.Cursor,))

The number of threads is 20, or what the environment variable GREENING_THREADPOOL_SIZE says; they are started when
they are needed and leave when they have nothing to do. Names are looked up in threads of their own, so that stuck
look-ups leave these alone.

Beware of calls that wait for one another: queries that wait for a row which is locked, and the COMMIT that would free
it. While all threads wait and none computes, the pool gets more of them, up to GREENING_THREADPOOL_MAX (200).
Beyond that, and after `set_num_threads`, such calls wait for ever: have as many threads as connections.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from greening.threads.native import execute, killall, set_num_threads

if TYPE_CHECKING:
    from greening.threads.proxy import Proxy

__all__ = ["Proxy", "execute", "killall", "set_num_threads", "setup"]


def setup() -> None:
    """Do nothing: threads are started when they are needed. Kept for programs that were written for eventlet."""


def __getattr__(name: str) -> Any:
    if name == "Proxy":  # not before it is asked for: it brings wrapt, which brings 170 modules
        value = globals()[name] = import_module("greening.threads.proxy").Proxy
        return value
    raise AttributeError(f"module 'greening.tpool' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
