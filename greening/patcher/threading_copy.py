"""What it takes to execute the code of `threading` a second time in one process.

Up to Python 3.12 its body makes the main thread's end known by `_thread._set_sentinel()`. Called again, that would make
the running OS thread forget the lock that its joiners wait for. So the body gets an ordinary lock instead.

At exit the interpreter calls the `_shutdown` of the `threading` in `sys.modules`, which knows only its own threads; a
copy's non-daemon threads are waited for all the same, through `atexit`.
"""

import atexit
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from greening._originals import allocate_lock

_SENTINEL = "_set_sentinel"


@contextmanager
def quiet(name: str, load: Callable[[str], Any]) -> Iterator[None]:
    """Surround the execution of the body of module `name`; `load` gives the `_thread` it will import."""
    if name != "threading" or sys.version_info >= (3, 13):
        yield
        return
    thread = vars(load("_thread"))
    before = thread[_SENTINEL]
    thread[_SENTINEL] = allocate_lock
    try:
        yield
    finally:
        thread[_SENTINEL] = before


def finish(copy: ModuleType, load: Callable[[str], Any]) -> None:
    """Complete a copy of `threading` after its body has run. Any other module is left alone."""
    if copy.__name__ != "threading":
        return
    if sys.version_info < (3, 13):
        vars(copy)[_SENTINEL] = vars(load("_thread"))[_SENTINEL]
    # Looked up at exit: the patch of the copy may replace it.
    atexit.register(lambda: vars(copy)["_shutdown"]())
