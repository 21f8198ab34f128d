"""The choice between the accelerator and the Python source."""

import re
from pathlib import Path

import pytest

import greening
from greening import _compiled
from greening._core.task import Task, TaskOps


def test_without_an_accelerator_a_double_is_its_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compiled, "accelerator", None)
    assert _compiled.double(Task) is Task
    assert _compiled.double(len) is len


def test_a_reason_is_there_exactly_when_the_accelerator_is_not() -> None:
    assert (_compiled.accelerator is None) == bool(_compiled.why_not)


@pytest.mark.skipif(_compiled.accelerator is None, reason="runs without the accelerator")
def test_a_double_has_the_name_and_the_module_of_its_twin() -> None:
    assert TaskOps is _compiled.accelerator.TaskOps
    assert (TaskOps.__module__, TaskOps.__qualname__) == ("greening._core.task", "TaskOps")
    assert (greening.sleep.__module__, greening.sleep.__qualname__) == ("greening._core.waiting", "sleep")


def test_the_members_of_a_class_are_those_that_its_source_has() -> None:
    assert Task.park is TaskOps.park
    assert "park" not in vars(Task)


def test_the_list_of_the_doubles_is_complete() -> None:
    docs = (Path(__file__).parent.parent / "accelerator" / "docs.h").read_text(encoding="utf-8")
    classes = re.findall(r"#define NAME_(\w+)", docs)
    names = re.findall(r"#define DOC_(\w+)", docs)
    members = tuple(f"{kind}_" for kind in (*classes, "socket"))
    functions = [name for name in names if name not in classes and not name.startswith(members)]
    assert sorted(_compiled.DOUBLES) == sorted(classes + functions)


@pytest.mark.slow
def test_an_accelerator_of_another_version_is_left_alone(run_program) -> None:
    program = """
import sys, types
sys.modules["greening._accelerator"] = types.ModuleType("greening._accelerator")
import greening
from greening._compiled import accelerator, why_not
assert accelerator is None and "another version" in why_not, why_not
assert greening.spawn(lambda: 42).wait() == 42
"""
    run_program(program, env={"GREENING_PURE": "0"})


@pytest.mark.slow
@pytest.mark.parametrize(("value", "pure"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_environment_chooses_the_python_source(run_program, value: str, pure: bool) -> None:
    program = """
from greening._compiled import accelerator, why_not
print(accelerator is None, why_not)
"""
    said = run_program(program, env={"GREENING_PURE": value}).stdout.strip()
    assert said == "True GREENING_PURE is set" if pure else not said.endswith("GREENING_PURE is set")
