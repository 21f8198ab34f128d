"""Which task runs hangs on the running greenlet."""

import pytest
from greenlet import getcurrent, greenlet

from greening._core import running
from greening._core.greenthread import spawn
from greening._core.running import ADOPTION, known_task, running_task, set_task, task_of, waiting_task
from greening._core.task import Task
from greening.testing import Fake, FakePoller


def test_a_greenlet_of_the_engine_has_its_task(fake: Fake[FakePoller]) -> None:
    assert running_task() is waiting_task() is known_task() is task_of(getcurrent()) is fake.hub.main
    thread = spawn(lambda: (running_task(), waiting_task(), known_task()))
    assert thread.wait() == (thread, thread, thread)


@pytest.mark.parametrize("ask", [running_task, waiting_task])
def test_a_greenlet_that_is_not_known_is_adopted(fake: Fake[FakePoller], ask: object) -> None:
    glet = greenlet(lambda: (known_task(), ask(), known_task()))  # type: ignore[operator]  # a function
    before, task, after = glet.switch()
    assert before is None
    assert after is task is task_of(glet)
    assert task.hub is fake.hub


def test_a_task_is_hung_on_a_greenlet_and_taken_off(fake: Fake[FakePoller]) -> None:
    glet, task = greenlet(), Task(fake.hub)
    assert task_of(glet) is None
    set_task(glet, task)
    assert task_of(glet) is task
    set_task(glet, None)
    assert task_of(glet) is None


def test_when_there_are_no_greenlets_any_more_a_task_that_blocks_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise RuntimeError("the interpreter is being finalized")

    blocking = object()
    monkeypatch.setattr(running, "getcurrent", gone)
    monkeypatch.setattr(ADOPTION, "block", lambda: blocking)
    assert running_task() is blocking
    assert waiting_task() is blocking
    assert known_task() is None
