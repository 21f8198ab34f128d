"""Looking at foreign objects runs none of their code."""

import functools
import sys
import threading
from types import FunctionType, ModuleType
from typing import Any

import pytest
import wrapt

from greening.patcher.introspect import (
    class_dict,
    class_mro,
    instance_dict,
    is_class,
    is_kept,
    is_made_by_keeper,
    is_module,
    module_dict,
    module_of,
    parts_of,
    slots_of,
)


class Trap(type):
    """A metaclass whose every answer is code of its own."""

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")

    def __instancecheck__(cls, instance: object) -> bool:
        raise AssertionError("isinstance was asked")


def trapped_class() -> Any:
    """Not at the top of the file, where pytest would look at it."""

    class Trapped(metaclass=Trap):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"{name} was asked for")

    return Trapped


class LazyModule(ModuleType):
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


class Liar:
    """Passes for a module."""

    __class__ = ModuleType  # type: ignore[assignment]


class Base:
    __slots__ = ("first", "__weakref__")


class Derived(Base):
    __slots__ = ("second",)


def test_modules_and_classes_are_told_by_their_real_type() -> None:
    assert is_module(sys) and is_module(LazyModule("lazy")) and not is_module(Liar())
    assert isinstance(Liar(), ModuleType), "it claims to be one"
    assert is_class(trapped_class()) and is_class(int) and not is_class(5)


def test_no_code_of_an_object_runs() -> None:
    kind = trapped_class()
    lazy, trapped = LazyModule("lazy"), object.__new__(kind)
    assert module_dict(lazy)["__name__"] == "lazy"
    assert [id(owner) for owner in class_mro(kind)] == [id(kind), id(object)]
    assert class_dict(kind)["__module__"] == __name__
    assert instance_dict(trapped) == {}
    assert instance_dict(lazy) is module_dict(lazy)
    assert list(slots_of(trapped)) == []
    assert module_of(trapped) == module_of(kind) == __name__


def test_an_object_without_a_dictionary_has_none() -> None:
    assert instance_dict(5) is None
    assert instance_dict(Base()) is None


def test_slots_that_have_a_value_are_listed_those_of_bases_too() -> None:
    thing = Derived()
    assert list(slots_of(thing)) == []
    thing.first, thing.second = 1, 2  # type: ignore[attr-defined]
    assert [(name, value) for name, _, value in slots_of(thing)] == [("second", 2), ("first", 1)]
    assert all(slot.__get__(thing) == value for _, slot, value in slots_of(thing))


def test_a_module_has_its_dictionary_for_parts_and_nothing_that_its_c_code_keeps() -> None:
    assert parts_of(sys) == [vars(sys)]
    inside = object()
    assert any(part is inside for part in parts_of([inside]))


@pytest.mark.parametrize("name", ["greening", "greening.threads.locks", "greenlet", "importlib._bootstrap", "pydevd"])
def test_keepers_are_known_by_the_outermost_name(name: str) -> None:
    assert is_kept(name)


@pytest.mark.parametrize("name", ["greenings", "threading", "my.greening", None, 5])
def test_others_keep_nothing_on_purpose(name: object) -> None:
    assert not is_kept(name)


def test_a_class_that_passes_for_anothers_is_known_by_its_functions() -> None:
    kept = FunctionType((lambda self: None).__code__, {"__name__": "greening.somewhere"})
    assert is_made_by_keeper(type("lock", (), {"__module__": "greening.x"}))
    assert is_made_by_keeper(type("lock", (), {"__module__": "_thread", "acquire": kept}))
    assert not is_made_by_keeper(type("lock", (), {"__module__": "_thread", "acquire": lambda self: None}))


def test_the_module_of_a_class_or_object_is_what_it_says() -> None:
    assert module_of(functools.partial) == module_of(functools.partial(int)) == "functools"
    assert module_of(Base()) == __name__
    assert module_of(int) is module_of(5) is None, "it says nothing"


def test_a_proxy_of_what_has_no_dictionary() -> None:
    proxy = wrapt.ObjectProxy(threading.RLock())
    assert not hasattr(proxy, "__dict__")
    assert instance_dict(proxy) is None
    assert instance_dict(wrapt.ObjectProxy.__new__(wrapt.ObjectProxy)) is None


def test_patching_goes_on_where_proxies_of_locks_exist(run_program: Any) -> None:
    run_program(
        "import threading, wrapt\nproxies = [wrapt.ObjectProxy(kind()) for kind in (threading.Lock, threading.RLock)]\n"
        "import greening\ngreening.monkey_patch()\n"
        "for proxy in proxies:\n    with proxy: greening.sleep(0)\n"
    )
