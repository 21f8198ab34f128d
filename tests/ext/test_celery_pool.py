"""The pool itself, without a worker: its places, its size and its end."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

pytest.importorskip("celery", reason="Celery is not installed: the extra ext-test has it")

from celery.exceptions import ImproperlyConfigured
from kombu.asynchronous import Hub

from greening import Event, GreenThread, getcurrent, sleep, spawn, spawn_after
from greening.ext.celery_pool import TaskPool
from greening.green import select as green_select

pytestmark = pytest.mark.filterwarnings("ignore")  # Celery's own deprecations


class Site:
    """A pool, and what it did."""

    def __init__(self, limit: int) -> None:
        self.pool = TaskPool(limit)
        self.pool.start()
        self.results: list[Any] = []
        self.numbers: list[int] = []

    def apply(self, target: Callable[..., Any], *args: Any, **options: Any) -> Any:
        accept = options.pop("accept_callback", lambda number, _: self.numbers.append(number))
        return self.pool.apply_async(
            target, args, callback=self.results.append, accept_callback=accept, error_callback=self.failed, **options
        )

    def failed(self, info: Any) -> None:
        self.results.append(info.type)

    @property
    def info(self) -> tuple[int, int, int]:
        """Green threads, running and waiting jobs."""
        info = self.pool.info
        return info["green-threads"], info["running"], info["waiting"]


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(2)
    yield site
    site.pool.terminate()
    sleep(0)  # the idle ones end


def test_no_more_run_at_once_than_there_are_places(site: Site) -> None:
    for _ in range(5):
        site.apply(sleep, 0.01)
    sleep(0)
    assert site.info == (2, 2, 3)
    while len(site.results) < 5:
        sleep(0.005)
    assert site.info == (2, 0, 0)


def test_the_thread_that_was_used_last_is_used_next(site: Site) -> None:
    site.apply(sleep, 0.01)
    site.apply(sleep, 0.02)
    sleep(0.04)
    site.results.clear()
    for _ in range(3):
        site.apply(getcurrent)
        sleep(0)
    assert len(set(map(id, site.results))) == 1


def test_a_killed_thread_is_replaced_and_no_job_is_lost(site: Site) -> None:
    threads: list[Any] = []
    for _ in range(2):
        site.apply(lambda: threads.append(getcurrent()))
    sleep(0)
    for number in range(2):  # they have the job, and have not begun it
        site.apply(lambda number=number: number)
    for thread in threads:
        assert isinstance(thread, GreenThread)
        thread.kill()
    sleep(0.01)
    assert site.results[2:] == [0, 1]


def test_a_job_is_ended_by_its_number_and_its_place_is_free(site: Site) -> None:
    site.apply(sleep, 60)
    site.apply(sleep, 60)
    site.apply(lambda: "next")
    sleep(0)
    site.pool.terminate_job(site.numbers[0])
    site.pool.terminate_job(12345)  # one that has ended is no error
    sleep(0)
    assert site.results == ["next"]


def test_grow_starts_what_waits(site: Site) -> None:
    for _ in range(5):
        site.apply(sleep, 60)
    sleep(0)
    site.pool.grow(2)
    sleep(0)
    assert site.info == (4, 4, 1)
    assert site.pool.num_processes == 4


def test_shrink_ends_idle_threads_and_nothing_that_runs(site: Site) -> None:
    site.pool.grow(2)
    done = Event()
    for _ in range(3):
        site.apply(sleep, 0)
    site.apply(done.wait)
    while len(site.results) < 3 or site.info[1] > 1:
        sleep(0)
    site.pool.shrink(3)
    while site.info[0] > 1:
        sleep(0)
    assert site.info == (1, 1, 0)
    done.send("it went on")
    while len(site.results) < 4:
        sleep(0)
    assert site.results[-1] == "it went on"
    with pytest.raises(ValueError, match="has room for 1 tasks and cannot shrink by 2"):
        site.pool.shrink(2)


def test_a_pool_of_none_runs_what_waits_when_it_grows() -> None:
    """`--autoscale 10,0`."""
    site = Site(0)
    site.apply(lambda: 1)
    sleep(0)
    assert site.results == []
    site.pool.grow(1)
    sleep(0)
    assert site.results == [1]
    site.pool.terminate()
    sleep(0)


def test_flush_drops_what_has_not_begun(site: Site) -> None:
    for _ in range(5):
        site.apply(sleep, 0.01)
    sleep(0)
    site.pool.flush()
    sleep(0.03)
    assert len(site.results) == 2


def test_stop_drops_what_waits_as_a_cold_shutdown_stops_without_closing(site: Site) -> None:
    for _ in range(3):
        site.apply(sleep, 60)
    sleep(0)
    for number in site.numbers:
        site.pool.terminate_job(number)
    site.pool.stop()
    assert len(site.numbers) == 2


def test_stop_waits_for_what_runs_and_a_closed_pool_takes_nothing(site: Site) -> None:
    for _ in range(3):
        site.apply(sleep, 0.02)
    sleep(0)
    site.pool.close()
    assert site.apply(sleep, 0) is None
    stopping = spawn(site.pool.stop)
    sleep(0)
    assert not stopping.dead
    stopping.wait()
    assert len(site.results) == 2


@pytest.fixture
def loop(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Celery's loop, in which the pool tells what becomes of its tasks, as it is in a patched process."""
    monkeypatch.setattr("kombu.utils.eventio.epoll", green_select.epoll)
    loop = Hub()
    site.pool.register_with_event_loop(loop)
    yield loop
    site.pool.terminate()
    loop.close()


def test_a_call_of_the_loop_may_stop_the_pool(site: Site, loop: Any) -> None:
    """The handler of a signal does, while other tasks have ended and wait to be told."""
    site.apply(sleep, 0, accept_callback=lambda *_: site.pool.stop())
    site.apply(sleep, 0)
    sleep(0)
    sleep(0)
    loop.run_once()
    assert site.results == [None, None]


def test_the_pool_may_be_stopped_while_it_stops(site: Site, loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A second signal, of a user who has no patience."""
    site.apply(sleep, 60)
    sleep(0)

    def end() -> None:
        site.pool.terminate_job(site.numbers[0])
        site.pool.stop()

    loop.call_later(0.02, end)
    site.pool.stop()
    assert site.results == [] and not caplog.records


def test_stop_does_not_wait_for_what_is_not_told(site: Site, loop: Any) -> None:
    site.apply(sleep, 60)
    while not site.numbers:
        sleep(0)
        loop.run_once()
    begin = monotonic()
    spawn_after(0.01, site.pool.terminate_job, site.numbers[0])
    site.pool.stop()
    assert monotonic() - begin < 0.9  # the loop's poll takes a second


def test_two_shutdowns_may_wait_for_what_runs(site: Site) -> None:
    site.apply(sleep, 0.02)
    sleep(0)
    stopping = [spawn(site.pool.stop) for _ in range(2)]
    for each in stopping:
        each.wait()
    assert site.results == [None]


def test_terminate_unwinds_what_runs(site: Site) -> None:
    unwound: list[int] = []

    def unwind() -> None:
        try:
            sleep(60)
        finally:
            sleep(0.01)
            unwound.append(1)

    site.apply(unwind)
    sleep(0)
    site.pool.terminate()
    assert unwound == [1] and site.results == []


@pytest.mark.parametrize("option", ["maxtasksperchild", "max_memory_per_child"])
def test_what_replaces_children_is_refused(option: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="is set to 3, but greening's pool runs all tasks in green threads"):
        TaskPool(2, **{option: 3})
