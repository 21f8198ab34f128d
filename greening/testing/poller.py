"""Pollers for tests: one whose events the test makes up, and one that has real events and fake time."""

import math

from greening._core.poller import CHANGES, EDGE, ONESHOT, Poller
from greening.testing.clock import FakeClock


class NothingWillHappen(RuntimeError):
    """The hub wants to sleep, and nothing is left that could wake it: the test has not said what happens next.

    Raised in the main greenlet of the fake hub.
    """


def pass_the_time(clock: FakeClock, timeout: float) -> None:
    """The hub has nothing to do for `timeout` seconds: jump over them, or complain."""
    if not clock.autojump:
        raise NothingWillHappen(
            f"every green thread waits, the next timer is due in {timeout} s, and the clock stands still: "
            "advance() it before parking, or make it FakeClock(autojump=True)"
        )
    clock.advance(timeout)


class FakePoller:
    """A poller without an operating system: the test says which descriptor numbers have events. They need not exist.

    Attributes:
        armed: what it is to report: descriptor -> mask (with EDGE or ONESHOT among the flags).
        calls: every call of `arm_edge`, `arm_once` and `disarm` as (name, descriptor, mask), in order.
        refuse: descriptor -> the OSError that arming it raises (PermissionError: a regular file).
        edge: False: like poll(2), every wait arms its descriptor anew.
    Args:
        clock: jumped forward when the hub would sleep.
    """

    def __init__(self, clock: FakeClock, *, edge: bool = True) -> None:
        self.clock = clock
        self.edge = edge
        self.armed: dict[int, int] = {}
        self.calls: list[tuple[str, int, int]] = []
        self.refuse: dict[int, OSError] = {}
        self.closed = False
        self._events: list[tuple[int, int]] = []

    def fire(self, fd: int, mask: int) -> None:
        """Have the hub's next look find `mask` on `fd`, armed or not: a real poller reports stale events, too."""
        self._events.append((fd, mask))

    def pending(self) -> bool:
        """True when there are events that the hub has not seen yet."""
        return bool(self._events)

    # What the engine calls

    def arm_edge(self, fd: int, mask: int = CHANGES) -> None:
        """See `greening._core.poller.Poller`."""
        self._arm("arm_edge", fd, EDGE)

    def arm_once(self, fd: int, mask: int) -> None:
        """See `greening._core.poller.Poller`."""
        self._arm("arm_once", fd, mask | ONESHOT)

    def _arm(self, name: str, fd: int, mask: int) -> None:
        self.calls.append((name, fd, mask & ~(EDGE | ONESHOT)))
        if fd in self.refuse:
            raise self.refuse[fd]
        self.armed[fd] = mask

    def disarm(self, fd: int) -> None:
        """See `greening._core.poller.Poller`."""
        self.calls.append(("disarm", fd, 0))
        self.armed.pop(fd, None)

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """What was fired; without that, time passes."""
        events, self._events = self._events, []
        for fd, _ in events:
            if self.armed.get(fd, 0) & ONESHOT:
                self.armed[fd] = ONESHOT
        if not events and timeout != 0:
            if timeout is None or timeout == math.inf:
                raise NothingWillHappen("every green thread waits, no timer is set, and the test has fired no event")
            pass_the_time(self.clock, timeout)
        return events

    def fileno(self) -> int:
        """-1: it has no descriptor of its own."""
        return -1

    def close(self) -> None:
        """See `greening._core.poller.Poller`."""
        self.closed = True


class JumpingPoller:
    """A real poller that never sleeps for a timer: real descriptors, real OS threads, fake time.

    Args:
        clock: jumped forward when the hub would sleep until the next timer.
        real: does the looking.
        patience: real seconds in which descriptors and other OS threads may come first, before time jumps.
    """

    def __init__(self, clock: FakeClock, real: Poller, patience: float = 0.0) -> None:
        self.clock = clock
        self.patience = patience
        self.edge = real.edge
        self._real = real
        self.arm_edge = real.arm_edge
        self.arm_once = real.arm_once
        self.disarm = real.disarm
        self.close = real.close
        self.fileno = real.fileno

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """What really happened, or, if nothing did, a jump in time."""
        if timeout is None or timeout == math.inf:
            return self._real.wait(None)
        events = self._real.wait(min(timeout, self.patience))
        if not events and timeout:
            pass_the_time(self.clock, timeout)
        return events
