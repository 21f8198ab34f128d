"""eventlet.green.thread: `greening.green._thread` by the name of Python 2, with a `Lock` that can be called."""

import importlib
from typing import Any, NoReturn

from greening._core.task import Task
from greening.errors import GreenletExit
from greening.sync.lock import Lock

__all__ = ["Lock", "LockType", "exit", "get_ident"]

_module: Any = importlib.import_module("greening.green._thread")

LockType = Lock


def get_ident(gr: Task | None = None) -> int:
    """The number of a green thread, for as long as the process lives. `gr`: the green thread; None: the running one."""
    return int(_module.get_ident()) if gr is None else gr.ident


def exit() -> NoReturn:
    """End the green thread, and not the program, whatever has started it.

    Raises:
        GreenletExit: always.
    """
    raise GreenletExit


def __getattr__(name: str) -> Any:
    return getattr(_module, name)


def __dir__() -> list[str]:
    return sorted({*dir(_module), *__all__})
