"""Waits that are interrupted by code that waits itself: a finaliser or a signal handler on the stack of a task that is
on its way to a park. Each gets what it waits for; no wake-up is taken.
"""

from collections.abc import Callable
from traceback import walk_tb
from typing import Any

import pytest

from greening._core import registration, registry, thread_ops
from greening._core.critical import guard
from greening._core.current import current
from greening._core.greenthread import GreenThread, kill, spawn
from greening._core.poller import IN, OUT
from greening._core.task import PARKED, RUNNING
from greening._core.waiting import sleep, wait_readable, wait_writable
from greening.errors import GreenletExit
from greening.patches.queue import SimpleQueue
from greening.sync.condition import Condition
from greening.sync.event import Event
from greening.sync.lock import Lock, RLock
from greening.sync.queue import Queue
from greening.sync.semaphore import Semaphore
from greening.testing import Fake, FakePoller, settle
from greening.timeout import Timeout

FD = 7


class Owner:
    """Stands for a socket of ours."""


def interrupt(fake: Fake[FakePoller], code: Callable[[], object], times: int = 1) -> list[object]:
    """Have `code` run when a task that is PARKED asks the time: between "I wait" and the switch."""
    done: list[object] = []
    now = fake.clock.now

    def asked() -> float:
        task = current()
        if len(done) < times and task is not fake.hub.task and task.state == PARKED:
            done.append(None)
            done[-1] = code()
        return now()

    fake.hub.now = asked
    return done


def condition_wait() -> "Wait":
    condition = Condition()

    def wait() -> object:
        with condition:
            return condition.wait(50)

    def notify() -> None:
        with condition:
            condition.notify()

    return wait, notify


def lock_wait(lock: Any) -> "Wait":
    release = Event()

    def hold() -> None:
        with lock:
            release.wait()

    spawn(hold)
    sleep(0)
    return lambda: lock.acquire(timeout=50), release.send


Wait = tuple[Callable[[], object], Callable[[], object]]


def event_wait() -> Wait:
    event = Event()
    return lambda: event.wait(50), lambda: event.send(True)


def semaphore_wait() -> Wait:
    semaphore = Semaphore(0)
    return lambda: semaphore.acquire(timeout=50), semaphore.release


def get_wait(queue: Any) -> Wait:
    return lambda: queue.get(timeout=50), lambda: queue.put(1)


def put_wait() -> Wait:
    full = Queue[int](1)
    full.put(0)
    return lambda: full.put(1, timeout=50) or True, full.get


def thread_wait() -> Wait:
    gate = Event()
    thread: GreenThread[Any] = spawn(gate.wait)
    return lambda: thread.wait(50), lambda: gate.send(True)


# By name: makes what waits for up to 50 seconds, and what ends that.
OUTER: dict[str, Callable[[], Wait]] = {
    "Event": event_wait,
    "Semaphore": semaphore_wait,
    "Queue.get": lambda: get_wait(Queue[int]()),
    "Queue.put": put_wait,
    "SimpleQueue": lambda: get_wait(SimpleQueue()),
    "GreenThread": thread_wait,
    "Condition": condition_wait,
    "Lock": lambda: lock_wait(Lock()),
    "RLock": lambda: lock_wait(RLock()),
}

INNER: dict[str, Callable[[], object]] = {
    "sleep(0)": lambda: sleep(0),
    "sleep": lambda: sleep(2),
    "event": lambda: Event().wait(2),
    "semaphore": lambda: Semaphore(0).acquire(timeout=2),
    "descriptor": lambda: wait_readable(FD, 2),
    "thread": lambda: spawn(sleep, 2).wait(),
}


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("woken", ["before", "after"])
@pytest.mark.parametrize("outer", OUTER)
def test_both_waits_get_what_they_wait_for(fake: Fake[FakePoller], outer: str, woken: str, inner: str) -> None:
    """The outer one is woken while the inner one still waits, and has its turn afterwards; or the other way round."""
    wait, end = OUTER[outer]()
    done = interrupt(fake, INNER[inner])
    waiter = spawn(wait)
    sleep(0)
    sleep(0)
    assert len(done) == 1
    if woken == "after":
        sleep(5)
    end()
    assert waiter.wait() in (True, 1)
    assert not fake.hub.stand_ins
    assert current().state == RUNNING


@pytest.mark.parametrize("outer", OUTER)
def test_a_finaliser_inside_a_finaliser(fake: Fake[FakePoller], outer: str) -> None:
    wait, end = OUTER[outer]()
    done = interrupt(fake, lambda: Event().wait(2), times=3)
    waiter = spawn(wait)
    sleep(0)
    end()
    assert waiter.wait() in (True, 1)
    assert len(done) == 3
    assert not fake.hub.stand_ins


@pytest.mark.parametrize("lock", [Lock, RLock])
def test_code_that_interrupts_the_wait_for_a_lock_has_it_first(fake: Fake[FakePoller], lock: Any) -> None:
    """The outer wait, which is put off, could make no use of the lock, and would keep it from the inner one."""
    wanted = lock()
    order: list[str] = []

    def inner() -> None:
        with wanted:
            order.append("inner")

    def outer() -> None:
        assert wanted.acquire(timeout=50)
        order.append("outer")
        wanted.release()

    wanted.acquire()
    interrupt(fake, inner)
    waiter = spawn(outer)
    settle()
    wanted.release()
    waiter.wait()
    assert order == ["inner", "outer"]
    assert not wanted.locked()


def test_a_kill_of_an_interrupted_wait_comes_after_the_code_that_interrupts_it(fake: Fake[FakePoller]) -> None:
    event, order = Event(), []
    interrupt(fake, lambda: (sleep(2), order.append("inner")))

    def wait() -> None:
        try:
            event.wait(50)
        finally:
            order.append("outer")

    waiter = spawn(wait)
    sleep(0)
    kill(waiter)
    with pytest.raises(GreenletExit):
        waiter.wait()
    assert order == ["inner", "outer"]


def test_a_time_limit_of_an_interrupted_wait_goes_on(fake: Fake[FakePoller]) -> None:
    interrupt(fake, lambda: sleep(2))
    began = fake.hub.now()
    assert Event().wait(1) is None
    assert 2 <= fake.hub.now() - began <= 3


def limited_wait() -> str:
    try:
        with Timeout(1):
            Event().wait(50)
    except Timeout:
        return "timed out"
    return "waited"


def test_a_timeout_of_code_that_interrupts_a_wait_ends_the_wait_of_that_code(fake: Fake[FakePoller]) -> None:
    done = interrupt(fake, limited_wait)
    queue: Queue[int] = Queue()
    thread = spawn(queue.get, True, 30)
    settle()
    sleep(2)
    assert done == ["timed out"]
    queue.put(1)
    assert thread.wait() == 1
    assert not fake.hub.stand_ins


def test_a_timeout_of_a_finaliser_in_the_hub_ends_the_wait_of_that_finaliser(fake: Fake[FakePoller]) -> None:
    done: list[str] = []
    fake.hub.call_at(fake.hub.now(), lambda: done.append(limited_wait()))
    sleep(2)
    assert done == ["timed out"]
    assert not fake.hub.stand_ins


def test_a_descriptor_that_is_ready_before_the_wait_is_entered_ends_it(fake: Fake[FakePoller]) -> None:
    registry = fake.hub.registry
    reg = registry.regs[FD] = type(registry).socket(registry, FD, lot := Event(), True)
    assert reg.edge
    reg.take_news(1)
    fake.poller.fire(FD, 1)  # a finaliser between EAGAIN and the wait lets the hub run
    settle()
    assert registry.wait(reg, current(), 1, None) == 1
    del lot


# An error that comes while a task lets others run is no interruption of a call that need not wait


def test_a_timeout_that_fires_while_others_run_strikes_at_the_next_wait(fake: Fake[FakePoller]) -> None:
    reached: list[str] = []

    def thread() -> None:
        with Timeout(1, False):
            spawn(lambda: fake.clock.advance(2))
            current().pass_turn()
            fake.hub.switches_left = 0
            current().pass_turn()
            reached.append("no wait")
            sleep(0)
            reached.append("not reached")

    spawn(thread).wait()
    assert reached == ["no wait"]


def test_a_timeout_that_fired_while_others_ran_is_taken_back_with_its_block(fake: Fake[FakePoller]) -> None:
    def thread() -> str:
        with Timeout(1):
            spawn(lambda: fake.clock.advance(2))
            current().pass_turn()
            fake.hub.switches_left = 0
            current().pass_turn()
        sleep(1)
        return "undisturbed"

    assert spawn(thread).wait() == "undisturbed"


def test_an_error_that_is_kept_does_not_grow_with_each_turn(fake: Fake[FakePoller]) -> None:
    def thread() -> list[int]:
        lengths = []
        with Timeout(1, False):
            spawn(lambda: fake.clock.advance(2))
            for _ in range(9):
                fake.hub.switches_left = 0
                current().pass_turn()
                error = current().error
                lengths.append(0 if error is None else len(list(walk_tb(error.__traceback__))))
        return lengths

    lengths = spawn(thread).wait()
    assert lengths is not None and 0 < lengths[-1] == lengths[3]


def test_an_urgent_error_is_before_one_that_main_keeps(fake: Fake[FakePoller]) -> None:
    main, stop = fake.hub.main, KeyboardInterrupt()
    with Timeout(1, False):
        spawn(lambda: fake.clock.advance(2))
        for _ in range(2):
            fake.hub.switches_left = 0
            main.pass_turn()
        kept = main.error
        assert isinstance(kept, Timeout)
        spawn(fake.hub.raise_in_main, stop)
        with pytest.raises(KeyboardInterrupt):
            main.pass_turn()
        assert main.error is kept
        sleep(0)
        pytest.fail("the timeout is lost")


# Critical steps


def test_code_of_a_users_that_waits_in_a_critical_step_gives_the_guard_away(fake: Fake[FakePoller]) -> None:
    owned: list[bool] = []

    def compares() -> None:
        with guard, guard:
            sleep(1)
            owned.append(guard.is_owned())

    waiter = spawn(compares)
    settle()
    assert not guard.is_owned()
    waiter.wait()
    assert owned == [True]
    assert not guard.is_owned()


# Making the objects of a wait may run a finaliser, which lets others run: those may wait for the same thing.


def once(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, code: Callable[[], object]) -> None:
    """Have `code` run the first time that `module` makes a `name`, as a finaliser would."""
    real, done = getattr(module, name), []

    def make(*args: Any) -> object:
        made = real(*args)
        if not done:
            done.append(None)
            code()
        return made

    monkeypatch.setattr(module, name, make)


@pytest.mark.parametrize("made", ["ParkingLot", "Registration"])
@pytest.mark.parametrize("wait", [wait_readable, wait_writable])
def test_two_tasks_may_be_the_first_to_wait_for_a_descriptor(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch, made: str, wait: Callable[..., bool]
) -> None:
    once(monkeypatch, registration if made == "ParkingLot" else registry, made, sleep)
    waits = [spawn(wait, FD, 50), spawn(wait, FD, 50)]
    settle()
    fake.poller.fire(FD, IN | OUT)
    assert [thread.wait() for thread in waits] == [True, True]
    assert fake.clock.now() < 1050
    assert FD not in fake.hub.regs


@pytest.mark.parametrize("made", ["ParkingLot", "Registration"])
def test_two_tasks_may_be_the_first_to_wait_for_a_socket(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    once(monkeypatch, registration if made == "ParkingLot" else registry, made, sleep)
    owner = Owner()

    def wait() -> int:
        reg = fake.hub.registry.socket(FD, owner, True)
        return fake.hub.registry.wait(reg, current(), IN, fake.hub.now() + 50)

    waits = [spawn(wait), spawn(wait)]
    settle()
    fake.poller.fire(FD, IN)
    assert [thread.wait() for thread in waits] == [IN, IN]


def test_code_that_interrupts_a_wait_may_wait_for_the_same_descriptor(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_too() -> None:
        fake.poller.fire(FD, IN)
        assert wait_readable(FD, 50)

    enter = registration.Registration.enter

    def interrupted(self: registration.Registration, task: Any, mask: int) -> None:
        monkeypatch.setattr(registration.Registration, "enter", enter)
        wait_too()
        enter(self, task, mask)

    keeper = spawn(wait_readable, FD, 50)
    settle()
    monkeypatch.setattr(registration.Registration, "enter", interrupted)
    thread = spawn(wait_readable, FD, 50)
    settle()
    fake.poller.fire(FD, IN)
    assert thread.wait()
    assert keeper.wait()
    assert fake.clock.now() < 1050


def test_a_socket_that_is_closed_while_a_wait_for_it_is_entered_ends_the_wait(fake: Fake[FakePoller]) -> None:
    owner = Owner()
    reg = fake.hub.registry.socket(FD, owner, True)
    fake.hub.registry.forget(FD)
    assert fake.hub.registry.wait(reg, current(), IN, fake.hub.now() + 50) == IN
    assert fake.clock.now() < 1050


@pytest.mark.parametrize("timeout", [None, 50])
def test_two_tasks_may_be_the_first_to_wait_for_a_green_thread(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    thread = spawn(sleep, 1)
    lot = thread_ops.ParkingLot()

    def other_os_thread() -> None:
        thread._waiters = lot  # it has not entered it yet

    once(monkeypatch, thread_ops, "ParkingLot", other_os_thread)
    wait = spawn(lambda: GreenThread._wait(thread, timeout) if hasattr(GreenThread, "_wait") else thread.wait(timeout))
    settle()
    assert thread._waiters is lot
    assert len(lot) == 1
    wait.wait()
