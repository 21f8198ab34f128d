"""The objects of `select.poll()` and `select.epoll()`. The file select says how they wait."""

import sys
from collections.abc import Callable
from operator import index
from types import TracebackType
from typing import Any, NoReturn

from greening._core.current import current, hubless
from greening._core.external import Backoff
from greening._core.fairness import fairness_tick
from greening._core.poller import IN, NO_ROOM
from greening._core.registration import Registration
from greening._core.timers import deadline_after, stdlib_number
from greening._core.waiting import forget_fd, sleep, wait_for_room
from greening._originals import epoll as _real_epoll
from greening._originals import poll as _real_poll
from greening.readiness.select import number_of, wait_events

Events = list[tuple[int, int]]

# Milliseconds of the longest timeout: a C int for poll(2) and epoll_wait(2). From 3.15 on polls call ppoll(2), with 64
# bits of nanoseconds.
_INT_MAX = 2**31 - 1
_POLL_MAX = _INT_MAX if sys.version_info < (3, 15) else (2**63 - 1) // 10**6
_DEFAULT_MASK = 7  # POLLIN | POLLPRI | POLLOUT


class Poll:
    """A set of descriptors to wait for, as `select.poll()` makes it. Arguments, results and errors are the stdlib's.

    The real object inside does not tell what is registered, so we keep that as well.

    Thread-safety: one green or OS thread at a time may be in `poll`, as in the stdlib. The other methods may be called
    meanwhile.
    Source: poll(2).
    """

    __slots__ = ("_asking", "_masks", "_real")

    _asking: bool
    _masks: dict[int, int]
    _real: Any

    def __new__(cls) -> "Poll":
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__qualname__}' instances")

    def __init_subclass__(cls) -> None:
        if cls.__module__ != __name__:
            raise TypeError("type 'select.poll' is not an acceptable base type")

    def register(self, fd: Any, eventmask: int = _DEFAULT_MASK, /) -> None:
        """Look at a descriptor from now on.

        Args:
            fd: its number, or an object with `fileno`. eventmask: POLL* events to report.
        Raises:
            ValueError, TypeError: `fd` is no descriptor.
        """
        self._real.register(fd, eventmask)
        self._masks[number_of(fd)] = index(eventmask)

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Look for other events of a registered descriptor. OSError (ENOENT): it is not registered."""
        self._real.modify(fd, eventmask)
        self._masks[number_of(fd)] = index(eventmask)

    def unregister(self, fd: Any, /) -> None:
        """Look at `fd` no more. KeyError: it is not registered."""
        self._real.unregister(fd)
        self._masks.pop(number_of(fd), None)

    def poll(self, timeout: Any = None, /) -> Events:
        """Return the events that are there; park while there are none.

        Args:
            timeout: milliseconds, relative; None or negative: no limit; 0: do not wait.
        Returns:
            [(descriptor, events), ...]; empty when the time ran out.
        Raises:
            RuntimeError: another thread is in this call.
        """
        number = None if timeout is None else stdlib_number(timeout)
        if timeout is not None and (number is None or not -_POLL_MAX <= number <= _POLL_MAX):
            return self._real.poll(timeout)  # type: ignore[no-any-return]  # it raises the right error
        if self._asking:
            raise RuntimeError("concurrent poll() invocation")
        fairness_tick()
        events: Events = self._real.poll(0)
        if number == 0 or events:
            return events
        self._asking = True
        try:
            if hubless():
                return self._real.poll(timeout)  # type: ignore[no-any-return]  # the real one's
            seconds = None if number is None or number < 0 else number / 1000
            return self._wait(seconds)
        finally:
            self._asking = False

    def _wait(self, seconds: float | None) -> Events:
        return wait_poll(self._real, list(self._masks.items()), seconds)


class _AdoptedPoll(Poll):
    """Stands for a real object that exists already. It asks that again and again: what is registered is unknown."""

    __slots__ = ()

    def _wait(self, seconds: float | None) -> Events:
        look = Backoff(seconds)
        while True:
            pause = look.next()
            sleep(pause)
            events: Events = self._real.poll(0)
            if events or not pause:
                return events


def poll() -> Poll:
    """Make an empty set of descriptors to wait for, as `select.poll`. Its waits let other green threads run."""
    return _poll_of(Poll, _real_poll())


def adopt_poll(real: Any) -> Poll:
    """Make a cooperative object that stands for a real one."""
    return _poll_of(_AdoptedPoll, real)


def _poll_of(kind: type[Poll], real: Any) -> Poll:
    made: Poll = object.__new__(kind)
    made._real = real
    made._masks = {}
    made._asking = False
    return made


def wait_poll(real: Any, wants: list[tuple[int, int]], timeout: float | None) -> Events:
    """Park until a real poll object has events, which it had not just now.

    Args:
        wants: (descriptor, events) of all that is registered there.
        timeout: seconds, relative; None: no limit.
    """
    # A descriptor that is closed meanwhile is not an error to poll(2) but an event.
    return wait_events(lambda: real.poll(0), wants, timeout, strict=False)  # type: ignore[no-any-return]  # a list


class Epoll:
    """An epoll set whose `poll` parks, as `select.epoll`. Arguments, results and errors are the stdlib's.

    A registration costs no more than in the stdlib: an object's `register`, `modify` and `unregister` *are* the methods
    of the real object inside.

    Difference from the stdlib: `close` ends a `poll` of another green thread, with ValueError.
    Thread-safety: any green or OS thread may call any method at any time.
    Source: epoll(7).
    """

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        assert _real_epoll is not None
        self._adopt(_real_epoll(sizehint, flags))

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("type 'select.epoll' is not an acceptable base type")

    def _adopt(self, real: Any) -> None:
        self._real = real
        vars(self).update(register=real.register, modify=real.modify, unregister=real.unregister, fileno=real.fileno)

    @classmethod
    def fromfd(cls, fd: int, /) -> "Epoll":
        """Make an object for an epoll descriptor that exists already."""
        assert _real_epoll is not None
        made: Epoll = object.__new__(cls)
        made._adopt(_real_epoll.fromfd(fd))
        return made

    def register(self, fd: Any, eventmask: int = _DEFAULT_MASK) -> None:
        """Report the events `eventmask` of `fd` from now on. FileExistsError: it is registered already."""
        self._real.register(fd, eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Report other events of a registered descriptor. FileNotFoundError: it is not registered."""
        self._real.modify(fd, eventmask)

    def unregister(self, fd: Any) -> None:
        """Report `fd` no more. FileNotFoundError: it is not registered."""
        self._real.unregister(fd)

    def fileno(self) -> int:
        """Return the descriptor of the set. ValueError: it is closed."""
        return self._real.fileno()  # type: ignore[no-any-return]  # the real one's

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._real.closed  # type: ignore[no-any-return]  # the real one's

    def close(self) -> None:
        """Close the descriptor. A green thread that waits in `poll` gets ValueError, as from a closed object."""
        if not self._real.closed:
            forget_fd(self._real.fileno())
        self._real.close()

    def poll(self, timeout: Any = None, maxevents: int = -1) -> Events:
        """Return events that are there; park while there are none.

        Args:
            timeout: seconds, relative; None or negative: no limit; 0: do not wait.
            maxevents: the number of events to return at most; -1: the stdlib's default.
        Returns:
            [(descriptor, events), ...]; empty when the time ran out.
        Raises:
            ValueError: the set is closed, or `maxevents` is 0 or below -1.
        """
        number = None if timeout is None else stdlib_number(timeout)
        if timeout is not None and (number is None or not -_INT_MAX - 1 <= number * 1000 <= _INT_MAX):
            return self._real.poll(timeout, maxevents)  # type: ignore[no-any-return]  # it raises the right error
        fairness_tick()
        events: Events = self._real.poll(0, maxevents)
        if number == 0 or events:
            return events
        return wait_epoll(self, self._real, maxevents, None if number is None or number < 0 else number)

    def __enter__(self) -> "Epoll":
        if self._real.closed:
            self._real.fileno()  # raises the right error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()


def adopt_epoll(real: Any) -> Epoll:
    """Make a cooperative object that stands for a real one."""
    made: Epoll = object.__new__(Epoll)
    made._adopt(real)
    return made


def wait_epoll(owner: Any, real: Any, maxevents: int, timeout: float | None) -> Events:
    """Park until a real epoll object has events, which it had not just now.

    Args:
        owner: the object that calls `forget_fd` before it closes `real`. Compared by identity, weakly referenced.
        timeout: seconds, relative; None: no limit.
    """
    if hubless():
        return real.poll(timeout, maxevents)  # type: ignore[no-any-return]  # the real one's
    task = current()
    hub = task.hub
    deadline = None if timeout is None else deadline_after(hub.now(), timeout)
    reg: Registration | None = None
    ask: Callable[[float, int], Events] = real.poll
    while True:
        try:
            if reg is None:
                reg = hub.registry.socket(real.fileno(), owner, False)
            in_time = bool(hub.registry.wait(reg, task, IN, deadline))
        except OSError as error:
            if error.errno not in NO_ROOM:
                return ask(0, maxevents)  # closed meanwhile: it raises the error
            in_time = wait_for_room(deadline)
        events = ask(0, maxevents)
        if events or not in_time:
            return events


Poll.__module__ = _AdoptedPoll.__module__ = Epoll.__module__ = "select"
Poll.__name__ = Poll.__qualname__ = _AdoptedPoll.__name__ = _AdoptedPoll.__qualname__ = "poll"
Epoll.__name__ = Epoll.__qualname__ = "epoll"
