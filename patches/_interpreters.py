"""_interpreters (3.13 and later): code that runs in another interpreter of the process.

What blocks here: `exec`, `call`, `run_func` and `run_string` run that code in the calling OS thread, and so hold up all
its green threads. The code is not patched: it really blocks.
What we replace: those. The code runs in a native thread, and the caller parks. `concurrent.interpreters` and
`InterpreterPoolExecutor` (3.14 and later) are made of them.
What stays: making and destroying interpreters, which does not wait.
"""

import os
from collections.abc import Callable
from typing import Any

import _interpreters

from greening._builtin_method import ModuleSelf
from greening._core.current import current, hubless
from greening.patcher.spec import Patch
from greening.patches._thread import REAL
from greening.threads.handle import StartedThread
from greening.threads.native import NativePool

_home = ModuleSelf("_interpreters")
# It blocks no signals: what runs there may start child processes, which inherit the signal mask.
_pool = NativePool(1000)


def _under_name(name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run it under the thread's name, for which the code and tools like top(1) may ask (3.14 and later)."""
    before = REAL["_get_name"]()
    REAL["set_name"](name)
    try:
        return real(*args, **kwargs)
    finally:
        REAL["set_name"](before)


def _in_native_thread(name: str) -> Callable[..., Any]:
    real: Callable[..., Any] = getattr(_interpreters, name)

    def run(_: Any, /, *args: Any, **kwargs: Any) -> Any:
        if hubless():
            return real(*args, **kwargs)
        task = current()
        if isinstance(task, StartedThread) and task.os_name:
            return _pool.execute(_under_name, os.fsdecode(task.os_name), real, args, kwargs)
        return _pool.execute(real, *args, **kwargs)

    run.__name__ = name
    run.__doc__ = real.__doc__
    return _home.builtin(run)


PATCH = Patch(
    target="_interpreters",
    flag="thread",
    replaces={
        name: _in_native_thread(name)
        for name in ("exec", "call", "run_func", "run_string")
        if hasattr(_interpreters, name)
    },
)
