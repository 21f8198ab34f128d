"""The callables of the stdlib that the engine has bound before anything is patched."""

import pytest

from greening import _originals

PROGRAM = """
import os, select, socket, threading, time
from greening import _originals

before = {name: value for name, value in vars(_originals).items() if callable(value)}
import greening
greening.monkey_patch()
assert {name: value for name, value in vars(_originals).items() if callable(value)} == before
assert _originals.time_sleep is not time.sleep
assert _originals.get_ident is not threading.get_ident
assert _originals.poll is not select.poll
assert _originals.select is not select.select
begun = time.monotonic()
_originals.time_sleep(0.001)
assert time.monotonic() > begun
"""


@pytest.mark.slow
def test_a_patched_process_changes_none_of_them(run_program) -> None:
    run_program(PROGRAM)


def test_the_functions_are_those_of_the_interpreter() -> None:
    for name in ("get_ident", "monotonic", "time_sleep", "gc_enable", "gc_disable", "allocate_lock"):
        assert type(getattr(_originals, name)).__name__ == "builtin_function_or_method", name
