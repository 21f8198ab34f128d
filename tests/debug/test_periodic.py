"""The OS thread of an instrument: unknown to the program, away before a fork, back after it."""

from collections.abc import Iterator
from typing import Any

import pytest

from greening._core.deadlock import idle_natives
from greening._originals import allocate_lock, get_ident
from greening.debug.periodic import COMM, Periodic, comm, threads_called, wait_gone


class Looks:
    """Looks that can be waited for."""

    def __init__(self) -> None:
        self.looked = allocate_lock()
        self.looked.acquire()
        self.error: Exception | None = None
        self.natives: set[int] = set()
        self.started_by = self.paused = 0

    def look(self) -> float:
        self.natives = threads_called(COMM) & idle_natives
        if self.looked.locked():
            self.looked.release()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return 0.001

    def start(self) -> None:
        self.started_by = get_ident()

    def pause(self) -> None:
        self.paused += 1

    def wait(self) -> None:
        assert self.looked.acquire(True, 10)


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def periodic(looks: Looks) -> Iterator[Periodic]:
    made = Periodic(looks.look, 0.001, looks.start, looks.pause, lambda: True)
    made.begin()
    yield made
    made.end()


def test_it_looks_again_and_again(periodic: Periodic, looks: Looks) -> None:
    looks.wait()
    looks.wait()
    assert periodic.ident == looks.started_by != get_ident()


def test_it_keeps_no_deadlock_from_being_reported(periodic: Periodic, looks: Looks) -> None:
    looks.wait()
    looks.wait()
    assert len(looks.natives) == 1


def test_at_the_end_the_thread_is_gone_for_the_system(periodic: Periodic, looks: Looks) -> None:
    looks.wait()
    looks.wait()
    (native_id,) = looks.natives
    assert comm(str(native_id)) == COMM
    periodic.end()
    assert comm(str(native_id)) == ""
    assert native_id not in idle_natives
    assert looks.paused == 1
    periodic.end()
    assert looks.paused == 1, "idempotent"
    wait_gone([native_id])


def test_an_error_is_reported_and_the_next_look_comes(
    periodic: Periodic, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", reports.append)
    looks.wait()
    looks.error = KeyError("look")
    while not reports:
        looks.wait()
    looks.wait()
    assert reports[0].exc_type is KeyError


FORK = """
import os, sys, warnings
import greening
from greening.debug.periodic import COMM, Periodic, threads_called
warnings.simplefilter("error")
answers = []
paused = lambda: answers.append(threads_called(COMM))
periodic = Periodic(lambda: 0.001, 0.001, lambda: None, paused, lambda: {in_child})
periodic.begin()
greening.sleep(0)
before = threads_called(COMM)
pid = os.fork()
if pid == 0:
    os._exit(len(threads_called(COMM)))
assert answers == [set()], "away before the fork"
greening.sleep(0.001)
assert len(threads_called(COMM)) == 1 and threads_called(COMM) != before, "back in the hub's next turn"
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
periodic.end()
"""


@pytest.mark.parametrize("in_child", [True, False])
def test_a_fork_meets_no_other_thread(run_program: Any, in_child: bool) -> None:
    done = run_program(FORK.format(in_child=in_child))
    assert done.stdout.split() == [str(int(in_child))]
    assert done.stderr == ""
