"""Real things that exist already are replaced wherever they are, and put back."""

import gc
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from greening.patcher.references import holders
from greening.threads.replace_existing import Replacer


class Real:
    """Something that blocks."""


class Green:
    """What takes its place."""

    def __init__(self, real: Real) -> None:
        self.real = real


Pair = namedtuple("Pair", "first second")  # a kind of tuple that has a class of its own


@pytest.fixture(autouse=True)
def _only_the_tests_own_things_are_searched() -> Iterator[None]:
    """What is frozen, the garbage collector does not tell: the search is quick."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def replacer() -> Replacer:
    return Replacer(holders, Green, (Green,))


def run(replacer: Replacer) -> None:
    replacer.run((Real,))


@pytest.mark.parametrize("make", [set, deque, list, tuple])
def test_an_element_of_a_container_is_replaced_and_put_back(replacer: Replacer, make: Callable[..., Any]) -> None:
    holder = SimpleNamespace(inside=make([1, Real(), 2]))
    run(replacer)
    assert sorted(type(value).__name__ for value in holder.inside) == ["Green", "int", "int"]
    replacer.back(lambda green: True)
    assert sorted(type(value).__name__ for value in holder.inside) == ["Real", "int", "int"]
    assert type(holder.inside) is make


@pytest.mark.parametrize("make", [dict, OrderedDict, defaultdict])
def test_values_and_keys_of_dictionaries_are_replaced_in_their_places(
    replacer: Replacer, make: Callable[..., Any]
) -> None:
    table = make()
    table["a"], table[Real()], table["z"] = Real(), 1, Real()
    run(replacer)
    assert [type(key).__name__ for key in table] == ["str", "Green", "str"]
    assert [type(value).__name__ for value in table.values()] == ["Green", "int", "Green"]
    replacer.back(lambda green: True)
    assert [type(key).__name__ for key in table] == ["str", "Real", "str"]
    assert [type(value).__name__ for value in table.values()] == ["Real", "int", "Real"]


def test_keys_of_a_dictionary_with_its_own_ideas_are_left_alone(replacer: Replacer) -> None:
    class Special(dict[Any, Any]):
        pass

    table = Special()
    table[Real()] = Real()
    run(replacer)
    ((key, value),) = table.items()
    assert (type(key), type(value)) == (Real, Green)


def test_attributes_are_replaced(replacer: Replacer) -> None:
    class Slotted:
        __slots__ = ("thing",)

    plain, slotted = SimpleNamespace(thing=Real()), Slotted()
    slotted.thing = Real()  # type: ignore[attr-defined]
    run(replacer)
    assert type(plain.thing) is type(slotted.thing) is Green  # type: ignore[attr-defined]


def test_the_same_thing_is_replaced_by_the_same_thing_everywhere(replacer: Replacer) -> None:
    real = Real()
    things, table = [real], {"x": (real,)}
    del real
    run(replacer)
    assert type(things[0]) is Green
    assert things[0] is table["x"][0]
    assert replacer.green(things[0].real) is things[0]  # type: ignore[attr-defined]


def test_tuples_in_tuples_are_made_anew_and_keep_their_class(replacer: Replacer) -> None:
    holder = [(Pair(Real(), 1), "x")]
    run(replacer)
    pair, text = holder[0]
    assert type(pair) is Pair
    assert (type(pair.first), pair.second, text) == (Green, 1, "x")


def test_tuples_are_followed_to_a_depth_only(replacer: Replacer) -> None:
    def nested(depth: int) -> Any:
        thing: Any = Real()
        for _ in range(depth):
            thing = (thing,)
        return thing

    def innermost(thing: Any) -> type:
        while type(thing) is tuple:
            (thing,) = thing
        return type(thing)

    holder = [nested(depth) for depth in (1, 3, 5)]
    run(replacer)
    assert [innermost(thing) for thing in holder] == [Green, Green, Real]


def test_containers_that_only_local_variables_hold_are_searched_at_every_depth(replacer: Replacer) -> None:
    local: list[Any] = [(Real(),), ((Real(),),), (((Real(),),),)]
    run(replacer)
    assert [type(local[0][0]), type(local[1][0][0]), type(local[2][0][0][0])] == [Green] * 3


def test_what_has_real_things_inside_on_purpose_keeps_them() -> None:
    class Keeper:
        def __init__(self) -> None:
            self.thing = Real()

    replacer = Replacer(holders, Green, (Green,), lambda owner: type(owner) is Keeper)
    keeper, other = Keeper(), SimpleNamespace(thing=Real())
    run(replacer)
    assert (type(keeper.thing), type(other.thing), type(other.thing.real)) == (Real, Green, Real)


def test_what_may_not_go_back_stays(replacer: Replacer) -> None:
    things: list[Any] = [Real(), Real()]
    run(replacer)
    stays = things[0]
    replacer.back(lambda green: green is not stays)
    assert [type(thing) for thing in things] == [Green, Real]
    replacer.back(lambda green: True)
    assert things[0] is stays, "nothing is known of it any more"


def test_what_cannot_be_written_to_is_left_alone(replacer: Replacer) -> None:
    frozen, call, table = frozenset([Real()]), partial(id, Real()), UserDict(x=Real())
    run(replacer)
    assert [type(value) for value in frozen] == [Real]
    assert [type(value) for value in call.args] == [Real]
    assert type(table["x"]) is Green
