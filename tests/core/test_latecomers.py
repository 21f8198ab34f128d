"""What came meanwhile, and what was left over, when a round of the hub ran out of time."""

import pytest

from greening._compiled import accelerator
from greening._core.greenthread import spawn
from greening._core.latecomers import Latecomers
from greening._core.poller import IN
from greening._core.task import Task
from greening._core.waiting import sleep, wait_readable
from greening.testing import Fake, FakePoller, settle


@pytest.mark.skipif(accelerator is not None, reason="rounds of a test's own clock are counted in turns there")
def test_a_timer_waits_for_two_slices_however_many_tasks_compute(fake: Fake[FakePoller]) -> None:
    slices = [0]
    late: list[int] = []

    def slice_of_work() -> None:
        slices[0] += 1
        fake.clock.advance(0.020)

    def compute() -> None:
        for _ in range(4):
            slice_of_work()
            sleep(0)

    def read(fd: int) -> None:
        wait_readable(fd)
        slice_of_work()

    def tick() -> None:
        for _ in range(20):
            due = fake.clock.now() + 0.010
            sleep(0.010)
            late.append(round((fake.clock.now() - due) / 0.020))

    threads = [spawn(read, fd) for fd in range(100, 120)]
    settle()
    threads += [spawn(tick), *(spawn(compute) for _ in range(20))]
    sleep(0)
    for fd in range(100, 120):
        fake.poller.fire(fd, IN)
    for thread in threads:
        thread.wait()
    assert slices[0] == 20 * 5
    assert max(late) <= 2


def test_latecomers_have_every_other_slice_and_one_chance(fake: Fake[FakePoller]) -> None:
    ready, latecomers = fake.hub.ready, Latecomers()
    tasks = {name: Task(fake.hub) for name in "abcdetuv"}

    def arrive(*names: str) -> None:
        for name in names:
            ready.append(tasks[name])

    def order() -> str:
        return "".join(name for task in list(ready) for name in tasks if tasks[name] is task)

    def run(turns: int) -> None:
        for _ in range(turns):
            ready.popleft()
        latecomers.round_ended(ready, turns, True)

    arrive("a", "b", "c", "d", "u", "v", "t")
    latecomers.timers_first(ready, 2, 1)
    assert order() == "abcdtuv"
    latecomers.let_pass(ready, 3)
    assert order() == "tuvabcd"
    run(1)
    assert order() == "abcduv"
    arrive("t")
    latecomers.let_pass(ready, 1)
    assert order() == "atbcduv"
    run(1)
    arrive("e")
    latecomers.let_pass(ready, 1)
    assert order() == "tebcduv"
    ready.clear()


@pytest.mark.skipif(accelerator is not None, reason="rounds of a test's own clock are counted in turns there")
def test_latecomers_that_are_quick_do_not_wait_for_one_another(fake: Fake[FakePoller]) -> None:
    """Beside one task that computes, each would be on time after its slice, and not after one for each of them."""
    late: list[int] = []
    computes = True

    def compute() -> None:
        while computes:
            fake.clock.advance(0.020)
            sleep(0)

    def tick() -> None:
        for _ in range(5):
            due = fake.clock.now() + 0.010
            sleep(0.010)
            late.append(round((fake.clock.now() - due) / 0.020))

    threads = [spawn(tick) for _ in range(4)]
    settle()
    computing = spawn(compute)
    for thread in threads:
        thread.wait()
    computes = False
    computing.wait()
    assert max(late) <= 1


def test_what_timers_wake_all_the_time_leaves_every_other_slice_to_the_others(fake: Fake[FakePoller]) -> None:
    worked = {"timed": 0, "left over": 0}

    def work(kind: str, seconds: float) -> None:
        for _ in range(20):
            sleep(seconds)
            worked[kind] += 1
            fake.clock.advance(0.020)

    threads = [spawn(work, "timed", 0.001) for _ in range(3)]
    threads += [spawn(work, "left over", 0) for _ in range(3)]
    for thread in threads[3:]:
        thread.wait()
    assert worked["left over"] == 60
    assert worked["timed"] <= 70
    for thread in threads[:3]:
        thread.wait()


def test_without_an_overdue_round_there_are_none(fake: Fake[FakePoller]) -> None:
    ready, latecomers = fake.hub.ready, Latecomers()
    for _ in range(3):
        ready.append(Task(fake.hub))
    before = list(ready)
    latecomers.round_ended(ready, 2, False)
    assert latecomers.waiting == 0
    assert list(ready) == before
    latecomers.let_pass(ready, 0)
    assert latecomers.waiting == 0
    assert list(ready) == before
    ready.clear()
