"""eventlet.green.builtin: the built-in functions, with an `open` that lets others run while it waits."""

import builtins
import importlib
from typing import Any

__all__ = ["file", "open"]

_module: Any = importlib.import_module("greening.green.io")

open = file = _module.open


def __getattr__(name: str) -> Any:
    return getattr(builtins, name)


def __dir__() -> list[str]:
    return sorted({*dir(builtins), *__all__})
