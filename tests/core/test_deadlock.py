"""A standstill is a deadlock only if nothing outside the hub may still wake a task."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core import deadlock
from greening._core.current import get_hub
from greening._core.deadlock import GRACE, LOOK_AGAIN, Settings, deadlock_of, is_alone, report_deadlock
from greening._core.greenthread import spawn
from greening._core.poller import IN
from greening._core.waiting import sleep, wait_fd
from greening._originals import get_native_id
from greening.errors import Deadlock
from greening.sync.event import Event
from greening.testing import Fake, FakePoller, settle

FD = 1007


@pytest.fixture(autouse=True)
def os_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The native ids that the system's list of OS threads has: the calling one alone, until a test adds others."""
    ids = [get_native_id()]
    monkeypatch.setattr(deadlock, "_listdir", lambda path: [str(one) for one in ids])
    return ids


@pytest.fixture
def handler() -> Iterator[Callable[[Any], None]]:
    """Call it with what is to be the handler of SIGUSR1."""
    before = signal.getsignal(signal.SIGUSR1)

    def install(what: Any) -> None:
        signal.signal(signal.SIGUSR1, what)

    yield install
    signal.signal(signal.SIGUSR1, before)


def is_reported(fake: Fake[FakePoller]) -> bool:
    report_deadlock(fake.hub)
    try:
        sleep(0)
    except Deadlock:
        return True
    return False


def test_one_that_is_alone_is_told(fake: Fake[FakePoller]) -> None:
    assert is_reported(fake)
    assert len(fake.hub.timers) == 0


def test_beside_another_os_thread_it_looks_again_after_a_moment(fake: Fake[FakePoller], os_threads: list[int]) -> None:
    os_threads.append(1)
    assert not is_reported(fake)
    assert fake.hub.timers.next_deadline() == fake.clock.now() + LOOK_AGAIN


def test_an_idle_native_thread_wakes_no_task(
    fake: Fake[FakePoller], os_threads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    os_threads.append(1)
    monkeypatch.setattr(deadlock, "idle_natives", {1})
    assert is_reported(fake)


@pytest.mark.parametrize("count", [0, 1])
def test_without_proc_the_threads_of_python_count(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    def missing(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(deadlock, "_listdir", missing)
    monkeypatch.setattr(deadlock, "thread_count", lambda: count)
    monkeypatch.setattr(deadlock, "idle_natives", set())
    assert is_reported(fake) == (count == 0)


def test_only_the_first_os_thread_is_told(fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlock, "first_thread", 0)
    assert not is_reported(fake)
    assert not is_alone(fake.hub)


def test_a_signal_handler_may_wake_a_task_so_the_report_waits_for_a_grace(
    fake: Fake[FakePoller], handler: Callable[[Any], None]
) -> None:
    handler(lambda *args: None)
    assert not is_reported(fake)
    assert fake.hub.timers.next_deadline() == fake.clock.now() + GRACE
    assert not is_alone(fake.hub)
    fake.clock.advance(GRACE / 2)
    assert not is_reported(fake)
    fake.clock.advance(GRACE / 2)
    report_deadlock(fake.hub)
    with pytest.raises(Deadlock, match=r"The program handles signal 10|The program handles SIGUSR1, but no signal"):
        sleep(0)


def test_a_signal_that_comes_begins_the_grace_anew(fake: Fake[FakePoller], handler: Callable[[Any], None]) -> None:
    handler(lambda *args: None)
    assert not is_reported(fake)
    fake.clock.advance(GRACE - 1)
    fake.hub._drain_wakeup()  # what every wake-up of a hub that sleeps does
    assert not is_reported(fake)
    fake.clock.advance(2)
    assert not is_reported(fake)
    fake.clock.advance(GRACE)
    assert is_reported(fake)


def test_a_program_that_reads_signals_from_a_descriptor_waits_for_them(
    fake: Fake[FakePoller], handler: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler(lambda *args: None)
    monkeypatch.setattr(deadlock.SETTINGS, "wakeup_fd", True)
    for _ in range(2):
        assert not is_reported(fake)
        fake.clock.advance(2 * GRACE)


def test_the_environment_sets_the_grace_and_switches_the_report_off(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [Settings(text).grace for text in ("", "0.5", "off", "0")] == [GRACE, 0.5, None, 0.0]
    monkeypatch.setattr(deadlock.SETTINGS, "grace", None)
    assert not is_reported(fake)


def test_a_handler_that_wakes_nothing_is_none(fake: Fake[FakePoller], handler: Callable[[Any], None]) -> None:
    class Dumper:
        wakes = False

        def __call__(self, signum: int, frame: object) -> None: ...

    handler(Dumper())
    assert is_reported(fake)


def test_one_who_wants_to_know_is_told_before_main_is(fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Deadlock] = []
    monkeypatch.setattr(deadlock.SETTINGS, "on_report", told.append)
    report_deadlock(fake.hub)
    with pytest.raises(Deadlock) as caught:
        sleep(0)
    assert told == [caught.value]


def test_handlers_that_end_the_program_or_do_nothing_wake_no_task(
    fake: Fake[FakePoller], handler: Callable[[Any], None]
) -> None:
    for harmless in (signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler):
        handler(harmless)
        assert is_reported(fake)


def test_the_case_that_a_handler_is_in_is_opened(fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch) -> None:
    class Case:
        def __init__(self, handler: object) -> None:
            self.handler = handler

    case = Case(signal.default_int_handler)
    monkeypatch.setattr(deadlock, "getsignal", lambda number: case)
    assert is_reported(fake)
    case.handler = print
    assert not is_reported(fake)


def test_a_wake_up_that_lies_in_the_inbox_is_no_standstill(fake: Fake[FakePoller]) -> None:
    woken: list[int] = []
    fake.hub.post(lambda: woken.append(1))
    assert not is_reported(fake)
    assert woken == [1]


def test_one_that_waits_for_nothing_else_is_alone(fake: Fake[FakePoller]) -> None:
    assert is_alone(fake.hub)
    with fake.hub.external_wait():
        assert not is_alone(fake.hub)
    timer = fake.hub.call_at(fake.clock.now() + 1, int)
    assert not is_alone(fake.hub)
    timer.cancel()
    fake.hub.post(int)
    assert not is_alone(fake.hub)
    sleep(0)
    reader = spawn(wait_fd, FD, IN)
    assert not is_alone(fake.hub)
    settle()
    assert not is_alone(fake.hub)
    reader.kill()
    assert is_alone(fake.hub)


def test_beside_another_os_thread_it_is_not_alone(fake: Fake[FakePoller], os_threads: list[int]) -> None:
    os_threads.append(1)
    assert not is_alone(fake.hub)


def test_the_report_names_the_line_that_is_not_the_engines(fake: Fake[FakePoller]) -> None:
    event = Event()

    def waits_here() -> None:
        event.wait()

    threads = [spawn(waits_here), spawn(event.wait), spawn(int)]
    for name, thread in zip("abc", threads, strict=True):
        thread.name = name
    settle()
    first, second = deadlock_of(get_hub()).waiting
    assert first.startswith(f"a: {__file__}:")
    assert " in waits_here, waits for event (Event at " in first
    assert second.startswith("b: ")
    event.send()


def test_a_report_that_fails_is_a_deadlock_all_the_same(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(deadlock, "import_module", fail)
    [line] = deadlock_of(fake.hub).waiting
    assert "ImportError('greening.debug.deadlocks')" in line


@pytest.mark.parametrize("asked_for", ["soon", "-1", "nan"])
def test_a_grace_that_is_no_number_of_seconds_is_told_and_not_taken(
    asked_for: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Settings(asked_for).grace == GRACE
    assert f"GREENING_DEADLOCK={asked_for}: a number of seconds is needed, or off" in capsys.readouterr().err
