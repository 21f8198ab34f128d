"""`greening.debug`: what is running, and how findings are said. What `audit` finds is tested in tests/patcher."""

from typing import Any

from greening.debug.findings import Finding, audit


def test_nothing_is_found_where_nothing_is_patched() -> None:
    assert audit() == []


def test_a_finding_is_a_place_and_beneath_it_what_to_do() -> None:
    finding = Finding("name", "a.b", "the unpatched time.sleep", "look time.sleep up when it is called")
    assert str(finding) == "a.b: the unpatched time.sleep\n    look time.sleep up when it is called"
    assert sorted([finding, Finding("lock", "z", "", "")])[0].kind == "lock"


def test_the_advice_names_the_innermost_module_of_a_place(run_program: Any) -> None:
    run_program(
        "import sys, types\n"
        "sys.modules['early'] = early = types.ModuleType('early')\n"
        "import time\n"
        "early.nap = time.sleep\n"
        "exec('def later(nap=nap): return nap', early.__dict__)\n"
        "import greening\n"
        "greening.monkey_patch(time=True)\n"
        "from greening.debug import audit\n"
        "for found in audit():\n"
        "    assert 'early' not in found.where or found.remedy.endswith('before early is imported'), found\n"
    )
