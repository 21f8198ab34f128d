"""The ident of a green thread is given to the C library, which takes it for the address of a thread's record."""

import greening

greening.monkey_patch()

import _signal
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable

libc = ctypes.CDLL(None)
room = ctypes.create_string_buffer(4096)


def call(name: str, ident: int, *args: object) -> int:
    return int(getattr(libc, name)(ctypes.c_void_p(ident), *args))


def refused(function: Callable[..., object], *args: object) -> bool:
    try:
        function(*args)
    except OSError:
        return True
    return False


def ask_about(ident: int) -> None:
    """Everything that looks at another thread's record. What changes the calling thread is left out."""
    assert refused(time.pthread_getcpuclockid, ident)
    assert refused(_signal.pthread_kill, ident, 0)
    assert call("pthread_setname_np", ident, b"name") != 0
    assert call("pthread_getname_np", ident, room, ctypes.c_size_t(16)) != 0
    assert call("pthread_getschedparam", ident, ctypes.byref(ctypes.c_int()), room) != 0
    assert call("pthread_setschedprio", ident, 0) != 0
    assert call("pthread_kill", ident, 0) != 0
    call("pthread_getattr_np", ident, room)
    call("pthread_getaffinity_np", ident, ctypes.c_size_t(128), room)
    call("pthread_cancel", ident)


def run(target: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    return thread


def ask_about_myself() -> None:
    ask_about(threading.get_ident())


# A running thread, the first and a later one, and one that has ended.
ended = run(ask_about_myself)
for _ in range(3):
    ended = run(ask_about_myself)
assert ended.ident is not None
ask_about(ended.ident)

# A green thread that is not a Thread.
greening.spawn(ask_about_myself).wait()
ask_about(greening.spawn(int).ident)

# The main thread is a thread of the system.
assert time.clock_gettime(time.pthread_getcpuclockid(threading.get_ident())) > 0

# In a child of fork: the thread that forked, one from before, a new one.
child = os.fork()
if child == 0:
    try:
        ask_about(ended.ident)
        new = run(ask_about_myself)
        assert new.ident != ended.ident
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
