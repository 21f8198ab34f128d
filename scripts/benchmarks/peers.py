"""Who is measured. A peer takes part in the families it names; `inside/<style>.py` is the adapter that drives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BASE = "greening"
FLOOR = "c"  # what the kernel alone costs on this machine


@dataclass(frozen=True, slots=True)
class Peer:
    """One library (or language) to compare with."""

    name: str
    about: str
    families: tuple[str, ...]
    style: str = ""  # module of `inside` that adapts it; "" = no adapter (C, unpatched Python)
    module: str = ""  # what the adapter imports
    requires: tuple[str, ...] = ()  # distributions for the environment
    probe: str = ""  # Python code that fails when the peer cannot be measured
    start: str = "pass"  # Python code whose process is the start-up row
    checkout: bool = False  # imported from this checkout instead of the environment
    environment: Mapping[str, str] = field(default_factory=dict)


GREEN = ("echo", "memory", "green", "patched", "startup")

PEERS: tuple[Peer, ...] = (
    Peer(
        BASE,
        "this checkout",
        GREEN,
        style="eventlet_style",
        module="greening",
        requires=("greenlet", "wrapt"),
        probe="import greening; greening.spawn",
        start="import greening; greening.monkey_patch()",
        checkout=True,
    ),
    Peer(
        "gevent",
        "greenlets on libev",
        GREEN,
        style="gevent_style",
        module="gevent",
        requires=("gevent",),
        probe="import gevent",
        start="from gevent import monkey; monkey.patch_all()",
    ),
    Peer(
        "eventlet",
        "greenlets on epoll",
        GREEN,
        style="eventlet_style",
        module="eventlet",
        requires=("eventlet",),
        probe="import eventlet",
        start="import eventlet; eventlet.monkey_patch()",
        # It announces its retirement on every import; the announcement is not what is measured.
        environment={"PYTHONWARNINGS": "ignore"},
    ),
    Peer("asyncio", "streams of the stdlib", ("echo", "memory"), style="asyncio_style", module="asyncio"),
    Peer(
        "uvloop",
        "asyncio streams on libuv",
        ("echo", "memory"),
        style="asyncio_style",
        module="uvloop",
        requires=("uvloop",),
        probe="import uvloop",
    ),
    Peer(FLOOR, "plain C on epoll, the floor", ("echo",)),
    Peer("python", "unpatched CPython", ("patched", "startup")),
)
