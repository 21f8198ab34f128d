"""The loop: fairness, what may not happen in it, and what comes from elsewhere."""

import gc
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.current import current, get_hub, in_hub
from greening._core.greenthread import kill, spawn, spawn_after
from greening._core.hub import MIN_ROUND
from greening._core.poller import IN, EpollPoller
from greening._core.task import DEAD, PARKED, TIMED_OUT, Task
from greening._core.waiting import sleep, wait_readable, yield_now
from greening._originals import allocate_lock, start_new_thread, time_sleep
from greening.errors import Deadlock
from greening.sync.condition import Condition
from greening.sync.event import Event
from greening.sync.lock import Lock
from greening.sync.queue import Queue
from greening.sync.semaphore import Semaphore
from greening.testing import Fake, FakePoller, NothingWillHappen, fake_hub, fake_time, settle

FD = 1007


# Fairness


def test_two_tasks_that_wake_each_other_starve_neither_descriptors_nor_timers(fake: Fake[FakePoller]) -> None:
    there, back = Queue[int](), Queue[int]()
    rounds = [0]

    def ping() -> None:
        while not (reader.dead and timed.dead):
            rounds[0] += 1
            assert rounds[0] < 10 * MIN_ROUND, "starved"
            there.put(1)
            back.get()
        there.put(0)

    def pong() -> None:
        while there.get():
            back.put(1)

    reader = spawn(wait_readable, FD)
    timed = spawn(sleep, 1)
    settle()
    threads = [spawn(ping), spawn(pong)]
    fake.poller.fire(FD, IN)
    fake.clock.advance(1)
    for thread in threads:
        thread.wait()
    assert reader.wait()


def test_the_collector_works_again_after_an_error_in_the_hub(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler may raise between the hub's steps."""
    patience = fake.hub._poll_timeout

    def fail() -> float | None:
        monkeypatch.setattr(fake.hub, "_poll_timeout", patience)
        raise KeyboardInterrupt

    monkeypatch.setattr(fake.hub, "_poll_timeout", fail)
    spawn_after(1, int)
    with pytest.raises(KeyboardInterrupt):
        sleep(1)
    sleep(0)
    assert gc.isenabled()


def test_a_round_goes_on_while_there_is_time(fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new thread is begun by the hub, which has no idle runner for it: that is no end of a round."""
    looks: list[float | None] = []
    look = fake.poller.wait
    monkeypatch.setattr(fake.poller, "wait", lambda timeout: [looks.append(timeout), *look(timeout)][1:])
    threads = [spawn(sleep, 0) for _ in range(10)]
    for thread in threads:
        thread.wait()
    assert len(looks) <= 2


def test_a_task_that_only_yields_does_not_starve_the_loop(fake: Fake[FakePoller]) -> None:
    reader = spawn(wait_readable, FD)
    settle()
    fake.poller.fire(FD, IN)
    for _ in range(4 * MIN_ROUND):
        sleep(0)
        if reader.dead:
            break
    assert reader.dead


def test_events_do_not_starve_the_runnable(fake: Fake[FakePoller]) -> None:
    order: list[str] = []

    def reads() -> None:
        for _ in range(3):
            fake.poller.fire(FD, IN)
            wait_readable(FD)
            order.append("read")

    spawn(reads)
    spawn(lambda: [(order.append("yield"), sleep(0)) for _ in range(3)])
    settle()
    settle()
    assert order.index("read") < 3
    assert order.count("read") == order.count("yield") == 3


def test_what_is_posted_meanwhile_waits_for_the_next_turn(fake: Fake[FakePoller]) -> None:
    hub, count = fake.hub, [0]

    def again() -> None:
        count[0] += 1
        hub.post(again)

    hub.post(again)
    for n in range(3):
        hub.switches_left = 0
        sleep(0)
        assert count == [n + 1]
    hub.wakeup.inbox.clear()


def test_a_timer_that_sets_itself_for_now_waits_for_the_next_turn(fake: Fake[FakePoller]) -> None:
    hub, count = fake.hub, [0]

    def again() -> None:
        count[0] += 1
        hub.call_at(hub.now(), again)

    hub.call_at(hub.now(), again)
    for n in range(3):
        hub.switches_left = 0
        sleep(0)
        assert count == [n + 1]
    hub.timers.clear()


# Code of a user's in the hub: a finaliser, a signal handler, a class given to Timeout

BLOCKING: list[Callable[[], object]] = [
    lambda: sleep(0),
    lambda: sleep(1),
    lambda: wait_readable(FD, 1),
    lambda: Event().wait(1),
    lambda: Semaphore(0).acquire(timeout=1),
    lambda: spawn(sleep, 1).wait(),
]


def locked() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


BLOCKING.append(lambda: locked().acquire(timeout=1))


@pytest.mark.parametrize("block", BLOCKING)
def test_code_in_the_hub_may_wait_and_everything_else_goes_on(
    fake: Fake[FakePoller], block: Callable[[], object]
) -> None:
    done: list[object] = []

    def call() -> None:
        assert in_hub()
        block()
        done.append(in_hub())

    hub_before = fake.hub.greenlet
    fake.hub.call_at(fake.hub.now(), call)
    other = spawn(lambda: (sleep(0.5), done.append("other")))
    sleep(2)
    assert sorted(done, key=str) == sorted([True, "other"], key=str)
    assert fake.hub.greenlet is hub_before
    assert fake.hub.task.state == DEAD
    assert not fake.hub.stand_ins
    assert other.dead
    settle()


def test_in_the_hub_what_need_not_wait_works(fake: Fake[FakePoller]) -> None:
    done: list[object] = []
    event, lock, semaphore, queue = Event(), Lock(), Semaphore(1), Queue[int]()
    parked = spawn(event.wait)
    settle()

    def call() -> None:
        done.append(lock.acquire())
        done.append(semaphore.acquire())
        queue.put(5)
        done.append(queue.get())
        done.append(semaphore.acquire(timeout=0))
        yield_now()
        lock.release()
        event.send("from the hub")
        spawn(done.append, "spawned")
        kill(spawn(done.append, "never"))

    fake.hub.call_at(fake.hub.now(), call)
    settle()
    assert done == [True, True, 5, False, "spawned"]
    assert parked.wait() == "from the hub"


def test_an_unstarted_thread_killed_in_the_hub_calls_its_links_elsewhere(fake: Fake[FakePoller]) -> None:
    thread, where = spawn_after(10, int), []
    thread.link(lambda gt: (where.append(in_hub()), sleep(1), where.append("parked")))
    fake.hub.call_at(fake.hub.now(), kill, thread, LookupError())
    sleep(3)
    assert where == [False, "parked"]
    with pytest.raises(LookupError):
        thread.wait()


def test_an_error_in_the_hub_reaches_main_and_the_loop_goes_on(fake: Fake[FakePoller]) -> None:
    def fail() -> None:
        raise LookupError("in the loop")

    fake.hub.call_at(fake.hub.now(), fail)
    with pytest.raises(LookupError, match="in the loop"):
        sleep(1)
    assert spawn(lambda: 5).wait() == 5


# Parking


@pytest.mark.parametrize("timeout", ["1", object(), [1]])
def test_a_timeout_that_is_no_number_is_an_error_and_leaves_the_queue(fake: Fake[FakePoller], timeout: Any) -> None:
    semaphore, event, condition, queue = Semaphore(0), Event(), Condition(), Queue[int]()
    for wait in (event.wait, queue.get, queue.join):
        if wait == queue.join:
            queue.put(1)
        with pytest.raises(TypeError, match="number of seconds"):
            wait(timeout=timeout)
        with pytest.raises(ValueError, match="nan"):
            wait(timeout=float("nan"))
    with condition:
        with pytest.raises(TypeError):
            condition.wait(timeout)
        with pytest.raises(ValueError, match="nan"):
            condition.wait(float("nan"))
        with pytest.raises(TypeError):
            condition.wait_for(lambda: False, timeout)
    with pytest.raises((TypeError, ValueError)):
        semaphore.acquire(timeout=timeout)
    with pytest.raises(ValueError, match="nan"):
        semaphore.acquire(timeout=float("nan"))
    assert semaphore.balance == 0
    assert queue.getting() == 0
    semaphore.release()
    assert semaphore.counter == 1


# A standstill


def test_a_standstill_is_a_deadlock_with_names_and_places(fake: Fake[FakePoller]) -> None:
    thread = spawn(Event().wait)
    thread.name = "the waiter"
    with pytest.raises(Deadlock) as caught:
        Event().wait()
    main, waiter = caught.value.waiting
    assert main.startswith(f"main greenlet: {__file__}:")
    assert waiter.startswith("the waiter: ")
    thread.kill()


def test_a_wait_for_a_descriptor_is_no_deadlock(fake: Fake[FakePoller]) -> None:
    thread = spawn(wait_readable, FD)
    with pytest.raises(NothingWillHappen):
        Event().wait()
    thread.kill()


def test_sleeping_for_ever_is_possible(fake: Fake[FakePoller]) -> None:
    thread = spawn(sleep, float("inf"))
    other = spawn_after(1e9, lambda: "a long time")
    assert other.wait() == "a long time"
    assert not thread.dead
    thread.kill()


# Other OS threads


def test_a_wake_up_from_another_os_thread_belongs_to_its_park() -> None:
    """One that is on its way when the park is broken off must not end the next."""
    with fake_time(patience=0.001) as fake:
        hub = fake.hub

        def thread() -> list[object]:
            me = current()
            got: list[object] = []
            me.state = PARKED
            post(me)  # chosen by the other thread; its post lies in the inbox
            me.cancel_park()  # the park does not happen
            me.state = PARKED
            got.append(me.park(hub.now() + 1))
            return got

        def post(task: Task) -> None:
            done = allocate_lock()
            done.acquire()
            start_new_thread(lambda: (task.wake("stale"), done.release()), ())
            done.acquire()

        assert spawn(thread).wait() == [TIMED_OUT]


def test_kill_reaches_what_another_os_thread_has_just_woken() -> None:
    with fake_time() as fake:

        def victim() -> str:
            try:
                sleep(1000)
            except LookupError:
                return "killed"
            return "woken"

        thread = spawn(victim)
        settle()
        done = allocate_lock()
        done.acquire()
        start_new_thread(lambda: (thread.wake(), done.release()), ())
        done.acquire()
        assert fake.hub.wakeup.inbox, "it lies in the inbox"
        thread.kill(LookupError())
        assert thread.wait() == "killed"


def test_a_wake_up_from_another_os_thread_ends_the_sleep_of_the_hub() -> None:
    with fake_time(patience=5):
        event = Event()
        start_new_thread(event.send, ("x",))
        assert event.wait(3) == "x"


def test_a_wake_up_from_another_os_thread_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = get_hub()
    if not hub.poller.edge:
        pytest.skip("nothing is armed for good here")
    real, reported = EpollPoller.wait, []

    def wait(poller: EpollPoller, timeout: float | None) -> list[tuple[int, int]]:
        events = real(poller, timeout)
        reported.extend(mask for fd, mask in events if fd == hub.wakeup.fileno())
        return events

    def send_when_it_sleeps(event: Event) -> None:
        while not hub.wakeup.sleeping:
            time_sleep(0)
        event.send()

    monkeypatch.setattr(EpollPoller, "wait", wait)
    for _ in range(3):
        event = Event()
        start_new_thread(send_when_it_sleeps, (event,))
        event.wait()
    sleep(0.001)
    assert reported == [IN, IN, IN]


def test_a_wakeup_that_is_closed_after_a_notify_touches_no_other_file() -> None:
    with fake_time() as fake:
        wakeup = fake.hub.wakeup
    wakeup.notify()
    wakeup.post(1)
    wakeup.close()


def test_a_hub_closes_its_descriptors() -> None:
    def descriptors() -> list[str]:
        return sorted(os.listdir("/proc/self/fd"))

    with fake_time():
        pass
    before = descriptors()
    with fake_time():
        assert len(descriptors()) > len(before)
    assert descriptors() == before


def test_the_hub_of_this_thread_is_one(fake: Fake[FakePoller]) -> None:
    assert get_hub() is fake.hub
    assert current().hub is fake.hub
    assert spawn(get_hub).wait() is fake.hub
    assert sys.getrefcount(fake.hub) > 1


def test_a_bell_without_edges_is_armed_again_when_it_was_heard() -> None:
    with fake_hub(edge=False) as fake:
        fd, event = fake.hub.wakeup.fileno(), Event()
        fake.hub.post(lambda: event.send("posted"))
        fake.poller.calls.clear()
        fake.poller.fire(fd, IN)
        assert event.wait() == "posted"
        assert ("arm_once", fd, IN) in fake.poller.calls


def test_a_task_may_be_posted(fake: Fake[FakePoller]) -> None:
    ran: list[int] = []
    thread = spawn(ran.append, 1)
    fake.hub.ready.remove(thread)
    fake.hub.post(thread)
    thread.wait()
    assert ran == [1]


def test_where_there_is_no_memory_for_a_runner_main_is_told_and_the_others_go_on(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    give = fake.hub._give_runner

    def fail(task: Task) -> None:
        monkeypatch.setattr(fake.hub, "_give_runner", give)
        raise MemoryError

    monkeypatch.setattr(fake.hub, "_give_runner", fail)
    order: list[int] = []
    threads = [spawn(order.append, n) for n in range(2)]
    with pytest.raises(MemoryError):
        Event().wait()
    for thread in threads:
        thread.wait()
    assert order == [1, 0]


def test_the_green_threads_that_have_begun_are_known(fake: Fake[FakePoller]) -> None:
    threads = [spawn(sleep, 1) for _ in range(2)]
    settle()
    spawn(int)
    assert set(fake.hub.tasks()) == set(threads)
    for thread in threads:
        thread.wait()
    assert fake.hub.tasks() == []
