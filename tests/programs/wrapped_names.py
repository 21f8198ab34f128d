"""Names that another library has wrapped before monkey_patch(). argv[1]: in what."""

import asyncio
import functools
import os
import queue
import select
import selectors
import socket
import ssl
import subprocess
import sys
import threading
import time
from unittest.mock import Mock

import wrapt

WRAP = {
    "function": lambda real: lambda *args, **kwargs: real(*args, **kwargs),
    "wraps": lambda real: functools.wraps(real)(lambda *args, **kwargs: real(*args, **kwargs)),
    "partial": lambda real: functools.partial(real),
    "mock": lambda real: Mock(wraps=real),
    "wrapt": lambda real: wrapt.FunctionWrapper(real, lambda wrapped, instance, args, kwargs: wrapped(*args, **kwargs)),
    "subclass": lambda real: type(real.__name__, (real,), {}) if isinstance(real, type) else real,
}
NAMES = {
    threading: "Condition Event Lock RLock Semaphore Timer Barrier _DummyThread get_ident local",
    queue: "Queue SimpleQueue LifoQueue",
    select: "select poll epoll",
    selectors: "DefaultSelector SelectSelector PollSelector EpollSelector",
    socket: "socket create_connection getaddrinfo socketpair",
    ssl: "SSLContext SSLSocket create_default_context",
    subprocess: "Popen run",
    asyncio: "BaseEventLoop run new_event_loop",
    time: "sleep monotonic",
    os: "read write waitpid fork",
}

wrappers = []
for module, names in NAMES.items():
    for name in names.split():
        real = getattr(module, name)
        if sys.argv[1] == "subclass" and name == "local":
            continue  # what is derived from it is adopted
        try:
            setattr(module, name, WRAP[sys.argv[1]](real))
        except TypeError:
            continue  # nothing can be derived from it
        wrappers.append((module, name, [getattr(module, name)]))  # in a list: names of modules are rebound

import greening

greening.monkey_patch()


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    return thread


ticks = []


def tick():
    while True:
        ticks.append(1)
        greening.sleep(0.001)


ticker = greening.spawn(tick)


def others_run(function):
    before = len(ticks)
    function()
    assert len(ticks) > before, function


def condition():
    changed = threading.Condition()

    def notify():
        greening.sleep(0.005)
        with changed:
            changed.notify()

    thread = in_thread(notify)
    with changed:
        assert changed.wait(10)
    thread.join()


def items():
    queued = queue.Queue()
    thread = in_thread(lambda: (greening.sleep(0.005), queued.put(1)))
    assert queued.get(timeout=10) == 1
    thread.join()


def sockets():
    ours, theirs = socket.socketpair()
    thread = in_thread(lambda: (greening.sleep(0.005), theirs.send(b"x")))
    ours.settimeout(10)
    assert ours.recv(1) == b"x"
    thread.join()
    ours.close()
    theirs.close()


def selected():
    read, write = os.pipe()
    with selectors.DefaultSelector() as selector:
        selector.register(read, selectors.EVENT_READ)
        thread = in_thread(lambda: (greening.sleep(0.005), os.write(write, b"x")))
        assert selector.select(10)
        thread.join()
    os.close(read)
    os.close(write)


for call in (
    condition,
    items,
    sockets,
    selected,
    lambda: time.sleep(0.005),
    lambda: subprocess.Popen(["sleep", "0.01"]).wait(),
    lambda: asyncio.run(asyncio.sleep(0.005)),
):
    others_run(call)

ticker.kill()
greening.unpatch()
for module, name, (wrapper,) in wrappers:
    assert getattr(module, name) is wrapper, (module, name)
