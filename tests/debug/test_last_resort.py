"""The timer of `faulthandler`: set anew by the watchdog, unless the program uses it itself."""

import faulthandler
import os
from collections.abc import Iterator
from math import inf
from typing import Any

import pytest

from greening._originals import monotonic
from greening.debug import last_resort
from greening.debug.last_resort import LastResort


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []
    monkeypatch.setattr(last_resort, "_set", lambda seconds, *args, **kwargs: made.append(seconds))
    monkeypatch.setattr(last_resort, "_cancel", lambda: made.append("cancel"))
    monkeypatch.setattr(last_resort, "_is_set", lambda: False)
    return made


@pytest.fixture
def last(calls: list[Any]) -> Iterator[LastResort]:
    made = LastResort(4.0, 2)
    made.begin()
    yield made
    made.end()


def test_it_is_set_anew_a_few_times_in_its_period(last: LastResort, calls: list[Any]) -> None:
    now = monotonic()
    for step in range(9):
        last.put_off(now + step * 0.25)
    assert calls == [4.0] * 3


def test_the_programs_own_timer_is_left_alone(last: LastResort, calls: list[Any]) -> None:
    now = monotonic()
    last.put_off(now)
    faulthandler.dump_traceback_later(100)
    last.put_off(now + 50)
    assert calls == [4.0, 100]
    last.put_off(now + 102)
    assert calls == [4.0, 100, 4.0], "theirs has fired"
    faulthandler.dump_traceback_later(1, repeat=True)
    last.put_off(now + 10_000)
    faulthandler.cancel_dump_traceback_later()
    last.put_off(now + 10_001)
    assert calls == [4.0, 100, 4.0, 1, "cancel", 4.0]


def test_a_timer_that_could_not_be_set_is_not_the_programs(
    last: LastResort, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*args: Any) -> None:
        raise ValueError("timeout")

    with monkeypatch.context() as patch:
        patch.setattr(last_resort, "_set", refuses)
        with pytest.raises(ValueError, match="timeout"):
            faulthandler.dump_traceback_later(-1)
    last.put_off(monotonic())
    assert calls == [4.0]


def test_at_the_end_the_functions_are_faulthandlers_again(calls: list[Any]) -> None:
    before = faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later
    last = LastResort(4.0, 2)
    last.begin()
    assert faulthandler.dump_traceback_later != before[0]
    last.put_off(monotonic())
    last.end()
    assert (faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later) == before
    assert calls == [4.0, "cancel"]


def test_an_earlier_timer_of_the_programs_is_not_replaced(run_program: Any) -> None:
    done = run_program(
        "import faulthandler, time\n"
        "from greening.debug import last_resort\n"
        "assert not last_resort._is_set()\n"
        "faulthandler.dump_traceback_later(50)\n"
        "while not last_resort._is_set(): time.sleep(0)  # its thread blocks signals when it runs\n"
        "faulthandler.cancel_dump_traceback_later()\n"
    )
    assert done.stderr == ""


def test_the_child_of_a_fork_sets_no_timer_that_its_parent_had_set(last: LastResort, calls: list[Any]) -> None:
    faulthandler.dump_traceback_later(100)
    last.in_child()
    last.put_off(monotonic() + 1000)
    assert calls == [100]
    assert inf > monotonic()


def test_stacks_are_written_while_c_code_keeps_the_gil(run_program: Any, tmp_path: Any) -> None:
    """`ctypes.pythonapi` calls with the GIL: this thread sleeps with it, and nothing else runs."""
    path = tmp_path / "stacks"
    run_program(
        "import ctypes, sys\n"
        "from greening.debug.last_resort import LastResort\n"
        "def keeps():\n"
        "    ctypes.PyDLL(None).usleep(60_000)\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    last = LastResort(0.01, file.fileno())\n"
        "    last.put_off(0.0)\n"
        "    keeps()\n"
        "    last.end()\n",
        str(path),
    )
    assert "line 4 in keeps" in path.read_text()
    assert os.path.getsize(path) > 0
