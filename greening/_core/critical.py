"""Critical steps: while an OS thread is in one, no other OS thread is, and the garbage collector rests (is off).

Facts: the collector runs finalisers and weakref callbacks wherever an object is made (3.11) or between two
instructions (3.12 and later). A finaliser may wait for a lock, and other green threads run meanwhile. CPython's
`gc.disable` and `gc.enable` take 10 ns each.
Decision: every step that checks a queue of waiting tasks and then changes it runs under `with guard:`. The hub lets the
collector rest too, without taking the guard.

Law: the engine never waits in a critical step. User code may run in one (a comparison in a priority queue). If it
waits, `Task.park` gives the guard away for that time.
"""

from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any, Final, TypeVar

from greening._compiled import double
from greening._originals import RLock
from greening._originals import gc_disable as _disable
from greening._originals import gc_enable as _enable
from greening._originals import gc_is_enabled as _is_enabled


class _Collection:
    """How many critical steps and hubs let the collector rest, and whether the last one switches it on again."""

    __slots__ = ("resting", "was_enabled")

    def __init__(self) -> None:
        self.resting = 0
        self.was_enabled = False


_collection = _Collection()


@double
def pause_gc() -> None:
    """Switch the garbage collector off until `resume_gc` has been called as often as this. Thread-safe."""
    # In this order: another OS thread may run between any two calls.
    _collection.resting += 1
    if _is_enabled():
        _collection.was_enabled = True
        _disable()


@double
def resume_gc() -> None:
    """Undo one `pause_gc`. The last one switches the collector on, if it was on before."""
    _collection.resting -= 1
    if not _collection.resting and _collection.was_enabled:
        _collection.was_enabled = False
        _enable()


@double
def resume_gc_for_good() -> None:
    """Undo every `pause_gc`: in the child of a fork, and at the interpreter's end, its callers cannot."""
    _collection.resting = 0
    if _collection.was_enabled:
        _collection.was_enabled = False
        _enable()


@double
class Guard:
    """A re-entrant lock between OS threads. While it is held, the garbage collector rests."""

    __slots__ = ("_lock", "depth")

    def __init__(self) -> None:
        self._lock: Any = RLock()
        # How often its owner holds it. To other OS threads it says only that the guard is held.
        self.depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        if self.depth:
            self.depth += 1
            return
        self.depth = 1
        pause_gc()

    def __exit__(self, *exc_info: object) -> None:
        if self.depth > 1:
            self.depth -= 1
        else:
            self.depth = 0
            resume_gc()
        self._lock.release()

    def is_owned(self) -> bool:
        """Whether the calling OS thread is in a critical step."""
        return bool(self._lock._is_owned())

    def give_away(self) -> int:
        """Leave all critical steps of the calling OS thread, and return what `take_back` needs."""
        depth = self.depth if self._lock._is_owned() else 0
        for _ in range(depth):
            self.__exit__()
        return depth

    def take_back(self, depth: int) -> None:
        """Undo `give_away`."""
        for _ in range(depth):
            self.__enter__()

    def after_fork(self) -> None:
        """In the child of a fork: free it. An OS thread that held it is not here."""
        self._lock = RLock()
        self.depth = 0


# The engine's only guard.
guard: Final = Guard()


# Code in which a signal handler may not run at once: an error that it raised would leave a step half done.
#
# A decorator marks such functions. Steps under `guard` are such code, too. Module names play no part. Compiled
# functions need no mark: no handler runs in them.


T = TypeVar("T", bound="type | Callable[..., Any]")

_codes: set[CodeType] = set()


def uninterruptible(what: T) -> T:
    """Mark a function, or all methods of a class: a signal handler may not interrupt them."""
    members = vars(what).values() if isinstance(what, type) else (what,)
    for member in members:
        function = getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            _codes.add(function.__code__)
    return what


def is_uninterruptible(frame: FrameType | None) -> bool:
    """Whether the calling OS thread is in a critical step, or `frame`, its innermost, runs a marked function."""
    return guard.is_owned() or (frame is not None and frame.f_code in _codes)
