"""`threading`: the stdlib's own classes on green primitives.

`Thread`, `Condition`, `Event`, `Semaphore`, `Barrier` and `Timer` are the stdlib's Python code, and so are their
classes: existing instances and subclasses stay what they are. Replaced are the names that `threading` takes out of
`_thread`, `Condition.wait` (a waiter that is killed passes its notification on, and has the lock again), `_shutdown`,
and the making of `_DummyThread` (one that `threading` did not start is known to its task only: nothing leaks).

When `threading` was there before: real locks, the handles of real threads and the like are replaced wherever they are.
"""

import sys
import threading
from collections.abc import Callable, Collection
from functools import partial
from types import ModuleType
from typing import Any, TypeVar
from weakref import ref

from greening._core.critical import uninterruptible
from greening._core.fairness import fairness_tick
from greening._core.greenthread import GreenThread
from greening._core.parking_lot import ParkingLot
from greening._core.task import DEAD, Task
from greening._originals import LockType as RealLock
from greening._originals import RLock as RealRLock
from greening._originals import real_local, thread_count
from greening.errors import GreeningError, GreenletExit
from greening.patcher.introspect import ORIGINALS, is_made_by_keeper, is_module, module_dict
from greening.patcher.references import holders
from greening.patcher.spec import Patch, Undo
from greening.patches import _thread as green
from greening.sync.lock import Lock, RLock, acquire_uninterruptibly, check_timeout
from greening.threads import identity, locks
from greening.threads.adopt_local import adopt_class, adopt_local, derived_classes, return_class
from greening.threads.ending import ending_in_order
from greening.threads.giving_back import is_owned, threading_methods
from greening.threads.handle import (
    Handle,
    NativeHandle,
    StartedThread,
    make_thread_handle,
    start_joinable_thread,
    start_owned_thread,
)
from greening.threads.replace_existing import Replacer
from greening.threads.tracing import TracedThread

F = TypeVar("F", bound=Callable[..., object])

# Condition

# Before, `Condition.wait` took nan for a time that is over.
_REFUSES_NAN = sys.version_info >= (3, 15)


@uninterruptible
class _Waiter(ParkingLot):
    """What `notify` releases: a lot for one task, which remembers that it was notified."""

    __slots__ = ("notified",)

    def __init__(self) -> None:
        self.notified = False

    def release(self) -> None:
        """Called by `notify`, under the condition's lock."""
        # The look and the step are one: no call.
        if self.notified or (self and self[0].state == DEAD):
            raise RuntimeError("release unlocked lock")  # `notify` goes on to the next
        self.notified = True
        self.unpark()

    def wait_for(self, timeout: float | None) -> None:
        """Park until released, or for `timeout` seconds."""
        if timeout is not None:
            if timeout <= 0 if _REFUSES_NAN else not timeout > 0:
                return
            timeout = check_timeout(True, timeout)
        # First enter, then look: another OS thread may notify.
        task = self.enter()
        if self.notified:
            self.withdraw(task)
        else:
            self.wait(task, timeout)


@uninterruptible
def wait(self: Any, timeout: float | None = None) -> bool:
    """`Condition.wait`. A waiter that is interrupted takes the lock again before it goes, however often it is
    interrupted; when it had been notified, the next one is notified instead."""
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = _Waiter()
    self._waiters.append(waiter)
    saved = self._release_save()
    completed = False
    interruption: BaseException | None = None
    try:
        waiter.wait_for(timeout)
        completed = True
    finally:
        try:
            self._acquire_restore(saved)
        except GreeningError:
            raise
        except BaseException as error:  # noqa: BLE001  # raised when things are in order
            # A green RLock has been taken even now.
            again = None
            if not isinstance(self._lock, RLock):
                again = acquire_uninterruptibly(lambda: self._acquire_restore(saved))
            interruption = again or error
        if not waiter.notified:
            if waiter in self._waiters:  # no longer, when the condition was reset after fork
                self._waiters.remove(waiter)
        elif interruption is not None or not completed:
            self.notify()
        if interruption is not None:
            raise interruption
    return waiter.notified


# Ends


def _join_of(native: Callable[..., None]) -> Callable[..., None]:
    """`Thread.join` before 3.13, which takes no lock of a thread that is known to have ended."""

    def join(self: Any, timeout: float | None = None) -> None:
        fairness_tick()
        native(self, timeout)

    return _as_method(join, "Thread.join")


# Starting


def _kind() -> type[StartedThread]:
    hooked = threading._trace_hook or threading._profile_hook  # type: ignore[attr-defined]  # not in typeshed
    return TracedThread if hooked else StartedThread


def _start_new_thread(bootstrap: Callable[..., object], args: tuple[Any, ...], /) -> int:
    return start_owned_thread(bootstrap, args, _kind())


def _start_joinable_thread(
    function: Callable[..., object], handle: Handle | None = None, daemon: bool = True
) -> Handle:
    return start_joinable_thread(function, handle, daemon, _kind())


def _excepthook_maker(module: ModuleType) -> Callable[[], object]:
    """`_make_invoke_excepthook` of this copy of `threading`: the hook is not called for a thread that was killed."""
    make: Callable[[], Callable[[object], object]] = module._make_invoke_excepthook

    def _make_invoke_excepthook() -> object:
        return partial(_invoke_unless_killed, make())

    return _make_invoke_excepthook


def _invoke_unless_killed(invoke: Callable[[object], object], thread: object) -> None:
    if not isinstance(sys.exception(), GreenletExit):
        invoke(thread)


# Threads that threading did not start


def _as_method(func: F, name: str) -> F:
    """Name it as the method of `threading` that it is: a class is known by the module of its functions."""
    func.__module__ = "threading"
    func.__qualname__ = name
    func.__name__ = name.rpartition(".")[2]
    return func


def _dummy_methods(module: ModuleType) -> dict[str, object]:
    """Methods of `_DummyThread` of this copy of `threading`.

    A task has one dummy, which hangs on it. One that `_thread.start_new_thread` started is in `threading._active`, too,
    as long as it runs; other green threads, and greenlets that are not ours, may end unseen and are not.
    """
    threads: Any = module
    dummy_class: Any = threads._DummyThread
    native_init = dummy_class.__init__
    native_is_alive = dummy_class.is_alive
    native_join = dummy_class.join

    def new(cls: type) -> object:
        task = identity.green_task()
        found = _of_the_original(module) if task is None else task.thread_object
        return object.__new__(cls) if found is None else found

    def init(self: Any) -> None:
        if self._initialized:  # `new` has found it; `current_thread` in a green thread mostly does
            return
        task = identity.green_task()
        if task is None:
            native_init(self)
        else:
            _init_dummy(self, task, threads)

    def is_alive(self: Any) -> bool:
        task = self.__dict__.get("_green_task", _native)()
        return bool(native_is_alive(self)) if task is _native else task is not None and identity.is_alive(task)

    def join(self: Any, timeout: float | None = None) -> None:
        task = self.__dict__.get("_green_task", _native)()
        if isinstance(task, GreenThread):
            identity.join(task, timeout)
        elif task is not None:
            native_join(self, timeout)

    return {
        "__new__": staticmethod(_as_method(new, "_DummyThread.__new__")),
        "join": _as_method(join, "_DummyThread.join"),
        "__init__": _as_method(init, "_DummyThread.__init__"),
        "is_alive": _as_method(is_alive, "_DummyThread.is_alive"),
    }


def _of_the_original(module: ModuleType) -> object:
    """The running OS thread's object, if the unpatched copy of `threading` has started it, and a program has that."""
    original = sys.modules.get(ORIGINALS + "threading")
    return None if original in (None, module) else vars(original)["_active"].get(identity.get_ident())


def _native() -> object:
    return _native


def _init_dummy(self: Any, task: Task, threads: Any) -> None:
    started = isinstance(task, StartedThread)
    threads.Thread.__init__(self, name=threads._newname("Dummy-%d") if started else task.name, daemon=True)
    if not started:
        self._green_task = ref(task)
    self._started.set()
    self._set_ident()
    self._set_native_id()
    end = make_thread_handle(self._ident)
    for name in _HANDLE_NAMES:
        if hasattr(self, name):
            setattr(self, name, end)
    task.thread_object = self
    if isinstance(task, StartedThread):
        threads._active[self._ident] = self
        task.at_end = partial(_forget_dummy, threads, self._ident, end)


# Before 3.12.2, `threading` keeps dummies for ever, alive, and a program may look for one after its thread has ended.
# Here the last one is kept.
_kept_dummies: list[int] = []


def _forget_dummy(threads: Any, ident: int, end: Handle) -> None:
    end._set_done()
    if not hasattr(threads, "_DeleteDummyThreadOnDel"):
        _kept_dummies.append(ident)
        ident = _kept_dummies.pop(0) if len(_kept_dummies) > 1 else 0
    threads._active.pop(ident, None)


# 3.13; 3.14 and later.
_HANDLE_NAMES = ("_handle", "_os_thread_handle")


# When threading was there before, and back again


def _green_for(real: Any) -> Any:
    """The green one for a real lock or local. It keeps the real one, unless no other code can be using that."""
    if type(real) is real_local:
        return adopt_local(green._AdoptedLocal, real)
    if type(real) is RealLock:
        return locks.AdoptedLock(real)
    if thread_count() or real._is_owned():
        return locks.AdoptedRLock(real)
    return locks.RLock()


def _may_go_back(made: Any) -> bool:
    # The real one knows all that an adopted one knows, except which green thread of its OS thread owns an RLock.
    return not isinstance(made, locks.RLock) or not made.in_use()


def _adopt_classes(undo: Undo) -> None:
    """Classes that were derived from the real local; not those of private copies of modules, which are not patched."""
    for kind in derived_classes():
        module = sys.modules.get(kind.__module__)
        outermost = kind.__qualname__.partition(".")[0]
        of_a_copy = is_module(module) and outermost not in module_dict(module)
        if not of_a_copy and not is_made_by_keeper(kind) and adopt_class(kind):
            undo.add(partial(return_class, kind))


def _adopt_handles(undo: Undo) -> None:
    """Threads that run already can be joined without blocking the hub. Those that are not started yet will be green."""
    for thread in {*threading.enumerate(), *threading._dangling}:  # type: ignore[attr-defined]  # not in typeshed
        for name in _HANDLE_NAMES:
            real = vars(thread).get(name)
            if real is not None and type(real) is green.REAL.get("_ThreadHandle"):
                new = NativeHandle(real) if real.ident else Handle()
                setattr(thread, name, new)
                undo.add(partial(_return_handle, thread, name, real, new))


def _return_handle(thread: threading.Thread, name: str, real: object, new: Handle) -> None:
    if isinstance(new, NativeHandle) or not new.ident:
        setattr(thread, name, real)


def _return_names(names: Collection[str]) -> None:
    """Give back the names that `threading` has had green since its import."""
    for name, source in _NAMES.items():
        if name in names and getattr(threading, name, None) is _REPLACES.get(name, _native):
            setattr(threading, name, green.REAL[source])


class _History:
    """Attributes:
    late: there may be real things that must be replaced: `threading` was there before it was patched.
    undone: the same, although its locks are green: there has been an `unpatch()`.
    """

    __slots__ = ("late", "undone")

    def __init__(self) -> None:
        self.late = self.undone = False

    def undo(self) -> None:
        self.undone = True


HISTORY = _History()


def _after(imported_green: Collection[str], undo: Undo) -> None:
    lock = threading._active_limbo_lock  # type: ignore[attr-defined]  # not in typeshed
    HISTORY.late = HISTORY.undone or type(lock) is RealRLock
    undo.add(HISTORY.undo)
    undo.add(partial(_return_names, imported_green))
    if HISTORY.late:
        replacer = Replacer(holders, _green_for, (Lock, RLock))
        undo.add(partial(replacer.back, _may_go_back))
        replacer.run((RealLock, RealRLock, real_local))
        _adopt_classes(undo)
        _adopt_handles(undo)


# Name in `threading` -> where it comes from in `_thread`.
_NAMES = {
    "Lock": "allocate_lock" if sys.version_info < (3, 13) else "lock",
    "_LockType": "LockType",
    "_allocate_lock": "allocate_lock",
    "_CRLock": "RLock",
    "local": "_local",
    "get_ident": "get_ident",
    "_get_main_thread_ident": "_get_main_thread_ident",
    "_start_new_thread": "start_new_thread",
    "_start_joinable_thread": "start_joinable_thread",
    "_ThreadHandle": "_ThreadHandle",
    "_make_thread_handle": "_make_thread_handle",
    "_set_sentinel": "_set_sentinel",
    "_thread_shutdown": "_shutdown",
    "_set_name": "set_name",
}
_REPLACES = {
    name: green.PATCH.replaces[source]
    for name, source in _NAMES.items()
    if hasattr(threading, name) and source in green.PATCH.replaces
}
_STARTERS = {"_start_new_thread": _start_new_thread, "_start_joinable_thread": _start_joinable_thread}
_REPLACES.update((name, starter) for name, starter in _STARTERS.items() if name in _REPLACES)


_CONDITION: dict[str, object] = {
    "_is_owned": _as_method(is_owned, "Condition._is_owned"),
    "wait": _as_method(wait, "Condition.wait"),
}


def _bind(module: ModuleType) -> Patch:
    imported_green = frozenset(name for name, green in _REPLACES.items() if getattr(module, name, None) is green)
    methods = {"Condition": _CONDITION, "_DummyThread": _dummy_methods(module), **threading_methods(module)}
    if sys.version_info < (3, 13):
        methods["Thread"] = {"join": _join_of(module.Thread.join)}
    ends = {"_make_invoke_excepthook": _excepthook_maker(module), "_shutdown": ending_in_order(module._shutdown)}
    return Patch(
        target="threading",
        flag="thread",
        replaces={**_REPLACES, **ends},
        methods=methods,
        after=partial(_after, imported_green) if module is threading else None,
    )


PATCH = Patch(target="threading", flag="thread", replaces=_REPLACES, bind=_bind)
