"""eventlet.green.profile: the profiler keeps the stacks of green threads apart."""

import pstats
import sys
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.compat.eventlet.green import profile


class Clock:
    """A second passes at each reading."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def leaf() -> None:
    sleep(0)


def branch(times: int) -> None:
    for _ in range(times):
        leaf()


def program() -> str:
    threads = [spawn(branch, times) for times in (2, 3)]
    for thread in threads:
        thread.wait()
    return "end"


def counts(found: Any) -> dict[str, int]:
    stats: Any = pstats.Stats(found)
    return {name: numbers[1] for (_, _, name), numbers in stats.stats.items()}


def test_calls_of_green_threads_that_take_turns_are_counted() -> None:
    found = profile.Profile(Clock())
    assert found.runcall(program) == "end"
    calls = counts(found)
    assert (calls["program"], calls["branch"], calls["leaf"]) == (1, 2, 5)


def test_what_began_before_the_profiler_does_no_harm() -> None:
    early = spawn(branch, 2)
    sleep(0)
    found = profile.Profile(Clock())
    found.runcall(early.wait)
    assert counts(found)["leaf"] == 1


def test_what_has_not_returned_yet_is_counted_too() -> None:
    def unfinished() -> None:
        spawn(branch, 5)
        sleep(0)

    found = profile.Profile(Clock())
    found.runcall(unfinished)
    calls = counts(found)
    assert calls["unfinished"] == calls["branch"] == calls["leaf"] == 1
    sleep(0)


def test_the_functions_print_statistics(capsys: pytest.CaptureFixture[str]) -> None:
    profile.runctx("program()", {"program": program}, {})
    assert "(leaf)" in capsys.readouterr().out
    profile.run("1 + 1")
    assert "function calls" in capsys.readouterr().out


def test_runs_of_one_profiler_add_up() -> None:
    found = profile.Profile(Clock())
    found.runcall(program)
    found.runctx("branch(4)", {"branch": branch}, {})
    assert counts(found) | {"leaf": 9, "branch": 3} == counts(found)


def test_a_function_at_work_in_two_green_threads_is_not_recursive() -> None:
    found = profile.Profile(Clock())
    found.runcall(program)
    stats: Any = pstats.Stats(found)
    calls = {name: numbers[:2] for (_, _, name), numbers in stats.stats.items()}
    assert calls["branch"] == (2, 2)
    assert calls["leaf"] == (5, 5)


def test_the_time_goes_to_the_function_that_has_run() -> None:
    clock = Clock()

    def busy() -> None:
        for _ in range(10):
            clock()

    def waits() -> None:
        sleep(0)

    def both() -> None:
        waiting = spawn(waits)
        working = spawn(busy)
        waiting.wait()
        working.wait()

    found = profile.Profile(clock)
    found.runcall(both)
    stats: Any = pstats.Stats(found)
    own = {name: numbers[2] for (_, _, name), numbers in stats.stats.items()}
    assert own["busy"] >= 10
    assert own["waits"] < 10


def test_start_and_stop_profile_what_is_done_in_between() -> None:
    found = profile.Profile(Clock())
    found.start()
    found.start()
    program()
    found.stop()
    assert counts(found)["leaf"] == 5


def test_an_instance_is_what_setprofile_takes() -> None:
    found = profile.Profile(Clock())
    sys.setprofile(found)
    try:
        program()
    finally:
        sys.setprofile(None)
    assert counts(found)["leaf"] == 5


def test_methods_may_be_replaced_as_programs_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profiler that adds up its runs, made of the parts of the class."""

    def _setup(self: Any) -> None:
        self._has_setup = True
        self.cur = None
        self.timings = {}
        self.current_tasklet = current()
        self.simulate_call("profiler")

    def runcall(self: Any, func: Any, *args: Any, **kw: Any) -> Any:
        if not getattr(self, "_has_setup", False):
            self._setup()
        try:
            return self.base.runcall(self, func, *args, **kw)
        finally:
            self.TallyTimings()

    monkeypatch.setattr(profile.Profile, "_setup", _setup)
    monkeypatch.setattr(profile.Profile, "runcall", runcall)
    found = profile.Profile(Clock())
    assert found.runcall(program) == found.runcall(program) == "end"
    assert counts(found)["leaf"] == 10


def test_what_the_standard_librarys_module_has_is_there() -> None:
    assert callable(profile.main)
