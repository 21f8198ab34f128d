"""Instruments: what runs, what waits, what blocks, and what to do about it."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import greenlet

from greening._compiled import why_not
from greening._core.current import get_hub
from greening.patcher.ledger import LEDGER

if TYPE_CHECKING:
    from greening.debug.auditing import audit
    from greening.debug.blocks import Block
    from greening.debug.dumping import dump
    from greening.debug.exposition import metrics
    from greening.debug.findings import Finding
    from greening.debug.inspector import inspect
    from greening.debug.numbers import stats
    from greening.debug.places import keep_places
    from greening.debug.profiler import Profile, profile
    from greening.debug.snapshot import stacks
    from greening.debug.tracer import Trace, trace
    from greening.debug.watchdog import Watch, watch

__all__ = [
    "Block",
    "Finding",
    "Profile",
    "Trace",
    "Watch",
    "audit",
    "dump",
    "info",
    "inspect",
    "keep_places",
    "metrics",
    "profile",
    "stacks",
    "stats",
    "trace",
    "watch",
]

# Instruments, imported when they are asked for: a program that does not use them pays nothing.
_LAZY = {
    "Block": "greening.debug.blocks",
    "Finding": "greening.debug.findings",
    "Profile": "greening.debug.profiler",
    "Trace": "greening.debug.tracer",
    "Watch": "greening.debug.watchdog",
    "audit": "greening.debug.auditing",
    "dump": "greening.debug.dumping",
    "inspect": "greening.debug.inspector",
    "keep_places": "greening.debug.places",
    "metrics": "greening.debug.exposition",
    "profile": "greening.debug.profiler",
    "stats": "greening.debug.numbers",
    "stacks": "greening.debug.snapshot",
    "trace": "greening.debug.tracer",
    "watch": "greening.debug.watchdog",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'greening.debug' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def info() -> dict[str, str]:
    """What is running: versions, the accelerator ("running", or why it does not), the poller, the patched flags, the
    plug-ins by their state.

    The calling OS thread gets a hub, if it has none.

    Thread-safety: call it in any OS thread.
    """
    return {
        "python": sys.version,
        "greenlet": greenlet.__version__,
        "accelerator": why_not or "running",
        "poller": type(get_hub().poller).__name__,
        "patched": ", ".join(sorted(LEDGER.flags)) or "nothing",
        "plug-ins": _plugins(),
    }


def _plugins() -> str:
    """The modules that plug-ins belong to: "active: psycopg2; waiting: grpc, zmq"."""
    states: dict[str, dict[str, None]] = {state: {} for state in ("active", "failed", "off", "waiting")}
    for plugin in LEDGER.plugins or ():
        states[plugin.state][plugin.module] = None
    return "; ".join(f"{state}: {', '.join(sorted(names))}" for state, names in states.items() if names) or "none"
