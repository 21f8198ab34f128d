"""Critical steps: while one is under way, no other OS thread is in one, and the garbage collector rests.

Facts: the collector runs finalisers and weakref callbacks wherever an object is made (3.11) or between two
instructions (3.12 and later). A finaliser may wait for a lock, and other green threads run meanwhile. CPython's
`gc.disable` and `gc.enable` take 10 ns each.
Decision: `with guard:` stands around every step that looks at a queue of waiting tasks and changes it. The hub, which
nothing may interrupt, has the collector rest as well; it does not take the guard.

Law: nothing in a critical step waits. Code of a user's that runs there all the same (a comparison in a priority queue)
and waits gives the guard away meanwhile: see `Task.park`.
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
    """How many critical steps and hubs have the collector rest, and whether it is to be switched on again."""

    __slots__ = ("resting", "was_enabled")

    def __init__(self) -> None:
        self.resting = 0
        self.was_enabled = False


_collection = _Collection()


@double
def rest_collector() -> None:
    """Have the garbage collector rest until `wake_collector` was called as often. Thread-safe."""
    # In this order: another OS thread may run between any two calls.
    _collection.resting += 1
    if _is_enabled():
        _collection.was_enabled = True
        _disable()


@double
def wake_collector() -> None:
    """Undo one `rest_collector`."""
    _collection.resting -= 1
    if not _collection.resting and _collection.was_enabled:
        _collection.was_enabled = False
        _enable()


@double
def wake_collector_for_good() -> None:
    """In the child of a fork, and at the end: what had the collector rest stayed behind, and will not undo it."""
    _collection.resting = 0
    if _collection.was_enabled:
        _collection.was_enabled = False
        _enable()


@double
class Guard:
    """A re-entrant lock between OS threads that has the collector rest while it is held."""

    __slots__ = ("_lock", "depth")

    def __init__(self) -> None:
        self._lock: Any = RLock()
        # How often the owner has it. Read without owning it, it says that some OS thread does.
        self.depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        if self.depth:
            self.depth += 1
            return
        self.depth = 1
        rest_collector()

    def __exit__(self, *exc_info: object) -> None:
        if self.depth > 1:
            self.depth -= 1
        else:
            self.depth = 0
            wake_collector()
        self._lock.release()

    def is_owned(self) -> bool:
        """Whether the calling OS thread is in a critical step."""
        return bool(self._lock._is_owned())

    def give_away(self) -> int:
        """Leave all critical steps of the calling OS thread; returns what `take_back` needs."""
        depth = self.depth if self._lock._is_owned() else 0
        for _ in range(depth):
            self.__exit__()
        return depth

    def take_back(self, depth: int) -> None:
        """Undo `give_away`."""
        for _ in range(depth):
            self.__enter__()

    def after_fork(self) -> None:
        """In the child: other OS threads were in critical steps, and are not here."""
        self._lock = RLock()
        self.depth = 0


# The engine's one.
guard: Final = Guard()


# Where a signal handler may not run at once:
# what is half done there would be lost with the error that it raises.
#
# A function says so itself, by the decorator; `critical.guard` says it for the steps under it. No code looks at the
# names of modules. Compiled functions need not say it: no handler runs in them.


T = TypeVar("T", bound="type | Callable[..., Any]")

_codes: set[CodeType] = set()


def uninterruptible(what: T) -> T:
    """Declare a function, or all methods of a class."""
    members = vars(what).values() if isinstance(what, type) else (what,)
    for member in members:
        function = getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            _codes.add(function.__code__)
    return what


def is_uninterruptible(frame: FrameType | None) -> bool:
    """Whether the calling OS thread is in a critical step, or `frame`, the innermost, is of such a function."""
    return guard.is_owned() or (frame is not None and frame.f_code in _codes)
