"""The stdlib's own callables, bound once, before anything is patched.

Law of this file: it binds by name every stdlib callable that greening calls and that may be patched, so that patching
never changes greening itself. It imports nothing that a user could want to import for the first time after patching
(`threading`, `logging`, `ssl`, `subprocess`, `asyncio`).
"""

import _signal
import _socket
import _thread
import builtins
import gc
import os
import select as _select
import sys
import time
from typing import TypeVar, cast

T = TypeVar("T")


def _type_of(module: str, name: str, found: T) -> T:
    """`found`, or the type of that name if another library has put something that is no type in its place."""
    kinds = () if type(found) is type else type.__subclasses__(object)
    return cast(T, next((kind for kind in kinds if (kind.__module__, kind.__name__) == (module, name)), found))


gc_is_enabled = gc.isenabled
gc_enable = gc.enable
gc_disable = gc.disable

is_finalizing = sys.is_finalizing

monotonic = time.monotonic
thread_time = time.thread_time
time_sleep = time.sleep

allocate_lock = _thread.allocate_lock
get_ident = _thread.get_ident
get_native_id = _thread.get_native_id
start_new_thread = _thread.start_new_thread
thread_count = _thread._count
current_frames = sys._current_frames
LockType = _type_of("_thread", "lock", _thread.LockType)
RLock = _type_of("_thread", "RLock", _thread.RLock)
real_local = _type_of("_thread", "_local", _thread._local)
interrupt_main = _thread.interrupt_main

select = _select.select
poll = _select.poll
epoll = _type_of("select", "epoll", getattr(_select, "epoll", None))

builtin_open = builtins.open
os_open = os.open
os_read = os.read
os_write = os.write
os_readv = os.readv
os_writev = os.writev
os_close = os.close
os_pipe = os.pipe
os_eventfd = getattr(os, "eventfd", None)
os_pread = os.pread
os_lseek = os.lseek
os_stat = os.stat
os_fstat = os.fstat
os_isatty = os.isatty
os_get_blocking = os.get_blocking
os_set_blocking = os.set_blocking
os_getpgrp = os.getpgrp
os_kill = os.kill
os_exit = os._exit
getpid = os.getpid
strerror = os.strerror
os_sendfile = os.sendfile
waitpid = os.waitpid
waitid = os.waitid
wait3 = os.wait3
wait4 = os.wait4

getsignal = _signal.getsignal
set_signal = _signal.signal

raw_socket = _type_of("_socket", "socket", _socket.socket)
getaddrinfo = _socket.getaddrinfo
gethostbyname = _socket.gethostbyname
gethostbyname_ex = _socket.gethostbyname_ex
gethostbyaddr = _socket.gethostbyaddr
getnameinfo = _socket.getnameinfo
