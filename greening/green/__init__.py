"""Green imports: `from greening.green import socket`, `import greening.green.urllib.request`, any pure-Python module.

What you get is a private copy that cooperates, while the rest of the process keeps the blocking module; see
`greening.import_patched`. In a process that `greening.monkey_patch()` has made green already you get the process's own
modules of the standard library: they are green.

`greening.green.x` and what `greening.green.y` has imported as `x` are one module. C extensions that block cannot be
made green by importing them from here, except those for which greening has a module of its own: `greening.green.zmq`.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from greening.integrations import GREEN_MODULES
from greening.patcher.isolation import green_space
from greening.patcher.ledger import LEDGER
from greening.patches import CATALOGUE

if TYPE_CHECKING:  # these have the types of the standard library; of any other name nothing is known
    import asyncio as asyncio
    import http as http
    import multiprocessing as multiprocessing
    import os as os
    import queue as queue
    import select as select
    import selectors as selectors
    import signal as signal
    import smtplib as smtplib
    import socket as socket
    import socketserver as socketserver
    import ssl as ssl
    import subprocess as subprocess
    import threading as threading
    import time as time
    import urllib as urllib
    import xmlrpc as xmlrpc

PREFIX = __name__ + "."


class _Finder:
    """Finds `greening.green.x` wherever `x` is importable."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, _Loader) if name.startswith(PREFIX) else None  # type: ignore[arg-type]


class _Loader:
    """Puts the green module where the import system looks for the module it asked us to fill."""

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        return None

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        alias = module.__name__
        name = alias.removeprefix(PREFIX)
        if name in GREEN_MODULES:
            sys.modules[alias] = importlib.import_module(GREEN_MODULES[name])
            return
        green = green_space(CATALOGUE).import_copy(name)
        _put(alias, green)
        if not hasattr(green, "__path__"):
            # `os.path` is not found by looking into a package `os`: `os` itself has put it into sys.modules.
            for inner in [key for key in sys.modules if key.startswith(name + ".")]:
                _put(PREFIX + inner, sys.modules[inner])


def _put(alias: str, green: ModuleType) -> None:
    sys.modules[alias] = green
    if sys.modules.get(alias.removeprefix(PREFIX)) is green:
        # The process's own module: green only until `unpatch()`.
        LEDGER.changes.steps.append(lambda: _forget(alias, green))


def _forget(alias: str, green: ModuleType) -> None:
    if sys.modules.get(alias) is green:
        del sys.modules[alias]
        globals().pop(alias.removeprefix(PREFIX), None)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return importlib.import_module(PREFIX + name)
    except ModuleNotFoundError as error:
        if error.name not in (name, PREFIX + name):
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: there is no module {name!r}") from None


sys.meta_path.insert(0, _Finder)
