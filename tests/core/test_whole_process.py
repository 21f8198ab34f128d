"""The engine in whole processes: standstills, signal handlers, OS threads, forks."""

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("program", ["engine_deadlock.py", "engine_signals.py", "engine_threads.py", "engine_fork.py"])
def test_program(program: str, run_program) -> None:
    run_program(program)
