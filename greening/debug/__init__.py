"""Instruments: what runs, what waits, what blocks, and what to do about it."""

import sys

import greenlet

from greening._compiled import why_not
from greening._core.current import get_hub
from greening.debug.findings import Finding, audit
from greening.patcher.ledger import LEDGER

__all__ = ["Finding", "audit", "info"]


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
