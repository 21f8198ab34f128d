"""`_thread`: locks, thread identity, the starting of threads. All other thread modules are built on it.

Names are replaced where this Python version has them. `get_native_id`, `exit`, `error`, `stack_size` (of OS threads),
`_excepthook` and the rest stay: they are right for green threads as well. What differs between versions:

    up to 3.12   a lock is made by `allocate_lock` only; a thread's end opens its sentinel (`_set_sentinel`)
    from 3.13    `lock` is a class to be called; a thread has a handle (`_ThreadHandle`) and `_shutdown` joins it
    from 3.14    threads tell the system their names (`set_name`)
    from 3.15    `RLock` takes no arguments (see threads/locks)
"""

import _signal
import _thread
import importlib._bootstrap as _bootstrap
import os
import sys
from functools import partial
from typing import Any, NoReturn

from greening._core.current import current, get_hub
from greening._originals import LockType as RealLock
from greening._originals import RLock as RealRLock
from greening._originals import get_ident as native_ident
from greening._originals import getsignal
from greening._originals import interrupt_main as native_interrupt_main
from greening.patcher.spec import Patch, Undo
from greening.sync.local import local
from greening.threads import frames, handle, identity, locks
from greening.threads.adopt_local import AdoptedLocal

# As it was before patching: this file is imported by the patcher, before it patches.
REAL: dict[str, Any] = dict(vars(_thread))


# Locks


class _MadeByAllocateLock(type):
    """Forbids `type(lock)()`, as the C type does up to 3.12."""

    def __call__(cls, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__name__}' instances")

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, locks.lock)


class lock(locks.lock, metaclass=_MadeByAllocateLock):
    """`_thread.lock` up to 3.12."""

    __slots__ = ()
    __module__ = "_thread"


class _AllocateLock(partial[Any]):
    """Not a Python function: a function in a class would become a method there (`locktype = _thread.allocate_lock`)."""

    def __reduce__(self) -> str:  # a name, as of every function: managers pickle it
        return "allocate_lock"


LockType: type = lock if sys.version_info < (3, 13) else locks.lock
allocate_lock: Any = _AllocateLock(type.__call__, lock) if sys.version_info < (3, 13) else locks.lock


class _local(local):
    """`_thread._local`."""

    __slots__ = ()
    __module__ = "_thread"


class _AdoptedLocal(AdoptedLocal, _local):
    """In the place of a real one."""

    __slots__ = ()
    __module__ = "_thread"


_AdoptedLocal.__name__ = _AdoptedLocal.__qualname__ = _local.__name__


# Signals


def interrupt_main(signum: int = _signal.SIGINT, /) -> None:
    """Have the main thread act as if the signal had come. `_thread.interrupt_main`."""
    hub = get_hub() if native_ident() == identity.main_os_thread() else None
    in_green_thread = hub is not None and current() is not hub.main
    if in_green_thread and signum == _signal.SIGINT and getsignal(signum) is _signal.default_int_handler:
        # The C function would raise it in this green thread. Other handlers: see patches/signal.
        hub.raise_in_main(KeyboardInterrupt())  # type: ignore[union-attr]  # not None, see above
    else:
        native_interrupt_main(signum)  # type: ignore[arg-type]  # any number, for the error


# Names, as the system knows them (3.14 and later)


def set_name(name: str) -> None:
    """Name the thread for the system. The system does not know a green thread: its name stays in the process."""
    task = current()
    if isinstance(task, handle.StartedThread):
        if not isinstance(name, str):
            raise TypeError(f"set_name() argument 'name' must be str, not {type(name).__name__}")
        encoded = name.encode(sys.getfilesystemencoding(), "replace").split(b"\0", 1)[0]
        task.os_name = encoded[: getattr(_thread, "_NAME_MAXLEN", None)]
    elif task is task.hub.main:
        REAL["set_name"](name)


def _get_name() -> str:
    task = current()
    if isinstance(task, handle.StartedThread):
        return os.fsdecode(task.os_name)
    return str(REAL["_get_name"]())


def _shutdown() -> None:
    handle.shutdown()
    REAL["_shutdown"]()


# Import locks that exist already


def _adopt_import_locks(undo: Undo) -> None:
    """Imports that are under way go on under green locks: other tasks wait for them, or soon will.

    The owner of a module's lock is noted by its ident, which patching does not change.
    """
    for reference in list(vars(_bootstrap)["_module_locks"].values()):
        module_lock = reference()
        for name in ("lock", "wakeup"):
            real = getattr(module_lock, name, None)
            if type(real) is RealLock:
                setattr(module_lock, name, locks.AdoptedLock(real))
            elif type(real) is RealRLock:
                setattr(module_lock, name, locks.AdoptedRLock(real))
    identity.settle_home()
    frames.install(undo.add)


_GREEN: dict[str, object] = {
    "LockType": LockType,
    "lock": LockType,
    "allocate_lock": allocate_lock,
    "allocate": allocate_lock,
    "RLock": locks.RLock,
    "_local": _local,
    "get_ident": identity.get_ident,
    "_get_main_thread_ident": identity.get_main_thread_ident,
    "start_new_thread": handle.start_new_thread,
    "start_new": handle.start_new_thread,
    "start_joinable_thread": handle.start_joinable_thread,
    "_ThreadHandle": handle.Handle,
    "_make_thread_handle": handle.make_thread_handle,
    "_set_sentinel": handle.set_sentinel,
    "_shutdown": _shutdown,
    "_count": handle.count,
    "interrupt_main": interrupt_main,
    "set_name": set_name,
    "_get_name": _get_name,
}
for _green in _GREEN.values():
    if not isinstance(_green, type):
        _green.__module__ = "_thread"  # `threading.__all__`, for one, goes by it

PATCH = Patch(
    target="_thread",
    flag="thread",
    replaces={name: green for name, green in _GREEN.items() if hasattr(_thread, name)},
    after=_adopt_import_locks,
)
