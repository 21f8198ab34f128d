"""Instruments that are asked for by variables of the environment. Imported with `greening`, if one of these is set.

    GREENING_DEBUG=1         keep the places of spawns, as `greening.debug.keep_places()` does
    GREENING_INSPECT=1       let `python -m greening dump PID` look into the program, as `--inspect` does
    GREENING_DUMP=SIGUSR2    write the stacks of all green threads to standard error when the signal comes
    GREENING_WATCH=0.1       tell which green thread keeps all others from running for 0.1 s, as `--watch 0.1` does

A variable that makes no sense is told on standard error, and the program goes on: it may come from elsewhere.
"""

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final


def _use(module: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module(f"greening.debug.{module}"), name)
    return function


def _debug(value: str) -> None:
    if value != "0":
        _use("places", "keep_places")()


def _inspect(value: str) -> None:
    if value != "0":
        _use("inspector", "inspect")()


def _dump(value: str) -> None:
    if value != "0":
        _use("dumping", "dump_on")(value)


def _watch(value: str) -> None:
    if value != "0":
        _use("watchdog", "watch_by")(value)


VARIABLES: Final[dict[str, Callable[[str], object]]] = {
    "GREENING_DEBUG": _debug,
    "GREENING_DUMP": _dump,
    "GREENING_INSPECT": _inspect,
    "GREENING_WATCH": _watch,
}


def start(environment: Mapping[str, str]) -> None:
    """Start the instruments that `environment` asks for.

    Thread-safety: call it in the main thread, which alone may set signal handlers.
    """
    for name, begin in VARIABLES.items():
        value = environment.get(name)
        if not value:
            continue
        try:
            begin(value)
        except (ValueError, OSError) as error:
            sys.stderr.write(f"greening: {name}={value}: {error}\n")


start(os.environ)
