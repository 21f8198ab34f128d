"""What is measured. A missed mark is printed, never an error."""

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
    marks: Mapping[str, float] = field(default_factory=dict)  # peer -> the highest wanted ratio greening/peer
    pure: Mapping[str, float] = field(default_factory=dict)  # the same for greening-pure
    without: Mapping[str, str] = field(default_factory=dict)  # peers of the family that cannot do it -> why
    slow: bool = False  # and steady: a third of the rounds will do
    requires: tuple[str, ...] = ()  # distributions for the environment


REQUEST = "us of CPU per request"
CONNECTION = "us of CPU per connection"
MESSAGE = "us of CPU per message"
MEGABYTE = "us of CPU per MiB"
CALL = "us of CPU each"
THERE_AND_BACK = "us of CPU there and back"

KIB, MIB = 1 << 10, 1 << 20
LONG = 600  # seconds: while the other peers have their turn, connections are idle, and no timeout may fire

NO_TIMEOUT = {"c": "has no timeouts"}
FEW_THREADS = {"python": "not so many real threads"}
OURS_ALONE = dict.fromkeys(("gevent", "eventlet", "asyncio", "uvloop", "c", "python"), "is no instrument of its own")
ONE_TASK = {"asyncio": "has no pool", "uvloop": "has no pool"}
WATCHED = {"connections": 1, "variable": "GREENING_WATCH=0.1"}

ECHO = (
    Row("echo-1", "TCP echo 64 B, 1 connection", "echo", REQUEST, {"connections": 1}),
    Row(
        "echo-1-timeout",
        "TCP echo 64 B, 1 connection, settimeout",
        "echo",
        REQUEST,
        {"connections": 1, "timeout": LONG},
        without=NO_TIMEOUT,
    ),
    Row(
        "echo-100",
        "TCP echo 64 B, 100 connections",
        "echo",
        REQUEST,
        {"connections": 100},
        {"gevent": 0.45, "uvloop": 0.65, "c": 1.3},
        {"gevent": 0.8},
    ),
    Row(
        "echo-100-timeout",
        "TCP echo 64 B, 100 connections, settimeout",
        "echo",
        REQUEST,
        {"connections": 100, "timeout": LONG},
        without=NO_TIMEOUT,
    ),
    Row(
        "echo-1000",
        "TCP echo 64 B, 1,000 connections",
        "echo",
        REQUEST,
        {"connections": 1000},
        without=FEW_THREADS,
    ),
    Row(
        "echo-1000-timeout",
        "TCP echo 64 B, 1,000 connections, settimeout",
        "echo",
        REQUEST,
        {"connections": 1000, "timeout": LONG},
        without=NO_TIMEOUT | FEW_THREADS,
    ),
    Row(
        "echo-10000",
        "TCP echo 64 B, 10,000 connections",
        "echo",
        REQUEST,
        {"connections": 10_000},
        {"gevent": 0.55},
        {"gevent": 0.8},
        without=FEW_THREADS,
        slow=True,
    ),
    Row(
        "echo-10000-timeout",
        "TCP echo 64 B, 10,000 connections, settimeout",
        "echo",
        REQUEST,
        {"connections": 10_000, "timeout": LONG},
        without=NO_TIMEOUT | FEW_THREADS,
        slow=True,
    ),
    Row("tls-1", "TLS echo 64 B, 1 connection", "echo", REQUEST, {"connections": 1, "tls": 1}, requires=("trustme",)),
    Row(
        "tls-100",
        "TLS echo 64 B, 100 connections",
        "echo",
        REQUEST,
        {"connections": 100, "tls": 1},
        {"gevent": 0.8},
        {"gevent": 0.9},
        requires=("trustme",),
    ),
    Row(
        "tls-100-timeout",
        "TLS echo 64 B, 100 connections, settimeout",
        "echo",
        REQUEST,
        {"connections": 100, "tls": 1, "timeout": LONG},
        without=NO_TIMEOUT,
        requires=("trustme",),
    ),
    Row(
        "echo-1-watch", "TCP echo 64 B, 1 connection, GREENING_WATCH=0.1", "echo", REQUEST, WATCHED, without=OURS_ALONE
    ),
    Row("asyncio-echo", "asyncio streams, patched: echo 64 B, 100 connections", "patched-asyncio", REQUEST),
)

STREAM = (
    Row("receive-64k", "64 KiB messages, recv_into", "stream", MEGABYTE, {"job": "receive", "size": 64 * KIB}),
    Row("receive-1m", "1 MiB messages, recv_into", "stream", MEGABYTE, {"job": "receive", "size": MIB}),
    Row("send-64k", "64 KiB messages, sendall", "stream", MEGABYTE, {"job": "send", "size": 64 * KIB}),
    Row("send-1m", "1 MiB messages, sendall", "stream", MEGABYTE, {"job": "send", "size": MIB}),
    Row(
        "sendfile-1m",
        "1 MiB file, socket.sendfile",
        "stream",
        MEGABYTE,
        {"job": "sendfile", "size": MIB},
        without={"eventlet": "its sockets' sendfile raises ValueError", "uvloop": "has no loop.sendfile"},
    ),
    Row(
        "os-sendfile-1m",
        "1 MiB file, os.sendfile",
        "stream",
        MEGABYTE,
        {"job": "os_sendfile", "size": MIB},
        without={
            "gevent": "does not patch it: BlockingIOError where a socket is full",
            "eventlet": "does not patch it: BlockingIOError where a socket is full",
            "asyncio": "streams write by their transport only",
            "uvloop": "streams write by their transport only",
        },
    ),
)

CHURN = (
    Row("churn", "connect, one echo of 64 B, close", "churn", CONNECTION, {"size": 64}),
    Row("accept", "connect, close", "churn", CONNECTION, {"size": 0}),
    Row(
        "idle-10000",
        "10,000 idle connections",
        "memory",
        "KiB resident per connection",
        {"connections": 10_000},
        {"gevent": 0.75},
        without=FEW_THREADS,
        slow=True,
    ),
)

GREEN = (
    Row("spawn", "spawn + wait", "green", CALL, {"loop": "spawn_wait"}, {"gevent": 1 / 12}, {"gevent": 1 / 8}),
    Row("spawn-n", "spawn_n, 100 at a time", "green", CALL, {"loop": "spawn_forget"}),
    Row("switch", "sleep(0) among 100", "green", CALL, {"loop": "switch"}, {"gevent": 0.4}, {"gevent": 0.7}),
    Row("switch-alone", "sleep(0), nothing else runnable", "green", CALL, {"loop": "switch_alone"}),
    Row("timers", "sleep(0.001 to 0.005) in 500 green threads", "green", CALL, {"loop": "timers"}),
    Row("timeout", "Timeout start + cancel", "green", CALL, {"loop": "timeout"}),
    Row(
        "queue",
        "Queue(1) ping-pong",
        "green",
        THERE_AND_BACK,
        {"loop": "queue_ping_pong"},
        {"gevent": 0.5},
        {"gevent": 0.7},
    ),
    Row("semaphore", "with Semaphore, free", "green", CALL, {"loop": "semaphore_free"}),
    Row("semaphore-fought", "with Semaphore, 10 want it", "green", CALL, {"loop": "semaphore_fought"}),
    Row("imap", "imap of a pool of 100", "green", CALL, {"loop": "pool_imap"}, without=ONE_TASK),
)

NO_DEARER = {"python": 1.3}
PURE_NO_DEARER = {"gevent": 1.0}

PATCHED = (
    Row(
        "thread",
        "patched Thread start + join",
        "patched",
        CALL,
        {"loop": "thread"},
        {"gevent": 0.25},
        {"gevent": 0.4},
    ),
    Row("lock", "patched with Lock", "patched", CALL, {"loop": "lock"}, NO_DEARER, PURE_NO_DEARER),
    Row("rlock", "patched with RLock", "patched", CALL, {"loop": "rlock"}, NO_DEARER, PURE_NO_DEARER),
    Row("local", "patched threading.local get", "patched", CALL, {"loop": "local_get"}, NO_DEARER, PURE_NO_DEARER),
    Row("local-set", "patched threading.local set", "patched", CALL, {"loop": "local_set"}, NO_DEARER, PURE_NO_DEARER),
    Row("condition", "patched Condition ping-pong", "patched", THERE_AND_BACK, {"loop": "condition"}),
    Row("event", "patched Event ping-pong", "patched", THERE_AND_BACK, {"loop": "event"}),
    Row("queue-queue", "patched queue.Queue(1) ping-pong", "patched", THERE_AND_BACK, {"loop": "queue_queue"}),
    Row("simple-queue", "patched queue.SimpleQueue ping-pong", "patched", THERE_AND_BACK, {"loop": "simple_queue"}),
    Row("executor", "patched ThreadPoolExecutor(8).map", "patched", CALL, {"loop": "executor_map"}),
    Row(
        "subprocess",
        'patched subprocess.run(["true"])',
        "patched",
        "us elapsed each",
        {"loop": "subprocess_run", "clock": "elapsed"},
        {"python": 1.3},
    ),
    Row("select", "patched select.select ping-pong", "patched", THERE_AND_BACK, {"loop": "select_select"}),
    Row("selectors", "patched DefaultSelector ping-pong", "patched", THERE_AND_BACK, {"loop": "default_selector"}),
    Row("dns-numeric", 'patched getaddrinfo("127.0.0.1")', "patched", CALL, {"loop": "dns_numeric"}),
    Row("dns-localhost", 'patched getaddrinfo("localhost")', "patched", CALL, {"loop": "dns_localhost"}),
)

CLIENT = (
    Row(
        "urllib",
        "2,000 urllib.request GETs, 200 at a time",
        "client",
        REQUEST,
        {"loop": "urllib", "count": 2000},
        {"gevent": 0.8},
        {"gevent": 0.9},
        slow=True,
    ),
    Row(
        "requests",
        "2,000 requests GETs, 200 at a time",
        "client",
        REQUEST,
        {"loop": "requests", "count": 2000},
        slow=True,
        requires=("requests",),
    ),
)

NO_WRAPPER = dict.fromkeys(("gevent", "eventlet", "granian", "uvicorn"), "has no wsgi.file_wrapper")

HTTP = (
    Row(
        "http-hello",
        "HTTP/1.1 hello world, kept alive, 64 connections",
        "http",
        REQUEST,
        {"app": "hello", "connections": 64},
        {"gevent": 0.25, "eventlet": 0.25, "granian": 1.0, "uvicorn": 1.0},
    ),
    Row(
        "http-file",
        "HTTP/1.1 file of 1 MiB by wsgi.file_wrapper, 4 connections",
        "http",
        REQUEST,
        {"app": "file", "connections": 4},
        {"gunicorn": 1.0},
        without=NO_WRAPPER,
    ),
    Row(
        "http-slow-200",
        "HTTP/1.1, a fast client beside 200 that send their heads line by line",
        "http",
        "ms for an answer, 99 of 100",
        {"app": "hello", "slow": 200},
        without={"gunicorn": "eight threads cannot wait for 200 heads"},
    ),
    Row(
        "http-idle-10000",
        "HTTP/1.1, 10,000 idle connections, kept alive",
        "http",
        "KiB resident per connection",
        {"app": "hello", "connections": 10_000, "idle": 1},
        without={"granian": "works in a child", "gunicorn": "works in a child"},
        slow=True,
    ),
)

WEBSOCKET = (
    Row(
        "ws-echo-100",
        "WebSocket echo 64 B of text, 100 connections",
        "websocket",
        MESSAGE,
        {"app": "echo", "connections": 100},
        {"eventlet": 0.6, "websockets": 1.0},
        requires=("wsproto",),
    ),
    Row(
        "ws-idle-10000",
        "WebSocket, 10,000 idle connections, callbacks where there are any",
        "websocket",
        "KiB resident per connection",
        {"app": "callbacks", "connections": 10_000, "idle": 1},
        {"websockets": 0.4},
        slow=True,
        requires=("wsproto",),
    ),
    Row(
        "ws-idle-threads-2000",
        "WebSocket, 2,000 idle connections, handlers that wait",
        "websocket",
        "KiB resident per connection",
        {"app": "echo", "connections": 2000, "idle": 1},
        slow=True,
        requires=("wsproto",),
    ),
)

STARTUP = (
    Row("startup", "start-up: import + monkey_patch", "startup", "ms of CPU", {"way": "start"}, {"gevent": 1.0}),
    Row(
        "startup-run",
        "start-up: python -m X, an empty program",
        "startup",
        "ms of CPU",
        {"way": "run"},
        without={"eventlet": "has no command that runs a program"},
    ),
)

LATENCY = (
    Row(
        "os-thread-turns",
        "an OS thread that sleeps 0.5 ms between its turns, beside 20 echo pairs",
        "latency",
        "ms for a turn, mean",
        {"scene": "os_thread_turns"},
        {"gevent": 1.25},
        {"gevent": 1.25},
    ),
    Row(
        "pool-calls",
        "calls in the pool of OS threads, beside 20 echo pairs",
        "latency",
        "ms for a call, 99 of 100",
        {"scene": "pool_calls"},
    ),
    Row(
        "slices-echo",
        "echo beside a thread that says sleep(0) after every 20 ms of computing",
        "latency",
        "ms for an answer, median",
        {"scene": "echo"},
        slow=True,
    ),
    Row(
        "slices-timer",
        "a timer of 10 ms beside a thread that says sleep(0) after every 20 ms of computing",
        "latency",
        "ms late, median",
        {"scene": "timer_beside_slices"},
        slow=True,
    ),
    Row(
        "ready-timer",
        "a timer of 10 ms when 30 sockets are ready at once, with 20 ms of work each",
        "latency",
        "ms late",
        {"scene": "timer_beside_ready_sockets"},
        slow=True,
    ),
    Row(
        "exit",
        "the main thread ends while ten OS threads wait",
        "latency",
        "ms until the process has ended",
        {"scene": "exit"},
    ),
)

# greening's own instruments, against the same without them: see the peers "plain" and "plain-pure".
INSTRUMENTS = tuple(
    Row(
        f"trace-{number}",
        f"TCP echo 64 B, connections: {number}, while a trace is recorded",
        "instruments",
        REQUEST,
        {"connections": number, "trace": 1},
        {"plain": 1.05},
    )
    for number in (1, 100)
)

ROWS: tuple[Row, ...] = (*ECHO, *STREAM, *CHURN, *GREEN, *PATCHED, *CLIENT, *HTTP, *WEBSOCKET, *STARTUP, *LATENCY)
ROWS += INSTRUMENTS
