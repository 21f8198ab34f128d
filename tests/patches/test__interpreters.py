"""_interpreters: code in another interpreter lets the green threads of this one run."""

import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info < (3, 13), reason="this Python does not have _interpreters"),
]

HEAD = """
import os
import greening
greening.monkey_patch()
import _interpreters
there = _interpreters.create()
"""


def test_others_run_while_code_in_another_interpreter_blocks(run_program) -> None:
    run_program(
        HEAD
        + """
reads, writes = os.pipe()
greening.spawn(os.write, writes, b"x")
# It really blocks, until a green thread here writes.
assert _interpreters.exec(there, f"import os; assert os.read({reads}, 1) == b'x'") is None
assert _interpreters.exec(there, "1 / 0").type.__name__ == "ZeroDivisionError"
_interpreters.destroy(there)
"""
    )


@pytest.mark.skipif(sys.version_info < (3, 14), reason="new in Python 3.14")
def test_an_interpreter_pool_works_while_others_run(run_program) -> None:
    run_program(
        """
import greening
greening.monkey_patch()
from concurrent.futures import InterpreterPoolExecutor
ticks = []
def tick():
    while True:
        ticks.append(1)
        greening.sleep(0.001)
ticker = greening.spawn(tick)
with InterpreterPoolExecutor(2) as pool:
    assert list(pool.map(pow, (2, 3), (3, 2))) == [8, 9]
ticker.kill()
assert len(ticks) > 1
"""
    )
