"""One place that refers to an object: what it is called, and what can be put there."""

import gc
from collections.abc import Callable
from types import CellType, ModuleType
from typing import Any

import pytest

from greening.patcher.binding import Binding, anonymous, is_part, module_name, owners_of, places


class Thing:
    """What is looked for."""

    def method(self) -> "Thing":
        return self


class Slotted:
    __slots__ = ("slot",)


def only(container: object, owner: object, value: object) -> Binding:
    (found,) = places(container, owner, {id(value): value})
    return found


def with_default(thing: Any = None) -> Any:
    return thing


def test_a_value_of_a_dictionary_is_named_by_its_key_and_replaced() -> None:
    thing, table = Thing(), {}
    for key, label in (("key", "['key']"), (5, "[5]"), (b"x", "[b'x']"), ((1,), "[<tuple>]")):
        table = {key: thing}
        found = only(table, table, thing)
        assert (found.value, found.label, found.replaceable) == (thing, label, True)
        assert found.replace("new")
        assert table == {key: "new"}


def test_a_key_of_a_dictionary_is_named_and_stays() -> None:
    thing = Thing()
    table = {thing: 1}
    found = only(table, table, thing)
    assert (found.label, found.replaceable, found.replace("new")) == (" as a key", False, False)


def test_an_element_of_a_list_is_named_by_its_index_and_replaced() -> None:
    thing = Thing()
    things = [0, thing]
    found = only(things, things, thing)
    assert found.label == "[1]"
    assert found.replace("new")
    assert things == [0, "new"]


def test_an_element_of_a_tuple_is_named_and_stays() -> None:
    thing = Thing()
    things = (0, thing)
    found = only(things, things, thing)
    assert (found.label, found.replace("new")) == ("[1]", False)


def test_a_variable_of_a_closure_is_replaced() -> None:
    thing = Thing()
    cell = CellType(thing)
    assert only(cell, cell, thing).replace("new")
    assert cell.cell_contents == "new"


def test_a_default_argument_is_replaced() -> None:
    thing = Thing()
    function = type(with_default)(with_default.__code__, globals(), None, (thing,))
    found = only(function.__defaults__, function, thing)
    assert found.label == ", default argument 0"
    assert found.replace("new")
    assert function() == "new"


def test_an_attribute_of_a_class_is_set_on_the_class() -> None:
    thing = Thing()

    class Owner:
        attribute = thing

    found = only(dict(vars(Owner)), Owner, thing)
    assert found.label == ".attribute"
    assert found.replace("new")
    assert Owner.attribute == "new"  # type: ignore[comparison-overlap]


def test_a_class_that_refuses_attributes_keeps_them() -> None:
    thing = Thing()
    assert only({"real": thing}, int, thing).replace("new") is False


@pytest.mark.parametrize("kind", [Thing, Slotted])
def test_an_attribute_of_an_instance_is_replaced(kind: Callable[[], Any]) -> None:
    thing, owner = Thing(), kind()
    name = "slot" if kind is Slotted else "attribute"
    setattr(owner, name, thing)
    found = list(places(owner, owner, {id(thing): thing})) or [only(vars(owner), owner, thing)]
    assert [place.label for place in found] == [f".{name}"]
    assert found[0].replace("new")
    assert getattr(owner, name) == "new"


def test_what_is_hidden_inside_an_object_is_named_and_stays() -> None:
    thing = Thing()
    inside = iter([thing]), frozenset([thing])
    found = [only(container, container, gc.get_referents(container)[0]) for container in inside]
    assert [(place.label, place.replace("new")) for place in found] == [(" (inside)", False)] * 2


def test_a_place_that_holds_a_method_gets_the_method_of_the_new_object() -> None:
    old, new = Thing(), Thing()
    table = {"call": old.method}
    found = only(table, table, table["call"])
    found.method = "method"
    assert found.replace(new)
    assert table["call"]() is new


def test_containers_of_modules_that_keep_things_on_purpose_have_no_places() -> None:
    import greening

    thing = Thing()
    assert list(places({"x": thing}, greening, {id(thing): thing})) == []


def test_a_class_and_its_parts_are_no_places() -> None:
    assert list(places(Thing, Thing, {id(Thing.method): Thing.method})) == []
    descriptor = vars(Slotted)["slot"]
    assert list(places(descriptor, descriptor, {id(Slotted): Slotted})) == []
    assert list(places(Thing.__bases__, Thing, {id(object): object})) == []


def test_the_owner_of_a_dictionary_or_tuple_is_what_it_is_a_part_of() -> None:
    module = ModuleType("module")
    instance = Thing()
    instance.__dict__ = {"x": 1}  # one of its own: the interpreter may spare the one that it makes
    loose = {"a": 1}
    parts = [vars(module), vars(instance), with_default.__defaults__, loose]
    owners = owners_of(parts)
    assert owners[id(vars(module))] is module
    assert owners[id(vars(instance))] is instance
    assert owners[id(with_default.__defaults__)] is with_default
    assert id(loose) not in owners


def test_is_part_knows_namespaces_bases_and_defaults() -> None:
    instance = Thing()
    assert is_part(vars(instance), instance)
    assert is_part(with_default.__defaults__, with_default)
    assert is_part(Thing.__bases__, Thing)
    assert not is_part([], instance)
    assert not is_part({}, instance)


def test_names_of_modules_and_of_things_that_no_module_leads_to() -> None:
    assert module_name(ModuleType("mine")) == "mine"
    assert module_name(with_default) == module_name(Thing) == module_name(Thing()) == __name__
    assert anonymous([]) == "a list"
    assert anonymous(Thing()) == f"an instance of {__name__}.Thing"
    assert Binding(1, [], [], "[0]").where == "a list[0]"
