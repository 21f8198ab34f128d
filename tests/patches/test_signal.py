"""signal, patched. Handlers and masks are the whole process's, so every situation is a program of its own."""

import ast
import inspect
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greening.patches.signal import PATCH

PROGRAMS = Path(__file__).parent.parent / "programs"


def scenes(program: str) -> list[str]:
    tree = ast.parse((PROGRAMS / program).read_text(encoding="utf-8"))
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and "scene" in [ast.unparse(line) for line in node.decorator_list]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("scene", scenes("signal_handlers.py"))
def test_handlers(run_program: Callable[..., Any], scene: str) -> None:
    done = run_program("signal_handlers.py", scene, timeout=20)
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("scene", scenes("signal_waits.py"))
def test_waits(run_program: Callable[..., Any], scene: str) -> None:
    done = run_program("signal_waits.py", scene, timeout=20)
    assert done.stderr == ""


@pytest.mark.slow
def test_late(run_program: Callable[..., Any]) -> None:
    run_program("signal_late.py")


@pytest.mark.parametrize("name", PATCH.replaces)
def test_the_functions_look_like_the_stdlibs(name: str) -> None:
    green: Any = PATCH.replaces[name]
    real = getattr(signal, name)
    assert (green.__module__, green.__name__) == ("signal", name)
    assert green.__doc__ == real.__doc__
    if inspect.isfunction(real) or real.__text_signature__:  # 3.11 has none of set_wakeup_fd
        assert [p.kind for p in inspect.signature(green).parameters.values()] == [
            p.kind for p in inspect.signature(real).parameters.values()
        ]


def test_ctrl_c_while_a_green_thread_computes_reaches_the_main_greenlet_at_once(
    run_program: Callable[..., Any],
) -> None:
    run_program("signal_interrupt_goes_to_main.py")


def test_ctrl_c_reaches_the_main_greenlet_of_a_program_that_never_imports_signal(
    run_program: Callable[..., Any],
) -> None:
    run_program("signal_never_imported.py")


@pytest.mark.slow
def test_a_green_thread_that_blocks_signals_does_not_make_the_main_thread_deaf(run_program: Callable[..., Any]) -> None:
    run_program("signal_masks.py")


@pytest.mark.slow
def test_handlers_and_the_wakeup_descriptor_can_be_set_in_the_main_thread_only(run_program: Callable[..., Any]) -> None:
    run_program("signal_main_thread.py")
