"""Late patching: bound methods that were taken off an object before its class was patched.

`receive = sock.recv` keeps the method that the class had at that moment. A place that can be written to is given the
method that the class has now. Partial objects, tuples and the like are left to `greening.debug.audit()`. No foreign
code runs.
"""

import sys
from collections.abc import Collection, Mapping
from types import BuiltinMethodType, FunctionType, MethodDescriptorType, MethodType, ModuleType
from typing import cast

from greening.patcher.binding import Binding
from greening.patcher.introspect import class_dict, class_mro, is_class, is_module
from greening.patcher.ledger import ABSENT, Changes
from greening.patcher.references import holders
from greening.patcher.wrapped_names import class_behind

Replaced = Mapping[str, Mapping[str, tuple[object, object]]]
Method = FunctionType | MethodDescriptorType  # in Python, or compiled
KINDS = frozenset({BuiltinMethodType, MethodType})


class StaleMethod:
    """Knows the methods that classes had before they were patched.

    Args:
        replaced: the ledger's record.
        targets: the modules with the classes that count; they are imported.
    """

    def __init__(self, replaced: Replaced, targets: Collection[str]) -> None:
        # By identity of the class: name -> today's method; by identity of an old function: class -> today's method.
        self._methods: dict[int, dict[str, Method]] = {}
        self._functions: dict[int, dict[int, Method]] = {}
        self._old: list[object] = []  # kept alive, so that no other function gets an identity of theirs
        for target in targets:
            for dotted, (before, after) in replaced.get(target, {}).items():
                path, _, name = dotted.rpartition(".")
                owner = _find(target, path) if path else None
                if owner is None or not isinstance(after, Method):
                    continue
                self._methods.setdefault(id(owner), {})[name] = after
                old = _inherited(owner, name) if before is ABSENT else before
                if type(old) is FunctionType:
                    self._functions.setdefault(id(old), {})[id(owner)] = after
                    self._old.append(old)

    def __bool__(self) -> bool:
        return bool(self._methods)

    def __call__(self, method: object) -> bool:
        """True for a bound method, of one of `KINDS`, that is not its class's any more."""
        return self._function_of(method) is not None

    def fresh(self, method: object) -> MethodType:
        """What reading the method from its object would give today."""
        function = self._function_of(method)
        assert function is not None
        return _bind(function, cast(MethodType, method).__self__)

    def _function_of(self, method: object) -> Method | None:
        kind = class_mro(type(cast(MethodType, method).__self__))
        if type(method) is MethodType:
            todays = self._functions.get(id(method.__func__))
            return None if todays is None else next((todays[id(owner)] for owner in kind if id(owner) in todays), None)
        name = cast(BuiltinMethodType, method).__name__
        today = next((self._methods[id(o)][name] for o in kind if name in self._methods.get(id(o), ())), None)
        if type(today) is MethodDescriptorType and _bind(today, cast(BuiltinMethodType, method).__self__) == method:
            return None
        return today


def _bind(function: Method, owner: object) -> MethodType:
    return cast(MethodType, function.__get__(owner))  # a compiled one's is a builtin method


def _inherited(owner: type, name: str) -> object:
    return next((class_dict(base)[name] for base in class_mro(owner)[1:] if name in class_dict(base)), None)


def rebind_methods(replaced: Replaced, targets: Collection[str], changes: Changes) -> int:
    """Put today's methods in the place of stale ones, of the classes of these modules.

    Returns:
        The number of places that cannot be written to.
    """
    stale = StaleMethod(replaced, targets)
    if not stale:
        return 0
    missed = 0
    back: dict[int, tuple[MethodType, object]] = {}
    for holder in holders(stale, KINDS):
        fresh = stale.fresh(holder.value)
        if holder.replace(fresh):
            back[id(fresh)] = fresh, holder.value
        else:
            missed += 1
    if back:
        changes.steps.append(lambda: _put_back(back))
    return missed


def _put_back(back: dict[int, tuple[MethodType, object]]) -> None:
    places: list[Binding] = holders(lambda method: id(method) in back, KINDS, (back, *back.values()))
    for holder in places:
        holder.replace(back[id(holder.value)][1])


def _find(target: str, path: str) -> type | None:
    found: object = sys.modules.get(target)
    first, *rest = path.split(".")
    if is_module(found) and (own := class_behind(cast(ModuleType, found), first)) is not None:
        found = own
    else:
        rest = [first, *rest]
    for part in rest:
        found = vars(found).get(part) if found is not None and hasattr(found, "__dict__") else None
    return cast(type, found) if is_class(found) else None
