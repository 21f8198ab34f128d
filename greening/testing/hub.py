"""A hub of a test's own, with fake time and, if wanted, fake descriptors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from greenlet import getcurrent

from greening._core.current import current, use_hub
from greening._core.deadlock import deadlock_of
from greening._core.greenthread import kill
from greening._core.hub import Hub
from greening._core.poller import Poller, default_poller
from greening._core.running import set_task, task_of
from greening._core.task import Task
from greening._core.waiting import sleep
from greening.testing.clock import FakeClock
from greening.testing.poller import FakePoller, JumpingPoller

P = TypeVar("P", bound=Poller)


@dataclass(frozen=True, slots=True)
class Fake(Generic[P]):
    """What `fake_hub` and `fake_time` give: the hub, and what drives it."""

    hub: Hub
    clock: FakeClock
    poller: P


@contextmanager
def fake_hub(clock: FakeClock | None = None, *, edge: bool = True) -> Iterator[Fake[FakePoller]]:
    """Run the body on a hub of its own in which time and descriptors are the test's.

        with fake_hub() as fake:
            reader = spawn(wait_readable, 7)
            settle()                          # it waits
            fake.poller.fire(7, select.POLLIN)
            assert reader.wait()

    The caller is the main greenlet of that hub. A standstill raises `Deadlock` (or `NothingWillHappen`) here at once,
    whatever other OS threads and signal handlers there are. Green threads that are left at the end are killed.

    Args:
        clock: None: one that jumps by itself when every green thread waits.
        edge: False: the poller behaves like poll(2) instead of epoll(7).
    Thread-safety: affects the calling OS thread only.
    """
    clock = clock or FakeClock()
    poller = FakePoller(clock, edge=edge)
    with _hub(clock, lambda: poller) as hub:
        yield Fake(hub, clock, poller)


@contextmanager
def fake_time(clock: FakeClock | None = None, *, patience: float = 0.0) -> Iterator[Fake[JumpingPoller]]:
    """Like `fake_hub`, with real descriptors: sockets work, and timers keep nothing waiting.

    Args:
        patience: real seconds that descriptors and other OS threads are given before time jumps to the next deadline.
    """
    clock = clock or FakeClock()
    poller = JumpingPoller(clock, default_poller(), patience)
    with _hub(clock, lambda: poller) as hub:
        yield Fake(hub, clock, poller)


@contextmanager
def _hub(clock: FakeClock, make_poller: Callable[[], Poller]) -> Iterator[Hub]:
    glet: Any = getcurrent()
    task_before = task_of(glet)
    hub = Hub(glet, clock, make_poller)
    hub.on_deadlock = _stuck
    hub.registry.rechecks = False  # the second look is a timer, and would make time jump
    hub_before = use_hub(hub)
    set_task(glet, hub.main)
    try:
        yield hub
    finally:
        try:
            _kill_all(hub)
        finally:
            use_hub(hub_before)
            set_task(glet, task_before)
            hub.close()


def _stuck(hub: Hub) -> None:
    hub.raise_in_main(deadlock_of(hub))


def _kill_all(hub: Hub) -> None:
    hub.on_deadlock = None
    hub.timers.clear()
    for thread in unfinished(hub):
        kill(thread)
    for _ in range(100):
        hub.end_round()
        sleep(0)
        if not hub.ready:
            return


def unfinished(hub: Hub) -> list[Task]:
    """The green threads of `hub` that have not ended: those that wait, and those that have not begun."""
    return hub.tasks() + [task for task in hub.ready if task.greenlet is None]


def settle() -> None:
    """Let the others run until none is runnable, no timer is due and no event is unseen. Time does not pass."""
    hub = current().hub
    while True:
        hub.end_round()  # by way of the hub: it looks at descriptors and timers
        sleep(0)
        deadline = hub.timers.next_deadline()
        due = deadline is not None and deadline <= hub.now()
        unseen = isinstance(hub.poller, FakePoller) and hub.poller.pending()
        if not (hub.ready or hub.wakeup.inbox or due or unseen):
            return
