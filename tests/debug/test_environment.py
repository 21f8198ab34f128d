"""Variables of the environment start instruments, and nonsense in them ends no program."""

from collections.abc import Callable
from typing import Any

import pytest

from greening.debug.environment import VARIABLES, start

RunProgram = Callable[..., Any]


def test_the_place_of_a_spawn_is_kept_with_the_variable_set(run_program: RunProgram) -> None:
    program = (
        "import greening, sys\n"
        "greening.spawn(greening.sleep, 100)\ngreening.sleep(0)\n"
        "greening.debug.dump(sys.stdout)\n"
    )
    assert "spawned by" in run_program(program, env={"GREENING_DEBUG": "1"}).stdout
    assert "spawned by" not in run_program(program, env={"GREENING_DEBUG": "0"}).stdout


def test_without_variables_no_instrument_is_loaded(run_program: RunProgram) -> None:
    done = run_program("import greening, sys\nprint([name for name in sys.modules if 'greening.debug' in name])")
    assert done.stdout == "[]\n"


def test_what_makes_no_sense_is_told_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    start({"GREENING_DUMP": "SIGWHAT"})
    assert capsys.readouterr().err == (
        "greening: GREENING_DUMP=SIGWHAT: there is no signal 'SIGWHAT'; SIGUSR2 is one\n"
    )
    start(dict.fromkeys(VARIABLES, "0"))
    start(dict.fromkeys(VARIABLES, ""))
    assert capsys.readouterr().err == ""
