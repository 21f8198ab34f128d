"""One task in the pool: what Celery is told, and what ends it from outside."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("celery", reason="Celery is not installed: the extra ext-test has it")

from celery.exceptions import SoftTimeLimitExceeded, WorkerLostError, WorkerShutdown, WorkerTerminate
from celery.worker import state
from greenlet import GreenletExit

from greening import Timeout, sleep, spawn
from greening.ext.celery_job import HardTimeLimit, Job

pytestmark = pytest.mark.filterwarnings("ignore")  # Celery's own deprecations


class Told:
    """What Celery was told of a job."""

    def __init__(self, target: Callable[..., Any], *, soft: float | None = None, hard: float | None = None) -> None:
        self.news: list[Any] = []
        note = self.news.append
        self.job = Job(
            7,
            target,
            (),
            None,
            lambda result: note(("result", result)),
            lambda info: note(("failure", info.type)),
            lambda number, _: note(("accepted", number)),
            lambda is_soft, seconds: note(("soft" if is_soft else "hard", seconds)),
            soft,
            hard,
        )

    def run(self) -> list[Any]:
        self.job.run(lambda func, *args: func(*args))
        return self.news


def forever() -> None:
    sleep(60)


def test_a_result_is_told() -> None:
    assert Told(lambda: 5).run() == [("accepted", 7), ("result", 5)]


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GreenletExit])
def test_whatever_a_task_raises_is_its_failure(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    assert Told(fail).run()[-1][0] == "failure"


@pytest.mark.parametrize(("error", "told"), [(Timeout(None), TimeoutError), (GreenletExit(), WorkerLostError)])
def test_what_clients_must_not_make_anew_is_told_as_something_else(error: BaseException, told: type[Exception]) -> None:
    def fail() -> None:
        raise error

    assert Told(fail).run()[-1] == ("failure", told)


def test_the_soft_limit_can_be_caught() -> None:
    def catch() -> str:
        try:
            sleep(60)
        except SoftTimeLimitExceeded:
            return "caught"
        return "not reached"

    assert Told(catch, soft=0.01).run() == [("accepted", 7), ("soft", 0.01), ("result", "caught")]


def test_the_hard_limit_is_told_before_the_task_has_unwound() -> None:
    unwound: list[type[BaseException]] = []

    def unwind() -> None:
        try:
            sleep(60)
        except BaseException as error:
            sleep(0.02)
            unwound.append(type(error))
            told_before.extend(told.news)
            raise

    told_before: list[Any] = []
    told = Told(unwind, hard=0.01)
    assert told.run() == told_before == [("accepted", 7), ("hard", 0.01)]
    assert unwound == [HardTimeLimit]


def test_a_task_that_ends_in_time_hears_of_no_limit() -> None:
    told = Told(lambda: sleep(0.01), soft=0.03, hard=0.04)
    thread = spawn(told.run)
    thread.wait()
    sleep(0.06)
    assert told.news == [("accepted", 7), ("result", None)]


def test_a_job_that_is_ended_tells_nothing() -> None:
    told = Told(forever)
    thread = spawn(told.run)
    sleep(0)
    told.job.end(GreenletExit())
    assert thread.wait() == [("accepted", 7)]


def test_a_job_that_is_revoked_while_it_waits_does_not_run() -> None:
    def begin() -> None:
        raise AssertionError("it has begun")

    told = Told(begin)
    told.job.terminate(15)
    assert told.run() == [("accepted", 7)]  # which is when Celery says that it was revoked


def test_callbacks_are_not_interrupted() -> None:
    """Celery ends a task while what became of it is written down."""
    told = Told(lambda: 5)

    def tell(func: Callable[..., Any], *args: Any) -> None:
        told.job.end(GreenletExit()) if told.news else None
        sleep(0)
        func(*args)

    thread = spawn(told.job.run, tell)
    assert thread.wait() is None
    assert told.news == [("accepted", 7)]


@pytest.mark.parametrize(("error", "flag"), [(WorkerShutdown, "should_stop"), (WorkerTerminate, "should_terminate")])
def test_a_task_that_stops_the_worker(error: type[SystemExit], flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise error(4)

    monkeypatch.setattr(state, flag, None)
    Told(stop).run()
    assert getattr(state, flag) == 4
