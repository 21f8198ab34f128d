"""asyncio's tasks in a trace: steps, waits, wake-ups; nothing is left of it afterwards."""

import asyncio
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.journal import JOURNAL
from greening.debug.asyncio_jobs import JOB_END, JOB_READY, JOB_RUN, JOB_WAIT, Jobs, awaited_by, name_of

Steps = list[tuple[int, str]]
Record = Callable[[Coroutine[Any, Any, Any]], Steps]


@pytest.fixture
def record() -> Iterator[Record]:
    """Run a coroutine; return the steps of all tasks, and what is told of them."""
    jobs = Jobs()
    get_hub()

    def run(coroutine: Coroutine[Any, Any, Any]) -> Steps:
        JOURNAL.begin(10_000, lambda: None)
        jobs.install()
        try:
            asyncio.run(coroutine)
        finally:
            JOURNAL.end()
            jobs.remove()
        entries = [JOURNAL[index] for index in range(len(JOURNAL))]
        return [(kind, label or "") for _, kind, _, _, _, label in entries if kind >= JOB_RUN]

    yield run
    JOURNAL.clear()


def of(steps: Steps, name: str) -> list[tuple[int, str]]:
    return [(kind, label) for kind, label in steps if label.endswith(f"({name})") or label == name]


async def puts(queue: "asyncio.Queue[int]") -> None:
    await queue.put(1)


async def talks() -> int:
    queue: asyncio.Queue[int] = asyncio.Queue()
    task = asyncio.create_task(puts(queue), name="putter")
    item = await queue.get()
    await task
    return item


def test_a_task_runs_awaits_and_ends(record: Record) -> None:
    steps = record(talks())
    assert [kind for kind, _ in of(steps, "puts")] == [JOB_RUN, JOB_END]
    assert of(steps, "puts")[0] == (JOB_RUN, "putter (puts)")
    assert (JOB_WAIT, "Queue.get") in steps


def test_a_step_that_is_scheduled_names_the_task_that_did_it(record: Record) -> None:
    record(talks())
    entries = [JOURNAL[index] for index in range(len(JOURNAL))]
    number = {label: subject for _, kind, subject, _, _, label in entries if kind == JOB_RUN}
    putter = number["putter (puts)"]
    main = next(found for label, found in number.items() if label.endswith("(talks)"))
    wakes = [(subject, other) for _, kind, subject, other, _, _ in entries if kind == JOB_READY]
    assert (putter, main) in wakes
    assert (main, putter) in wakes


def test_other_callbacks_are_no_steps(record: Record) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(asyncio.sleep(10))
        loop.call_soon(task.cancel)  # a method of a task, and no step of it
        with pytest.raises(asyncio.CancelledError):
            await task

    steps = record(main())
    assert [kind for kind, _ in of(steps, "sleep")].count(JOB_RUN) == 2


def test_an_error_of_a_step_goes_where_it_always_goes(record: Record) -> None:
    async def fails() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        record(fails())


def test_nothing_is_left_of_it() -> None:
    before = events.Handle._run, events.Handle.__init__
    jobs = Jobs()
    jobs.install()
    assert events.Handle._run is not before[0]
    jobs.remove()
    jobs.remove()
    assert (events.Handle._run, events.Handle.__init__) == before


def test_another_tool_that_has_replaced_the_same_meanwhile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs()
    jobs.install()
    ours = events.Handle._run

    def theirs(self: Any) -> Any:
        return ours(self)

    monkeypatch.setattr(events.Handle, "_run", theirs)
    jobs.remove()
    assert events.Handle._run is theirs
    asyncio.run(asyncio.sleep(0))  # ours notes nothing any more


def test_what_a_task_awaits_is_its_innermost_coroutine() -> None:
    seen: list[str] = []

    async def outer() -> None:
        await asyncio.sleep(10)

    async def bare(future: "asyncio.Future[None]") -> None:
        await future

    async def main() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tasks = [asyncio.create_task(outer()), asyncio.create_task(bare(future), name="b")]
        await asyncio.sleep(0)
        seen.extend([awaited_by(task) for task in tasks])
        seen.append(name_of(tasks[1]))
        for task in tasks:
            task.cancel()

    asyncio.run(main())
    here = "test_what_a_task_awaits_is_its_innermost_coroutine.<locals>"
    assert seen == ["sleep", "a future", f"b ({here}.bare)"]


def test_asyncio_that_is_imported_later_is_seen(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import sys
from greening.debug import trace
assert "asyncio" not in sys.modules
with trace("t.json"):
    import asyncio
    asyncio.run(asyncio.sleep(0))
assert "Task-1 (sleep)" in open("t.json").read()
"""
    )
