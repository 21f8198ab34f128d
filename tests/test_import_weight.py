"""`import greening` must not bring in what it is going to patch, nor what makes a start slow."""

import pytest

# threading, logging, subprocess: make locks that monkey_patch() could then only find again by searching.
# ssl, asyncio, importlib.metadata, wrapt: cost more than all of greening; wrapt brings most of the others with it.
UNWANTED = {"threading", "logging", "ssl", "subprocess", "asyncio", "importlib.metadata", "wrapt"}

PROGRAM = """
import sys
before = set(sys.modules)
import {module}
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("module", ["greening", "greening.patches"])
def test_import_is_light(run_program, module: str) -> None:
    loaded = set(run_program(PROGRAM.format(module=module)).stdout.split())
    assert module in loaded
    assert loaded & UNWANTED == set()
