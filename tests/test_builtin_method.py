"""Python functions and classes that pass for builtin ones."""

import copy
import pickle
import time
from typing import Any

import pytest

from greening._builtin_method import ModuleSelf, name_after


@pytest.fixture
def monotonic() -> Any:
    """A stand-in for `time.monotonic`, which takes what the test gives it."""
    home = ModuleSelf("time")

    @home.builtin
    def monotonic(_: Any, *args: object) -> tuple[object, ...]:
        """Its own text."""
        return ("green", *args)

    return monotonic


def test_a_function_is_not_bound_when_it_is_read_from_an_instance(monotonic: Any) -> None:
    class User:
        ask = monotonic

    assert monotonic() == User().ask() == User.ask() == ("green",)
    assert User().ask(1) == ("green", 1)


def test_a_function_has_the_names_of_the_builtin_one_and_its_own_text(monotonic: Any) -> None:
    assert (monotonic.__name__, monotonic.__qualname__, monotonic.__module__) == ("monotonic", "monotonic", "time")
    assert monotonic.__doc__ == "Its own text."
    assert repr(monotonic.__self__) == "<module 'time', green>"


def test_a_copy_works_and_a_pickle_is_what_the_name_means_where_it_is_loaded(monotonic: Any) -> None:
    assert copy.copy(monotonic)() == ("green",)
    assert pickle.loads(pickle.dumps(monotonic)) is time.monotonic
    assert pickle.loads(pickle.dumps(monotonic.__self__)) is time


def test_two_functions_of_one_module_are_both_found_there() -> None:
    home = ModuleSelf("math")

    @home.builtin
    def sin(_: Any) -> str:
        return "green sin"

    @home.builtin
    def cos(_: Any) -> str:
        return "green cos"

    assert (copy.copy(sin)(), copy.copy(cos)()) == ("green sin", "green cos")


def test_a_class_shows_the_names_of_the_one_it_stands_for() -> None:
    class Mine:
        pass

    name_after(Mine, pickle.Pickler)
    real = pickle.Pickler
    assert (Mine.__module__, Mine.__name__, Mine.__qualname__) == (real.__module__, real.__name__, real.__qualname__)
    assert repr(Mine) == repr(real)
