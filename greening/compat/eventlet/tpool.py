"""eventlet.tpool: calls in native threads.

The names with an underscore, and `QUIET`, are those that programs read or set, though eventlet does not document them.
EVENTLET_THREADPOOL_SIZE is the number of threads, unless GREENING_THREADPOOL_SIZE says another one.
"""

import os
import sys
from types import ModuleType

from greening.threads.native import TPOOL, execute, killall, set_num_threads
from greening.threads.proxy import Proxy
from greening.tpool import setup

__all__ = ["Proxy", "execute", "killall", "set_num_threads", "setup"]


class _Module(ModuleType):
    """This module: the pool of threads has what programs take for variables of the module."""

    @property
    def _nthreads(self) -> int:
        """Threads at most."""
        return TPOOL.size

    @_nthreads.setter
    def _nthreads(self, value: int) -> None:
        TPOOL.resize(value)

    @property
    def _threads(self) -> list[int]:
        """One entry for each thread that has been started: they are started when they are needed."""
        return TPOOL.idents()

    @property
    def QUIET(self) -> bool:
        """True, the default: an exception of a call is raised in the caller, and not reported as well."""
        return not TPOOL.reports

    @QUIET.setter
    def QUIET(self, value: object) -> None:
        TPOOL.reports = not value


def take_size(name: str = "EVENTLET_THREADPOOL_SIZE") -> None:
    """Have as many threads as the environment variable says.

    Raises:
        ValueError: it is no number of threads.
    """
    text = os.environ.get(name)
    if text is None or "GREENING_THREADPOOL_SIZE" in os.environ:
        return
    try:
        TPOOL.resize(int(text))
    except ValueError:
        raise ValueError(f"{name}={text!r}: a number of threads is needed, 0 or more") from None


sys.modules[__name__].__class__ = _Module
take_size()
