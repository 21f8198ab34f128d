"""What was changed is written down, and taken back newest first."""

from types import CellType
from typing import Any

import pytest

from greening.errors import PatchError
from greening.patcher.ledger import ABSENT, Changes, Ledger
from greening.patcher.spec import Entry


class Base:
    inherited = "base"


class Slotted:
    __slots__ = ("slot",)


def function(first: int = 1) -> int:
    return first


@pytest.fixture
def changes() -> Changes:
    return Changes()


def test_a_name_of_a_module_is_set_removed_and_restored(changes: Changes) -> None:
    namespace: dict[str, object] = {"old": 1, "gone": 2}
    assert changes.set_item(namespace, "old", "green") == 1
    assert changes.set_item(namespace, "gone", ABSENT) == 2
    assert changes.set_item(namespace, "new", "added") is ABSENT
    assert changes.set_item(namespace, "never", ABSENT) is ABSENT
    assert namespace == {"old": "green", "new": "added"}
    changes.roll_back()
    assert namespace == {"old": 1, "gone": 2}
    assert repr(ABSENT) == "<absent>"


def test_an_attribute_of_a_class_is_set_removed_and_restored(changes: Changes) -> None:
    class Victim(Base):
        own = 1

    assert changes.set_attribute(Victim, "own", "green") == 1
    assert changes.set_attribute(Victim, "inherited", "green") is ABSENT, "the class itself did not have it"
    assert (Victim.own, Victim.inherited) == ("green", "green")  # type: ignore[comparison-overlap]
    assert changes.set_attribute(Victim, "own", ABSENT) == "green"
    assert not hasattr(Victim, "own")
    changes.roll_back()
    assert (Victim.own, Victim.inherited) == (1, "base")
    assert "inherited" not in vars(Victim)


def test_a_class_made_in_c_takes_no_attributes_and_nothing_is_written_down(changes: Changes) -> None:
    with pytest.raises(TypeError):
        changes.set_attribute(int, "real", 5)
    assert changes.steps == []


def test_what_is_so_already_is_not_written_down(changes: Changes) -> None:
    value = object()
    changes.set_item({"x": value}, "x", value)
    changes.set_attribute(Base, "inherited", Base.inherited)
    assert changes.steps == []


def test_defaults_cells_and_slots_are_restored(changes: Changes) -> None:
    cell, thing, slot = CellType(1), Slotted(), vars(Slotted)["slot"]
    thing.slot = 1  # type: ignore[attr-defined]
    changes.set_defaults(function, (2,))
    changes.set_cell(cell, 2)
    changes.set_slot(slot, thing, 2)
    assert (function(), cell.cell_contents, slot.__get__(thing)) == (2, 2, 2)
    changes.roll_back()
    assert (function(), cell.cell_contents, slot.__get__(thing)) == (1, 1, 1)


def test_what_was_changed_since_is_left_alone(changes: Changes) -> None:
    class Victim:
        own = 1

    def victim(first: int = 1) -> int:
        return first

    namespace: dict[str, Any] = {"x": 1}
    cell, thing, slot = CellType(1), Slotted(), vars(Slotted)["slot"]
    thing.slot = 1  # type: ignore[attr-defined]
    changes.set_item(namespace, "x", 2)
    changes.set_attribute(Victim, "own", 2)
    changes.set_defaults(victim, (2,))
    changes.set_cell(cell, 2)
    changes.set_slot(slot, thing, 2)
    namespace["x"] = Victim.own = cell.cell_contents = thing.slot = 3  # type: ignore[attr-defined]
    victim.__defaults__ = (3,)
    changes.roll_back()
    assert (namespace["x"], Victim.own, victim(), cell.cell_contents, slot.__get__(thing)) == (3, 3, 3, 3, 3)


def test_a_step_that_fails_does_not_stop_the_others(changes: Changes) -> None:
    undone: list[int] = []
    changes.steps += [lambda: undone.append(1), lambda: 1 / 0, lambda: undone.append(2)]
    with pytest.raises(PatchError, match="not everything could be taken back:\n  ZeroDivisionError: division by zero"):
        changes.roll_back()
    assert undone == [2, 1]
    assert changes.steps == []
    changes.roll_back()


def test_a_ledger_keeps_the_first_original_of_a_name() -> None:
    ledger = Ledger()
    ledger.remember("time", "sleep", 1, 2)
    ledger.remember("time", "sleep", 2, 3)
    ledger.remember("time", "same", 4, 4)
    assert ledger.replaced == {"time": {"sleep": (1, 2)}}


def test_a_ledger_that_forgets_keeps_only_how_to_take_things_back() -> None:
    ledger = Ledger()
    ledger.flags.add("time")
    ledger.wanted["time"] = Entry("time", "time", "x")
    ledger.placed.add("time")
    ledger.remember("time", "sleep", 1, 2)
    ledger.plugins = []
    ledger.changes.steps.append(int)
    ledger.forget()
    assert not (ledger.flags or ledger.wanted or ledger.placed or ledger.replaced)
    assert ledger.plugins is None
    assert ledger.changes.steps == [int]


def test_the_lock_of_a_ledger_may_be_taken_again_by_its_owner() -> None:
    ledger = Ledger()
    with ledger.lock, ledger.lock:
        assert ledger.lock._is_owned()  # type: ignore[attr-defined]  # not in typeshed
