"""Tasks of OS threads without a hub: to park one is to block the OS thread."""

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from greenlet import getcurrent

from greening._core import blocking
from greening._core.blocking import BlockingRegistry, BlockingTask, blocking_task
from greening._core.critical import guard
from greening._core.current import has_hub
from greening._core.parking_lot import ParkingLot
from greening._core.poller import IN, OUT
from greening._core.running import waiting_task
from greening._core.task import DEAD, PARKED, READY, RUNNING, TIMED_OUT
from greening._originals import monotonic, start_new_thread
from greening.testing import wait_until_parked


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reads, writes = os.pipe()
    yield reads, writes
    os.close(reads)
    os.close(writes)


class Lock:
    """Stands for the lock that a task waits for: `called` is told of each `acquire`, and may raise."""

    def __init__(self, called: Callable[..., Any]) -> None:
        self.acquire = called
        self.release = lambda: None


def test_an_os_thread_has_one_task_and_gets_no_hub(in_os_thread: Callable[..., Any]) -> None:
    def body() -> tuple[bool, bool, bool]:
        task = waiting_task()
        return isinstance(task, BlockingTask), task is blocking_task() is waiting_task(), has_hub()

    assert in_os_thread(body) == (True, True, False)


def test_a_task_waits_until_another_os_thread_wakes_it(in_os_thread: Callable[..., Any]) -> None:
    lot = ParkingLot()

    def wake(task: BlockingTask) -> None:
        wait_until_parked(task)
        lot.unpark("woken")

    def body() -> tuple[object, int]:
        task = blocking_task()
        start_new_thread(wake, (task,))
        return lot.park(), task.state

    assert in_os_thread(body) == ("woken", RUNNING)


def test_a_wake_up_that_comes_before_the_wait_ends_it() -> None:
    task = BlockingTask()
    task.state = PARKED
    assert task.wake("early")
    assert not task.wake("late")
    assert task.park() == "early"
    assert task.state == RUNNING


def test_a_wait_whose_time_is_up_ends() -> None:
    task = BlockingTask()
    for deadline in (monotonic() - 1, monotonic() + 0.001):
        task.state = PARKED
        assert task.park(deadline) is TIMED_OUT


def test_a_wake_up_of_a_wait_that_did_not_happen_does_not_end_the_next() -> None:
    task = BlockingTask()
    task.state = PARKED
    generation = task.generation
    task.wake("stale")
    task.cancel_park()
    blocking._release((task, generation))  # one that was on its way
    task.state = PARKED
    assert task.park(monotonic() + 0.001) is TIMED_OUT


def test_to_let_others_run_leaves_nothing_in_the_queue() -> None:
    task = BlockingTask()
    task.pass_turn()
    assert task.state == RUNNING
    assert not task.hub.ready


def test_a_signal_handler_that_raises_ends_the_wait() -> None:
    def interrupted(*args: object) -> bool:
        if args == (False,):  # cancel_park looks whether the wake-up lock was released for this park
            return False
        raise KeyboardInterrupt

    task = BlockingTask()
    task.wake_lock = Lock(interrupted)  # type: ignore[assignment]  # as much of a lock as is used
    task.state = PARKED
    with pytest.raises(KeyboardInterrupt):
        task.park(monotonic() + 10)
    assert task.state == RUNNING


def test_a_lock_that_cannot_be_waited_for_at_the_end_of_the_interpreter_is_slept_for() -> None:
    """From 3.15 on it is a RuntimeError then."""
    waits: list[tuple[object, ...]] = []

    def acquire(*args: object) -> bool:
        waits.append(args)
        if args:
            raise RuntimeError("the interpreter is being finalized")
        return True

    task = BlockingTask()
    task.wake_lock = Lock(acquire)  # type: ignore[assignment]  # as much of a lock as is used
    task.state = PARKED
    assert task.park(monotonic() + 0.001) is TIMED_OUT
    assert len(waits) == 2


def test_a_critical_step_is_left_while_its_task_waits() -> None:
    depths: list[int] = []

    def acquire(*args: object) -> bool:
        depths.append(guard.depth)
        return True

    task = BlockingTask()
    task.wake_lock = Lock(acquire)  # type: ignore[assignment]  # as much of a lock as is used
    with guard, guard:
        task.state = PARKED
        task.park()
        depths.append(guard.depth)
    assert depths == [0, 2]


def test_code_that_interrupts_a_wait_waits_as_a_task_of_its_own() -> None:
    task = BlockingTask()
    assert task.waiter() is task
    task.state = PARKED
    other = task.waiter()
    assert isinstance(other, BlockingTask)
    other.state = PARKED
    assert other.park(monotonic() + 0.001) is TIMED_OUT
    assert task.state == PARKED


def test_a_task_belongs_to_the_greenlet_that_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BlockingTask().greenlet is getcurrent()

    def gone() -> None:
        raise RuntimeError("there are no greenlets any more")

    monkeypatch.setattr(blocking, "getcurrent", gone)
    assert BlockingTask().greenlet is None


def test_a_descriptor_is_waited_for_with_poll(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    registry, task = BlockingRegistry(), BlockingTask()
    assert registry.wait_raw(reads, task, IN, monotonic() + 0.001) == 0
    assert registry.wait_raw(reads, task, IN, monotonic() - 1) == 0
    assert registry.wait_raw(writes, task, OUT, None) == OUT
    os.write(writes, b"x")
    reg = registry.socket(reads, task, stream=True)
    assert (reg.fd, reg.edge, reg.stream) == (reads, False, False), "no short read is trusted"
    assert registry.wait(reg, task, IN, None) == IN


def test_a_closed_descriptor_is_ebadf() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    os.close(writes)
    with pytest.raises(OSError) as caught:
        BlockingRegistry().wait_raw(reads, BlockingTask(), IN, None)
    assert caught.value.errno == errno.EBADF


def test_in_a_child_of_fork_the_tasks_of_other_os_threads_are_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    class Here:
        task = BlockingTask()

    other = BlockingTask()
    other.state = READY
    monkeypatch.setattr(blocking, "_all", {other, Here.task})
    monkeypatch.setattr(blocking, "_here", Here)
    blocking._in_child()
    assert (other.state, Here.task.state) == (DEAD, RUNNING)
