"""multiprocessing.popen_spawn_posix, patched."""

import pytest


@pytest.mark.slow
def test_others_run_while_a_child_is_not_ready_for_its_arguments(run_program) -> None:
    run_program("multiprocessing_start.py", "spawn")
