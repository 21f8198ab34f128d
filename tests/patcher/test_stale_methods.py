"""Bound methods that were taken off an object before its class was patched."""

import functools
from typing import Any

import pytest

from greening.patcher.stale_methods import StaleMethod

SOURCE = """
    import collections
    class Base:
        def inherited(self): return "base"
    class Victim(Base):
        def own(self): return "own"
        def other(self): return "other"
    class Derived(Victim): pass
    class Compiled(collections.deque): pass
"""
METHODS = {
    "Victim": {"own": lambda self: "green own", "inherited": lambda self: "green inherited"},
    "Compiled": {"popleft": lambda self: "green popleft"},
}


@pytest.fixture
def victim(fakes: Any) -> Any:
    return fakes.module("victim", SOURCE)


class Holder:
    call: Any


def test_a_method_that_was_taken_before_is_todays_and_comes_back(fakes: Any, victim: Any) -> None:
    holder, listed, table = Holder(), [victim.Derived().own], {"call": victim.Victim().inherited}
    holder.call = victim.Victim().own
    before = holder.call, listed[0], table["call"]
    fakes.apply(fakes.entry("victim", methods=METHODS))
    assert (holder.call(), listed[0](), table["call"]()) == ("green own", "green own", "green inherited")
    assert holder.call.__self__ is before[0].__self__
    fakes.unapply()
    assert (holder.call(), listed[0](), table["call"]()) == ("own", "own", "base")
    assert holder.call == before[0]


def test_a_compiled_method_that_was_taken_before_is_todays(fakes: Any, victim: Any) -> None:
    listed = [victim.Compiled([1]).popleft]
    fakes.apply(fakes.entry("victim", methods=METHODS))
    assert listed[0]() == "green popleft"
    fakes.unapply()
    assert listed[0]() == 1


def test_methods_that_were_not_replaced_are_left_alone(fakes: Any, victim: Any) -> None:
    listed = [victim.Victim().other, victim.Base().inherited, [].append]
    before = list(map(id, listed))
    fakes.apply(fakes.entry("victim", methods=METHODS))
    assert list(map(id, listed)) == before


def test_what_cannot_be_written_to_keeps_the_old_method(fakes: Any, victim: Any) -> None:
    call = functools.partial(victim.Victim().own)
    fakes.apply(fakes.entry("victim", methods=METHODS))
    assert call() == "own"


def test_without_methods_there_is_nothing_to_look_for(victim: Any) -> None:
    assert not StaleMethod({}, ["victim"])
    assert not StaleMethod({"victim": {"name": (1, 2)}}, ["victim"])
    assert not StaleMethod({"victim": {"Victim.own": (1, 2)}}, ["victim"]), "a value is no method"
    assert not StaleMethod({"victim": {"Missing.own": (len, victim.Victim.own)}}, ["victim"])
    assert not StaleMethod({"no_such_module": {"Victim.own": (len, victim.Victim.own)}}, ["no_such_module"])


def test_a_stale_method_is_known_and_has_a_fresh_one(victim: Any) -> None:
    old, thing = victim.Victim.own, victim.Derived()
    taken = thing.own
    victim.Victim.own = lambda self: "new"
    stale = StaleMethod({"victim": {"Victim.own": (old, victim.Victim.own)}}, ["victim"])
    assert stale(taken)
    assert not stale(thing.own) and not stale(thing.other)
    assert stale.fresh(taken)() == "new"
    assert stale.fresh(taken).__self__ is thing
