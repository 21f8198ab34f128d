"""Real `threading.local` objects that exist before patching, and classes derived from the real local."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._originals import real_local
from greening.threads import adopt_local as module
from greening.threads.adopt_local import (
    AdoptedLocal,
    adopt_class,
    adopt_local,
    derived_classes,
    is_adopted_class,
    return_class,
)

pytestmark = pytest.mark.usefixtures("fake")


def green(func: Any, *args: Any) -> Any:
    return spawn(func, *args).wait()


# Objects


def test_the_main_greenlet_goes_on_with_the_real_attributes() -> None:
    real = real_local()
    real.value = "before"
    made = adopt_local(AdoptedLocal, real)
    assert made.value == "before"
    made.value = "changed"
    made.other = 1
    assert (real.value, real.other) == ("changed", 1)
    del made.other
    assert vars(real) == {"value": "changed"}


def test_green_threads_have_attributes_of_their_own() -> None:
    real = real_local()
    real.value = "main's"
    made = adopt_local(AdoptedLocal, real)

    def use(number: int) -> Any:
        seen = hasattr(made, "value")
        made.value = number
        found = made.value
        del made.value
        return seen, found, hasattr(made, "value")

    assert [green(use, number) for number in (1, 2)] == [(False, 1, False), (False, 2, False)]
    assert made.value == real.value == "main's"


# Classes


class Base(real_local):
    """A class of a program that was derived from the real local."""

    where = "class"

    def __init__(self, number: int = 0, *, word: str = "") -> None:
        self.made_with = number, word

    @property
    def doubled(self) -> int:
        return self.made_with[0] * 2

    @doubled.setter
    def doubled(self, value: int) -> None:
        self.made_with = value // 2, ""

    @doubled.deleter
    def doubled(self) -> None:
        self.made_with = 0, "deleted"


@pytest.fixture
def before() -> Base:
    """Made before the class was adopted."""
    return Base(3, word="x")


@pytest.fixture
def adopted(before: Base) -> Iterator[type[Base]]:
    assert adopt_class(Base)
    yield Base
    return_class(Base)
    assert not is_adopted_class(Base)


def test_a_derived_class_is_found_and_adopted_and_given_back(adopted: type[Base]) -> None:
    assert Base in derived_classes()
    assert is_adopted_class(Base)
    return_class(Base)
    assert not is_adopted_class(Base)
    assert "__new__" not in vars(Base)


@pytest.mark.usefixtures("adopted")
def test_an_object_from_before_is_initialised_again_in_a_green_thread(before: Base) -> None:
    def use() -> Any:
        seen = before.made_with
        before.made_with = 9, "mine"
        return seen, before.made_with, vars(before)

    seen, changed, namespace = green(use)
    assert seen == (3, "x"), "with the arguments that it was made with"
    assert changed == (9, "mine")
    assert namespace == {"made_with": (9, "mine")}
    assert before.made_with == (3, "x")
    assert vars(before) == {"made_with": (3, "x")}


@pytest.mark.usefixtures("adopted")
def test_an_object_made_from_now_on_has_attributes_of_its_own_everywhere() -> None:
    made = Base(4, word="y")
    made.extra = 1  # type: ignore[attr-defined]
    assert green(lambda: (made.made_with, hasattr(made, "extra"), made.where)) == ((4, "y"), False, "class")
    assert (made.made_with, made.extra) == ((4, "y"), 1)  # type: ignore[attr-defined]
    assert green(Base, 5).made_with == (5, "")


@pytest.mark.usefixtures("adopted")
def test_properties_of_a_derived_class_work_in_every_thread(before: Base) -> None:
    def use(thing: Base) -> Any:
        thing.doubled = 8
        first = thing.made_with
        del thing.doubled
        return first, thing.made_with, thing.doubled

    for thing in (before, Base(1)):
        assert green(use, thing) == ((4, ""), (0, "deleted"), 0)
        assert use(thing) == ((4, ""), (0, "deleted"), 0)


@pytest.mark.usefixtures("adopted")
@pytest.mark.parametrize("thread", [green, lambda func: func()], ids=["green", "main"])
def test_errors_are_those_of_the_real_local(thread: Any) -> None:
    made = Base()

    def use() -> list[str]:
        messages = []
        for act in (
            lambda: made.missing,  # type: ignore[attr-defined]
            lambda: delattr(made, "missing"),
            lambda: setattr(made, "__dict__", {}),
            lambda: delattr(made, "__dict__"),
        ):
            with pytest.raises(AttributeError) as caught:
                act()
            messages.append(str(caught.value))
        return messages

    messages = thread(use)
    assert messages[0] == messages[1] == "'Base' object has no attribute 'missing'"
    assert all("__dict__" in message for message in messages[2:])


@pytest.mark.usefixtures("adopted")
def test_attributes_go_with_their_object() -> None:
    made = Base(1)
    key = id(made)
    assert key in module._beside
    del made
    gc.collect()
    assert key not in module._beside


@pytest.mark.parametrize("name", ["__new__", "__getattribute__", "__setattr__", "__delattr__"])
def test_a_class_with_its_own_way_is_left_alone(name: str) -> None:
    kind = type("Particular", (real_local,), {name: getattr(real_local, name)})
    assert not adopt_class(kind)
    assert not is_adopted_class(kind)
    assert not adopt_class(type("Derived", (kind,), {}))
