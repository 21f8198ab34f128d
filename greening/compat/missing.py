"""Names of eventlet that greening does not have, and what to do instead; and parameters that have other names.

Most are inner parts: of eventlet's loop, its parser of HTTP, its threads. No program among those that were counted uses
them. tests/compat/test_missing.py asks eventlet itself for all of its names, and finds each of them under the alias, or
here; docs/migrating-from-eventlet.md has the same tables.
"""

from typing import Final

_LOOP: Final = "an inner part of eventlet's loop; greening's loop is another, and is not derived from"
_ALARM: Final = "use debug.hub_blocking_detection(), which sets the alarm"
_NATIVE: Final = "an inner part of eventlet's native threads; use tpool.execute()"
_STDLIB_QUEUE: Final = "it is the standard library's class; use eventlet.queue"
_CONSOLE: Final = "greening.backdoor has prompts of its own; use backdoor_server() or backdoor()"
_CONSTANT: Final = "an inner constant; write it where you need it"
_CALLER: Final = "an inner part of eventlet's sockets; use the method of the socket"

_PARTS_OF_THE_LOOP: Final = (
    "MAX_EVENTS block_detect_post block_detect_pre close_one default_sleep do_poll fire_timers prepare_timers register "
    "run sleep_until squelch_exception squelch_generic_exception squelch_timer_exception timer_canceled wait".split()
)

# What stands for a module or a class holds for all that is in it.
MISSING: Final[dict[str, str]] = {
    "eventlet.zipkin": "use OpenTelemetry's instrumentation of your framework; it runs green",
    "eventlet.backdoor.FileProxy": _CONSOLE,
    "eventlet.backdoor.SocketConsole": _CONSOLE,
    **{
        f"eventlet.green.Queue.{kind}.{name}": _STDLIB_QUEUE
        for kind in ("Queue", "PriorityQueue", "LifoQueue")
        for name in ("resize", "putting", "getting")
    },
    "eventlet.green.select.get_fileno": "use the object's fileno()",
    "eventlet.green.ssl.green_create_default_context": "use eventlet.green.ssl.create_default_context()",
    "eventlet.green.thread.start_joinable_thread": "use start_new_thread(), or threading.Thread; Python 3.13 has it",
    "eventlet.greenio.base.GreenSocket.makeGreenFile": "use makefile()",
    "eventlet.greenio.base.SSL": "it stands in for pyOpenSSL where that is missing; import OpenSSL.SSL itself",
    "eventlet.greenio.base.socket_accept": _CALLER,
    "eventlet.greenio.base.socket_checkerr": _CALLER,
    "eventlet.greenio.base.socket_connect": _CALLER,
    **{
        f"eventlet.greenio.{name}": _CONSTANT
        for name in (
            *("base.BUFFER_SIZE", "base.greenpipe_doc"),
            *("py3.DEFAULT_BUFFER_SIZE", "py3.SOCKET_BLOCKING", "py3.greenpipe_doc"),
        )
    },
    "eventlet.greenpool.GreenMap.done_spawning": "GreenPool.starmap() makes the map; use a GreenPile to spawn",
    "eventlet.greenpool.GreenMap.spawn": "GreenPool.starmap() makes the map; use a GreenPile to spawn",
    "eventlet.hubs.hub.DebugListener": "use debug.hub_listener_stacks(True)",
    "eventlet.hubs.hub.alarm_handler": _ALARM,
    "eventlet.hubs.hub.alarm_itimer": _ALARM,
    "eventlet.hubs.hub.arm_alarm": _ALARM,
    "eventlet.hubs.hub.noop": "use hubs.hub.closed_callback",
    **{f"eventlet.hubs.hub.BaseHub.{name}": _LOOP for name in _PARTS_OF_THE_LOOP},
    "eventlet.hubs.selects.BAD_SOCK": _CONSTANT,
    "eventlet.hubs.pyevent": "greening has a hub of its own, on epoll",
    "eventlet.lock.Lock.balance": "use locked(), or a Semaphore",
    "eventlet.lock.Lock.bounded": "use locked(), or a BoundedSemaphore",
    "eventlet.patcher.SysModulesSaver": "use import_patched() or inject(), which restore sys.modules",
    "eventlet.queue.ItemWaiter": "an inner part of eventlet's queues; use Waiter",
    **{f"eventlet.support.greendns.EAI_{name}_ERROR": _CONSTANT for name in ("EAGAIN", "NODATA", "NONAME")},
    "eventlet.support.greendns.pkg": _CONSTANT,
    "eventlet.support.greendns.HostsResolver.LINES_RE": "an inner part of its parser",
    "eventlet.support.greendns.compute_expiration": "use the parameter `timeout` of udp() and tcp()",
    "eventlet.support.stacklesss": "use CPython",
    "eventlet.support.stacklesspypys": "use CPython",
    "eventlet.support.pylib": "use CPython",
    "eventlet.tpool.EXC_CLASSES": _CONSTANT,
    "eventlet.tpool.SYS_EXCS": _CONSTANT,
    "eventlet.tpool.proxy_call": "call the method of a tpool.Proxy",
    "eventlet.tpool.tpool_trampoline": _NATIVE,
    "eventlet.tpool.tworker": _NATIVE,
    "eventlet.websocket.RFC6455WebSocket.Message": "an inner part of eventlet's parser; use wait()",
    "eventlet.websocket.RFC6455WebSocket.UTF8Decoder": "an inner part of eventlet's parser; use wait()",
    **{
        f"eventlet.wsgi.{name}": _CONSTANT
        for name in ("ACCEPT_ERRNO", "ACCEPT_EXCEPTIONS", "BAD_SOCK", "BROKEN_SOCK", "RESPONSE_414")
    },
    "eventlet.wsgi.FileObjectForHeaders": "an inner part of eventlet's parser; set MAX_HEADER_LINE",
    "eventlet.wsgi.Server.log_message": "override HttpProtocol.log_message()",
}

_AS_STDLIB: Final = "as in the standard library, where most parameters have no names, or others"

# Functions and methods that take eventlet's arguments by position, and not all of them by eventlet's names. What stands
# for a module or a class holds for all that is in it.
PARAMETERS: Final[dict[str, str]] = {
    "eventlet.green": _AS_STDLIB,
    "eventlet.greenio": _AS_STDLIB,
    "eventlet.support.greendns": _AS_STDLIB,
    "eventlet.wsgi.Input": _AS_STDLIB,
    "eventlet.greenpool.GreenMap": "it is made by GreenPool.starmap() and imap()",
    "eventlet.hubs.hub": "the callback of a close is `mark_as_closed` everywhere; add() makes listeners",
    "eventlet.lock.Lock": "it takes no value at the start, and release() no argument, as in `threading`",
    "eventlet.semaphore.BoundedSemaphore": "release() takes no argument: eventlet ignores its `blocking`",
    "eventlet.semaphore.Semaphore": "release() takes no argument: eventlet ignores its `blocking`",
}
