"""What is measured. `marks` holds the highest wanted ratio greening/peer; a missed mark is printed, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `options` are for the family that measures it."""

    name: str
    title: str
    family: str
    unit: str
    options: Mapping[str, float | str] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    without: tuple[str, ...] = ()  # peers of the family for which this row means nothing
    slow: bool = False  # and steady: a third of the rounds will do


REQUEST = "us of CPU per request"
CALL = "us of CPU each"

ROWS: tuple[Row, ...] = (
    Row("echo-1", "TCP echo 64 B, 1 connection", "echo", REQUEST, {"connections": 1}),
    Row(
        "echo-100",
        "TCP echo 64 B, 100 connections",
        "echo",
        REQUEST,
        {"connections": 100},
        {"gevent": 0.8, "eventlet": 0.4},
    ),
    Row(
        "echo-100-timeout",
        "TCP echo 64 B, 100 connections, settimeout(30)",
        "echo",
        REQUEST,
        {"connections": 100, "timeout": 30},
        {"gevent": 0.8, "eventlet": 0.4},
        without=("c",),
    ),
    Row("echo-1000", "TCP echo 64 B, 1,000 connections", "echo", REQUEST, {"connections": 1000}, {"gevent": 1.0}),
    Row("spawn", "spawn + wait", "green", CALL, {"loop": "spawn_wait"}, {"gevent": 1 / 6, "eventlet": 1 / 6}),
    Row("switch", "sleep(0) among 100", "green", CALL, {"loop": "switch"}, {"gevent": 1.0}),
    Row("switch-alone", "sleep(0), nobody else runnable", "green", CALL, {"loop": "switch_alone"}),
    Row("queue", "Queue(1) ping-pong, there and back", "green", CALL, {"loop": "queue_ping_pong"}, {"gevent": 1.0}),
    Row("semaphore", "with Semaphore, free", "green", CALL, {"loop": "semaphore_free"}),
    Row("semaphore-fought", "with Semaphore, 10 want it", "green", CALL, {"loop": "semaphore_fought"}),
    Row("timeout", "Timeout start + cancel", "green", CALL, {"loop": "timeout"}),
    Row("thread", "patched Thread start + join", "patched", CALL, {"loop": "thread"}),
    Row("lock", "patched with Lock", "patched", CALL, {"loop": "lock"}),
    Row("rlock", "patched with RLock", "patched", CALL, {"loop": "rlock"}),
    Row("local", "patched threading.local get", "patched", CALL, {"loop": "local_get"}),
    Row(
        "subprocess",
        'patched subprocess.run(["true"])',
        "patched",
        "us elapsed each",
        {"loop": "subprocess_run", "clock": "elapsed"},
    ),
    Row("startup", "start-up: import + monkey_patch", "startup", "ms of CPU", {}, {"gevent": 1.0}),
    Row(
        "idle-10000",
        "10,000 idle connections",
        "memory",
        "KiB resident per connection",
        {"connections": 10_000},
        {"gevent": 1.0},
        slow=True,
    ),
)
