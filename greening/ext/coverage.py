"""coverage.py counts the lines of green threads without being told `concurrency = greenlet`.

Fact: its tracer in C keeps a stack of calls for each OS thread, unless it is told of greenlets; it loses count, and
lines after a wait seem not to have run.
Decision: a measurement that begins in a patched process is told, unless its configuration names another library of this
kind. One that began before (`coverage run -m greening`) cannot be told any more: standard error says what to set.
Not `thread` as well: with a tracer for each thread of `threading` it loses count again.
The core on `sys.monitoring` needs nothing of this: it counts lines, whichever greenlet runs them.
"""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from greening.ext.classes import patch_methods

OTHERS = frozenset(("greenlet", "gevent", "eventlet"))
TOO_LATE = (
    "greening: coverage began before the standard library was patched, and misses lines that run while green threads "
    "wait. Set `concurrency = greenlet` in its section [run], or start greening first: python -m greening -m "
    "coverage run ...\n"
)


def follow_greenlets(module: ModuleType) -> None:
    """`coverage.collector` has been imported."""
    running = [collector for collector in module.Collector._collectors if _needs_it(collector)]
    if running:
        sys.stderr.write(TOO_LATE)
    init = _telling(module.Collector.__init__)
    patch_methods(module, {"Collector": {"__init__": init}})


def _needs_it(collector: Any) -> bool:
    return _is_in_c(collector.core) and collector.concur_id_func is None


def _is_in_c(core: Any) -> bool:
    return bool(core.tracer_class.__name__ == "CTracer")


def _telling(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)

    @wraps(init)
    def init_of_greenlets(*args: Any, **kwargs: Any) -> None:
        given = signature.bind(*args, **kwargs)
        names = given.arguments["concurrency"]
        if _is_in_c(given.arguments["core"]) and OTHERS.isdisjoint(names):
            given.arguments["concurrency"] = ["greenlet", *(name for name in names if name != "thread")]
        init(*given.args, **given.kwargs)

    return init_of_greenlets
