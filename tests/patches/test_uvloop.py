"""uvloop beside green threads."""

import pytest


@pytest.mark.slow
def test_green_threads_run_beside_a_loop_that_waits_in_c(run_program) -> None:
    run_program("uvloop_beside_green.py", "stub")


@pytest.mark.slow
def test_green_threads_run_beside_uvloop(run_program) -> None:
    pytest.importorskip("uvloop")
    run_program("uvloop_beside_green.py", "real")
