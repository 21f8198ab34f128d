"""A copy of a module stands in for the real one only while the copy's own code runs."""

import importlib
import sys
from types import ModuleType
from typing import Any

import pytest

from greening.patcher.sys_modules import outside, real_import, standing_in


@pytest.fixture
def real(fakes: Any) -> Any:
    fakes.file("victim.__init__")
    return importlib.import_module("victim")


def test_the_copy_stands_there_inside_and_the_real_one_outside(real: Any) -> None:
    copy, strays = ModuleType("victim"), {}
    with standing_in("victim", copy, strays):
        assert sys.modules["victim"] is copy
        with outside():
            assert sys.modules["victim"] is real
        assert sys.modules["victim"] is copy
    assert sys.modules["victim"] is real
    assert strays == {}


def test_a_module_that_was_not_imported_is_gone_again(fakes: Any) -> None:
    copy = ModuleType("victim")
    with standing_in("victim", copy, {}):
        with outside():
            assert "victim" not in sys.modules
        assert sys.modules["victim"] is copy
    assert "victim" not in sys.modules


def test_what_the_code_of_the_copy_puts_into_its_package_is_taken_out_and_handed_over(real: Any) -> None:
    strays: dict[str, Any] = {}
    inner, instead, other = ModuleType("victim.inner"), ModuleType("instead"), ModuleType("unrelated_of_a_test")
    with standing_in("victim", ModuleType("victim"), strays):
        sys.modules["victim.inner"] = inner
        sys.modules["victim"] = instead
        sys.modules["unrelated_of_a_test"] = other
    assert strays == {"victim": instead, "victim.inner": inner}
    assert sys.modules["victim"] is real
    assert "victim.inner" not in sys.modules
    assert sys.modules.pop("unrelated_of_a_test") is other


def test_what_was_there_before_comes_back(real: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, strays = ModuleType("victim.inner"), {}
    monkeypatch.setitem(sys.modules, "victim.inner", before)
    with standing_in("victim", ModuleType("victim"), strays):
        sys.modules["victim.inner"] = after = ModuleType("victim.inner")
    assert sys.modules["victim.inner"] is before
    assert strays == {"victim.inner": after}


def test_a_real_import_meanwhile_gives_and_keeps_the_processs_own_module(real: Any, fakes: Any) -> None:
    fakes.file("victim.late", "import victim\n")
    strays: dict[str, Any] = {}
    with standing_in("victim", ModuleType("victim"), strays):
        assert real_import("victim") is real
        late: Any = real_import("victim.late")
        assert late.victim is real
        assert sys.modules["victim"] is not real
    assert sys.modules["victim.late"] is late
    assert strays == {}


def test_an_error_of_the_code_takes_the_copy_out(real: Any) -> None:
    with pytest.raises(KeyError), standing_in("victim", ModuleType("victim"), {}):
        raise KeyError
    assert sys.modules["victim"] is real


def test_copies_may_stand_inside_one_another(real: Any) -> None:
    outer, inner = ModuleType("victim"), ModuleType("victim.inner")
    with standing_in("victim", outer, {}), standing_in("victim.inner", inner, {}):
        assert (sys.modules["victim"], sys.modules["victim.inner"]) == (outer, inner)
        with outside():
            assert sys.modules["victim"] is real and "victim.inner" not in sys.modules
    assert sys.modules["victim"] is real and "victim.inner" not in sys.modules


def test_a_missing_module_stays_an_import_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        real_import("no_such_module_of_a_test")
