"""What is measured. A peer takes part in the families it names; `inside/<style>.py` is the adapter that drives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

BASE = "greening"
PURE = "greening-pure"  # the same without the accelerator
EARLIER = {BASE: "before", PURE: "before-pure"}  # the same two of the checkout that --against names
PLAIN = ("plain", "plain-pure")  # the same two without the instrument of the row
FLOOR = "c"  # what the kernel alone costs on this machine

ROOM = Path(__file__).resolve().parent
CHECKOUT = ROOM.parent.parent
NOTHING = ROOM / "inside" / "nothing.py"


@dataclass(frozen=True, slots=True)
class Peer:
    """One library (or language) to compare with."""

    name: str
    about: str
    families: tuple[str, ...]
    style: str = ""  # module of `inside` that adapts it; "" = no adapter (C)
    module: str = ""  # what the adapter imports
    loops: str = "green"  # module of `inside` that has its loops of the family "green"
    requires: tuple[str, ...] = ()  # distributions for the environment
    probe: str = ""  # Python code that fails when the peer cannot be measured
    start: tuple[str, ...] = ()  # arguments of the Python whose process is the row "startup"
    run: tuple[str, ...] = ()  # the same of the row "startup-run"
    checkout: Path | None = None  # imported from there instead of from the environment
    environment: Mapping[str, str] = field(default_factory=dict)


SERVERS = ("echo", "stream", "churn", "memory")
GREEN = (
    *SERVERS,
    *("green", "patched", "client", "driver", "celery", "patched-asyncio", "startup", "http", "latency"),
)
GREEN_WITH_WEBSOCKETS = (*GREEN, "websocket")
INSTRUMENTS = ("instruments",)

_GREENING = Peer(
    BASE,
    "this checkout",
    (*GREEN_WITH_WEBSOCKETS, *INSTRUMENTS),
    style="eventlet_style",
    module="greening",
    requires=("greenlet", "wrapt", "httptools"),
    probe="import greening; greening.spawn",
    start=("-c", "import greening; greening.monkey_patch()"),
    run=("-m", "greening", "-c", "pass"),
    checkout=CHECKOUT,
)

_PURE = replace(
    _GREENING,
    name=PURE,
    about="this checkout, its accelerator switched off",
    # Only where there is one: without it the peer above is the same.
    probe="import importlib.util, sys; "
    "sys.exit(None if importlib.util.find_spec('greening._accelerator') else 'no accelerator is built here')",
    environment={"GREENING_PURE": "1"},
)

PEERS: tuple[Peer, ...] = (
    _GREENING,
    _PURE,
    replace(_GREENING, name=PLAIN[0], about="this checkout, without the instrument", families=INSTRUMENTS),
    replace(_PURE, name=PLAIN[1], about="this checkout, pure, without the instrument", families=INSTRUMENTS),
    Peer(
        "gevent",
        "greenlets on libev",
        GREEN,
        style="gevent_style",
        module="gevent",
        requires=("gevent",),
        probe="import gevent",
        start=("-c", "from gevent import monkey; monkey.patch_all()"),
        run=("-m", "gevent.monkey", str(NOTHING)),
    ),
    Peer(
        "eventlet",
        "greenlets on epoll",
        GREEN_WITH_WEBSOCKETS,
        style="eventlet_style",
        module="eventlet",
        requires=("eventlet",),
        probe="import eventlet",
        start=("-c", "import eventlet; eventlet.monkey_patch()"),
        # It announces its retirement on every import; the announcement is not what is measured.
        environment={"PYTHONWARNINGS": "ignore"},
    ),
    Peer("asyncio", "streams of the stdlib", (*SERVERS, "green"), "asyncio_style", "asyncio", "coroutines"),
    Peer(
        "uvloop",
        "asyncio streams on libuv",
        (*SERVERS, "green"),
        style="asyncio_style",
        module="uvloop",
        loops="coroutines",
        requires=("uvloop",),
        probe="import uvloop",
    ),
    Peer(FLOOR, "plain C on epoll, the floor", SERVERS),
    Peer(
        "python",
        "unpatched CPython, on real threads",
        (*SERVERS, "patched", "client", "patched-asyncio", "startup", "latency", "celery"),
        style="threads_style",
        module="threading",
        start=("-c", "pass"),
        run=("-c", "pass"),
    ),
    Peer("granian", "WSGI server in Rust", ("http",), requires=("granian",), probe="import granian"),
    Peer("uvicorn", "ASGI on asyncio", ("http",), requires=("uvicorn", "httptools", "uvloop"), probe="import uvicorn"),
    Peer(
        "gunicorn",
        "WSGI server, workers of the class gthread",
        ("http",),
        requires=("gunicorn",),
        probe="import gunicorn",
    ),
    Peer(
        "websockets",
        "WebSocket server on asyncio",
        ("websocket",),
        requires=("websockets",),
        probe="import websockets.asyncio.server",
    ),
)


def with_earlier(peers: tuple[Peer, ...], checkout: Path) -> tuple[Peer, ...]:
    """Return `peers`, each of this checkout's followed by the same of the other `checkout`.

    Both are measured by the programs of this checkout, so a row that is new here can be compared, too.
    """
    found: list[Peer] = []
    for peer in peers:
        found.append(peer)
        if peer.name in EARLIER:
            found.append(replace(peer, name=EARLIER[peer.name], about=f"that of {checkout}", checkout=checkout))
    return tuple(found)
