"""eventlet.green.thread: `greening.green._thread` by the name of Python 2, with a `Lock` that can be called."""

import importlib
from typing import Any

from greening.sync.lock import Lock

__all__ = ["Lock", "LockType"]

_module: Any = importlib.import_module("greening.green._thread")

LockType = Lock


def __getattr__(name: str) -> Any:
    return getattr(_module, name)


def __dir__() -> list[str]:
    return sorted({*dir(_module), *__all__})
