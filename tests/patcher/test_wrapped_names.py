"""What stands in front of a class stays there; the class behind it is patched."""

import functools
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
import wrapt

from greening.errors import PatchError
from greening.patcher.apply import apply_one
from greening.patcher.spec import Patch
from greening.patcher.wrapped_names import class_behind, nothing_in_front

SOURCE = """
class Thing:
    def wait(self):
        return "blocks"

class Plain(Thing):
    limit = 3

def make():
    return Thing()
"""


class ForeignThing:
    """Delegates, and is no subclass."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __call__(self) -> Any:
        return self.real()


def _call_through(wrapped: Any, instance: object, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


def wrapper_of(kind: str, real: type) -> Any:
    kinds: dict[str, Callable[[], Any]] = {
        "function": lambda: lambda *args: real(*args),
        "wraps": lambda: functools.wraps(real)(lambda *args: real(*args)),
        "partial": lambda: functools.partial(real),
        "mock": lambda: Mock(wraps=real),
        "object": lambda: ForeignThing(real),
        "subclass": lambda: type("Profiled", (real,), {}),
        "subclass of its name": lambda: type("Thing", (real,), {"__module__": real.__module__}),
        "wrapt's wrapper": lambda: wrapt.FunctionWrapper(real, _call_through),
        "wrapt's proxy": lambda: wrapt.CallableObjectProxy(real),
        "class": lambda: type("Thing", (), {"__new__": lambda cls, *args: real(*args)}),
    }
    return kinds[kind]()


KINDS = pytest.mark.parametrize(
    "kind",
    [
        "function",
        "wraps",
        "partial",
        "mock",
        "object",
        "subclass",
        "subclass of its name",
        "wrapt's wrapper",
        "wrapt's proxy",
        "class",
    ],
)


@KINDS
def test_the_class_behind_is_patched_and_the_wrapper_stays(fakes: Any, kind: str) -> None:
    module = fakes.module("victim", SOURCE)
    real = module.Thing
    module.Thing = wrapper = wrapper_of(kind, real)
    fakes.apply(fakes.entry("victim", methods={"Thing": {"wait": lambda self: "waits"}}))
    assert module.Thing is wrapper
    assert real().wait() == "waits"
    assert module.Thing().wait() == "waits"
    fakes.unapply()
    assert module.Thing is wrapper
    assert real().wait() == "blocks"


@KINDS
def test_a_patch_that_is_bound_to_its_module_finds_the_class(fakes: Any, kind: str) -> None:
    module = fakes.module("victim", SOURCE)
    real = module.Thing
    module.Thing = wrapper = wrapper_of(kind, real)
    seen: list[object] = []

    def bind(target: Any) -> Patch:
        seen.append(target.Thing)
        return Patch(target="victim", flag="victim", replaces={}, methods={"Thing": {"wait": lambda self: "waits"}})

    fakes.apply(fakes.entry("victim", bind=bind))
    assert seen == [real]
    assert module.Thing is wrapper


def test_a_wrapper_that_an_earlier_import_hook_puts_there_is_seen_through(fakes: Any) -> None:
    fakes.file("victim", SOURCE + "\nreal = Thing\nThing = lambda: real()\n")
    fakes.apply(fakes.entry("victim", methods={"Thing": {"wait": lambda self: "waits"}}))
    import victim  # type: ignore[import-not-found]  # the fake

    assert victim.Thing().wait() == "waits"


def test_a_class_without_functions_of_its_own_is_found_by_those_of_its_base(fakes: Any) -> None:
    module = fakes.module("victim", SOURCE)
    real = module.Plain
    module.Plain = lambda: real()
    assert class_behind(module, "Plain") is real


def test_no_code_of_another_classs_runs(fakes: Any) -> None:
    """There are classes that say in Python what equal and hash mean, and classes of no module at all."""

    class Strict(type):
        def __eq__(cls, other: object) -> bool:
            raise AssertionError("asked")

        def __hash__(cls) -> int:
            raise AssertionError("asked")

    module = fakes.module("victim", SOURCE)
    real = module.Thing
    kept = [Strict("Odd", (), {}), Strict("Odd", (real,), {}), type("Odd", (), {"__module__": []})]
    module.Thing = functools.partial(real)
    assert class_behind(module, "Thing") is real
    assert len(kept) == 3


def test_a_class_that_nothing_stands_in_front_of_is_left_alone(fakes: Any) -> None:
    module = fakes.module("victim", SOURCE)
    before = dict(vars(module))
    assert class_behind(module, "Thing") is None
    assert class_behind(module, "make") is None
    with nothing_in_front([module]):
        assert vars(module) == before


def test_a_module_that_was_executed_again_has_its_new_classes(fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = fakes.module("victim", SOURCE)
    old = module.Thing
    exec(compile(SOURCE, "victim.py", "exec"), vars(module))
    monkeypatch.setattr(sys, "stdlib_module_names", sys.stdlib_module_names | {"victim"})
    assert module.Thing is not old
    assert class_behind(module, "Thing") is None


def test_what_is_put_there_meanwhile_stays(fakes: Any) -> None:
    module = fakes.module("victim", SOURCE)
    real = module.Thing
    module.Thing = lambda: real()
    with nothing_in_front([module]):
        assert module.Thing is real
        module.Thing = newest = object()
    assert module.Thing is newest


def test_a_failure_puts_the_wrapper_back(fakes: Any) -> None:
    module = fakes.module("victim", SOURCE)
    real = module.Thing
    module.Thing = wrapper = functools.partial(real)
    with pytest.raises(PatchError, match="Missing"):
        apply_one(
            Patch(
                target="victim", flag="victim", replaces={}, methods={"Thing": {"wait": None}, "Missing": {"x": None}}
            ),
            module,
            fakes.ledger,
        )
    assert module.Thing is wrapper
    assert real().wait() == "blocks"


FUNCTION = """
def pause():
    return "blocks"
"""


def wrapped(kind: str, module: Any, real: Callable[[], str]) -> Any:
    if kind == "closure":
        return lambda: real()
    if kind == "wraps":
        return functools.wraps(real)(lambda: "wrapped")
    if kind == "partial":
        return functools.partial(real)
    if kind == "mock":
        return Mock(wraps=real)
    if kind == "wrapt":
        return wrapt.FunctionWrapper(real, _call_through)
    if kind == "default":
        return lambda call=real: call()
    if kind == "object":
        return ForeignThing(real)
    if kind == "method":
        return ForeignThing(real).__call__
    namespace = {"_real": real, "__name__": "profiler"}  # the way of most profilers: a global of their module
    exec("def profiled(): return _real()", namespace)
    return namespace["profiled"]


FUNCTION_KINDS = pytest.mark.parametrize(
    "kind", ["closure", "wraps", "partial", "mock", "wrapt", "default", "object", "method", "global", "twice"]
)


@FUNCTION_KINDS
def test_a_function_that_was_taken_before_it_was_wrapped_is_known(fakes: Any, kind: str) -> None:
    module = fakes.module("victim", FUNCTION)
    user = fakes.module("user", "from victim import pause")
    real = module.pause
    module.pause = wrapper = wrapped("closure" if kind == "twice" else kind, module, real)
    if kind == "twice":
        module.pause = wrapper = wrapped("global", module, wrapper)

    def green() -> str:
        return "waits"

    fakes.apply(fakes.entry("victim", replaces={"pause": green}))
    assert module.pause is green
    assert user.pause is green
    fakes.unapply()
    assert module.pause is wrapper
    assert user.pause is real


def test_a_stand_in_with_no_function_behind_it_is_replaced_and_comes_back(fakes: Any) -> None:
    module = fakes.module("victim", FUNCTION)
    module.pause = stand_in = Mock(return_value=None)

    def green() -> str:
        return "waits"

    fakes.apply(fakes.entry("victim", replaces={"pause": green}))
    assert module.pause is green
    fakes.unapply()
    assert module.pause is stand_in
