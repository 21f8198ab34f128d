"""How a module leads to an object, as a path for people."""

from typing import Any

import pytest

from greening.patcher.naming import Paths

SOURCE = """
    class Thing: pass
    class Outer:
        attribute = Thing()
        class Inner:
            deep = Thing()
    class Slotted:
        __slots__ = ("slot",)
    top = Thing()
    listed = [0, Thing()]
    mapped = {"key": {1: Thing()}}
    nested = Thing()
    nested.inner = Thing()
    nested.inner.innermost = [Thing()]
    slotted = Slotted()
    slotted.slot = Thing()
    def function(argument=Thing()): pass
    def make():
        captured = Thing()
        return lambda: captured
    closure = make()
"""


@pytest.fixture
def victim(fakes: Any) -> Any:
    return fakes.module("victim", SOURCE)


def test_what_has_a_name_is_called_by_it(victim: Any) -> None:
    paths = Paths()
    names = [paths.of(thing) for thing in (victim, victim.Outer, victim.Outer.Inner, victim.function, victim.closure)]
    assert names == ["victim", "victim.Outer", "victim.Outer.Inner", "victim.function", "victim.make.<locals>.<lambda>"]


def test_what_has_none_is_called_by_the_way_to_it(victim: Any) -> None:
    paths = Paths()
    ways = {
        "victim.top": victim.top,
        "victim.listed": victim.listed,
        "victim.listed[1]": victim.listed[1],
        "victim.mapped['key'][1]": victim.mapped["key"][1],
        "victim.nested.inner": victim.nested.inner,
        "victim.nested.inner.innermost[0]": victim.nested.inner.innermost[0],
        "victim.slotted.slot": victim.slotted.slot,
        "victim.Outer.attribute": victim.Outer.attribute,
        "victim.Outer.Inner.deep": victim.Outer.Inner.deep,
        "victim.function, default argument 0": victim.function.__defaults__[0],
    }
    assert {way: paths.of(thing) for way, thing in ways.items()} == {way: way for way in ways}


def test_a_second_path_through_an_object_has_all_its_steps(victim: Any) -> None:
    # Asking for the first one makes the dictionary of the object, which the interpreter had spared.
    paths, inner = Paths(), victim.nested.inner
    assert [paths.of(inner) for _ in range(2)] == ["victim.nested.inner"] * 2
    assert paths.of(inner.innermost) == "victim.nested.inner.innermost"


def test_the_shortest_way_is_named(victim: Any) -> None:
    victim.listed.append(victim.nested.inner.innermost[0])
    assert Paths().of(victim.listed[2]) == "victim.listed[2]"


def test_what_no_module_leads_to_is_called_by_its_class(victim: Any) -> None:
    assert Paths().of(victim.Thing()) == "an instance of victim.Thing"
    assert Paths().of([]) == "a list"


def test_paths_are_those_of_the_moment_of_the_first_question(victim: Any) -> None:
    paths = Paths()
    paths.of(victim.top)
    victim.late = victim.Thing()
    assert paths.of(victim.late) == "an instance of victim.Thing"
    assert Paths().of(victim.late) == "victim.late"


def test_modules_that_keep_things_on_purpose_lead_nowhere(victim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import greening

    thing = victim.Thing()
    monkeypatch.setattr(greening, "_thing_of_a_test", thing, raising=False)
    assert Paths().of(thing) == "an instance of victim.Thing"
