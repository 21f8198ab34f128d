"""What plug-ins do to the classes of a library."""

from types import ModuleType
from typing import Any

import pytest

from greening import Timeout, unpatch
from greening.ext.classes import after_error, patch_methods, subclasses_on


class Base:
    """The library's."""

    def told(self) -> list[str]:
        return ["library"]


class Green(Base):
    def told(self) -> list[str]:
        return ["green", *super().told()]


class Own(Base):
    """The program's."""

    def told(self) -> list[str]:
        return ["program", *super().told()]


def test_what_is_green_stands_between_the_program_and_the_library() -> None:
    subclass_of = subclasses_on(Green)
    assert subclass_of(Base)().told() == ["green", "library"]
    assert subclass_of(Own)().told() == ["program", "green", "library"]


def test_a_class_has_one_green_subclass_which_passes_for_it() -> None:
    subclass_of = subclasses_on(Green)
    assert subclass_of(Own) is subclass_of(Own)
    assert issubclass(subclass_of(Own), Own)
    assert (subclass_of(Own).__name__, subclass_of(Own).__module__) == ("Own", __name__)
    assert subclass_of(Own).__doc__ == "The program's."


@pytest.mark.parametrize("error", [ValueError("x"), Timeout(None)])
@pytest.mark.parametrize("unless", [(), (Exception,)])
def test_an_error_is_told_and_goes_on(error: BaseException, unless: tuple[type[BaseException], ...]) -> None:
    told: list[object] = []

    def fail(self: object, argument: int, named: int = 0) -> None:
        raise error

    watched = after_error(fail, lambda *args: told.append(args), unless)
    owner = object()
    with pytest.raises(type(error)) as raised:
        watched(owner, 1, named=2)
    assert raised.value is error
    assert told == ([] if isinstance(error, unless) else [(owner, error)])


def test_what_ends_well_is_not_told() -> None:
    assert after_error(lambda self, number: number + 1, pytest.fail)(None, 1) == 2  # type: ignore[arg-type]


def test_methods_are_put_on_and_taken_off() -> None:
    module: Any = ModuleType("library_of_a_plug_in")
    module.Base = type("Base", (), {"one": lambda self: 1})
    patch_methods(module, {"Base": {"one": lambda self: 2, "two": lambda self: 3}})
    assert (module.Base().one(), module.Base().two()) == (2, 3)
    unpatch()
    assert module.Base().one() == 1
    assert not hasattr(module.Base, "two")
