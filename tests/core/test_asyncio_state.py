"""What asyncio keeps once per OS thread goes with the task that has it."""

from collections.abc import Iterator

import pytest

from greening._core.asyncio_state import ASYNCIO, AsyncioState
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.testing import settle

pytestmark = pytest.mark.usefixtures("fake")


class Slots:
    """Stands for asyncio's slots: one loop, and how often it was saved."""

    def __init__(self) -> None:
        self.loop: str | None = None
        self.saved = 0

    def busy(self) -> str | None:
        return self.loop

    def save(self, loop: str) -> str:
        assert loop == self.loop
        self.saved += 1
        self.loop = None
        return loop

    def restore(self, loop: str) -> None:
        self.loop = loop


@pytest.fixture
def slots() -> Iterator[Slots]:
    before = ASYNCIO.busy, ASYNCIO.save, ASYNCIO.restore
    slots = Slots()
    ASYNCIO.watch(slots.busy, slots.save, slots.restore)
    yield slots
    ASYNCIO.leave_alone()
    busy, ASYNCIO.save, ASYNCIO.restore = before
    if busy is not None:
        ASYNCIO.watch(*before)


def test_others_see_no_loop_while_the_task_that_runs_one_is_parked(slots: Slots) -> None:
    seen: list[str | None] = []
    spawn(lambda: seen.append(slots.loop))
    slots.loop = "of main"
    sleep(0)
    assert seen == [None]
    assert slots.loop == "of main"


def test_each_task_gets_its_own_loop_back(slots: Slots) -> None:
    seen: list[tuple[str, str | None]] = []

    def run(name: str) -> None:
        slots.loop = name
        for _ in range(3):
            sleep(1)
            seen.append((name, slots.loop))
        slots.loop = None

    threads = [spawn(run, name) for name in ("a", "b")]
    for thread in threads:
        thread.wait()
    assert seen == [("a", "a"), ("b", "b")] * 3
    assert slots.loop is None


def test_a_wait_that_is_interrupted_puts_the_loop_back(slots: Slots) -> None:
    seen: list[str | None] = []

    def run() -> None:
        slots.loop = "its own"
        try:
            Event().wait()
        except GreenletExit:
            seen.append(slots.loop)
            slots.loop = None

    thread = spawn(run)
    settle()
    assert slots.loop is None
    thread.kill()
    assert seen == ["its own"]


def test_without_a_running_loop_nothing_is_saved(slots: Slots) -> None:
    spawn(sleep, 1).wait()
    assert slots.saved == 0


def test_what_is_saved_when_the_slots_are_left_alone_is_restored(slots: Slots) -> None:
    event, seen = Event(), []

    def run() -> None:
        slots.loop = "its own"
        event.wait()
        seen.append(slots.loop)
        sleep(0)
        slots.loop = None

    thread = spawn(run)
    settle()
    ASYNCIO.leave_alone()
    event.send()
    thread.wait()
    assert seen == ["its own"]
    assert slots.saved == 1, "not at the sleep"


def test_at_first_there_is_nothing_to_look_after() -> None:
    state = AsyncioState()
    assert state.busy is None
    assert state.save("anything") is None
    assert state.restore("anything") is None  # type: ignore[func-returns-value]  # it does nothing
