"""eventlet.green.profile: the profiler keeps the stacks of green threads apart."""

import pstats
from typing import Any

import pytest

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
