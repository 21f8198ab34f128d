"""Late patching: names that other modules captured before the patch are pointed at the green objects too.

`from time import sleep` copies a reference; patching `time` does not reach it. One pass over the modules in
`sys.modules` finds what can be rebound without touching the program's data: module globals, default arguments of
functions, and attributes of classes that the module defines, factories of dataclasses and of attrs among them; in the
stdlib also tables in classes. It compares identities, so no foreign code runs. What sits deeper (instances, containers,
closures, slots) is left to `references` and reported by `greening.debug.audit()`.
"""

import builtins
import sys
from collections.abc import Collection, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any, cast

from greening.patcher.introspect import Namespace, class_dict, is_class, is_kept, is_module, module_dict, slots_of
from greening.patcher.ledger import ABSENT, Changes

Replaced = Mapping[str, Mapping[str, tuple[object, object]]]
Greens = dict[int, tuple[object, object]]

# Originals that are not rebound: they are found everywhere, and hardly ever meant.
_commonplace = frozenset(map(id, vars(builtins).values())) - {id(open)}


def rebind(replaced: Replaced, targets: Collection[str], changes: Changes) -> None:
    """Point captured originals at their green objects.

    Args:
        replaced: the ledger's record.
        targets: patched modules. They are left alone: what a patch did not replace there, it kept.
    """
    greens = greens_of(replaced)
    if not greens:
        return
    for name, namespace in user_modules(targets):
        _rebind_namespace(namespace, greens, changes)
        for value in list(namespace.values()):
            if type(value) is FunctionType:
                if value.__globals__ is namespace:
                    _rebind_defaults(value, greens, changes)
            elif is_class(value) and class_dict(value).get("__module__") == name:
                _rebind_class(cast(type, value), greens, changes)


def greens_of(replaced: Replaced) -> Greens:
    """Identity of an original -> (the original, its green object), for originals that can be told from everything else.

    The originals of methods are left out: a function taken off a class is not what the class's users call.
    """
    greens: Greens = {}
    for target, names in replaced.items():
        for name, (before, after) in names.items():
            telling = callable(before) and id(before) not in _commonplace and not is_anothers(before, target)
            if telling and before is not ABSENT and after is not ABSENT and "." not in name:
                greens.setdefault(id(before), (before, after))
    return greens


def is_anothers(value: object, target: str) -> bool:
    """True for what a patched module took from another module written in Python, which still has it. Only the patched
    module is to have something else (`subprocess` a selector of its own)."""
    home = getattr(value, "__module__", None)
    module = sys.modules.get(home) if type(home) is str and home != target else None
    if module is None or not is_module(module):
        return False
    namespace = module_dict(module)
    return not _is_compiled(namespace) and namespace.get(getattr(value, "__name__", "")) is value


def user_modules(targets: Collection[str]) -> Iterator[tuple[str, Namespace]]:
    """Name and dictionary of every module written in Python that neither is patched nor keeps originals on purpose."""
    seen: set[int] = set()
    for key, module in list(sys.modules.items()):
        if not is_module(module) or key in targets or is_kept(key):
            continue
        namespace = module_dict(module)
        name = namespace.get("__name__", key)
        if id(namespace) not in seen and not is_kept(name) and not _is_compiled(namespace):
            seen.add(id(namespace))
            yield str(name), namespace


def _is_compiled(namespace: Namespace) -> bool:
    file = namespace.get("__file__")
    if type(file) is str:
        return file.endswith(".so")
    return getattr(namespace.get("__spec__"), "origin", None) == "built-in"


def _rebind_namespace(namespace: Namespace, greens: Greens, changes: Changes) -> None:
    for name, value in list(namespace.items()):
        if id(value) in greens:
            changes.set_item(namespace, name, greens[id(value)][1])


def _rebind_defaults(function: FunctionType, greens: Greens, changes: Changes) -> None:
    defaults = function.__defaults__
    if defaults and any(id(value) in greens for value in defaults):
        changes.set_defaults(function, tuple(greens[id(v)][1] if id(v) in greens else v for v in defaults))
    if function.__kwdefaults__:
        _rebind_namespace(function.__kwdefaults__, greens, changes)


def _rebind_class(owner: type, greens: Greens, changes: Changes) -> None:
    is_stdlib = str(class_dict(owner).get("__module__")).partition(".")[0] in sys.stdlib_module_names
    fields = class_dict(owner).get("__dataclass_fields__")
    if type(fields) is dict:
        _rebind_dataclass(owner, fields, greens, changes)
    attributes = class_dict(owner).get("__attrs_attrs__")
    if isinstance(attributes, tuple):
        _rebind_attrs(owner, attributes, greens, changes)
    for name, value in list(class_dict(owner).items()):
        kind = type(value)
        if id(value) in greens:
            _set(owner, name, _as_attribute(*greens[id(value)]), changes)
        elif kind is FunctionType:
            _rebind_defaults(cast(FunctionType, value), greens, changes)
        elif kind is staticmethod or kind is classmethod:
            inner = cast("staticmethod[..., Any]", value).__func__
            if id(inner) in greens:
                _set(owner, name, kind(cast(Any, greens[id(inner)][1])), changes)
            elif type(inner) is FunctionType:
                _rebind_defaults(inner, greens, changes)
        elif kind is dict and is_stdlib:
            _rebind_table(cast("dict[object, object]", value), greens, changes)
        elif is_class(value) and _is_nested(cast(type, value), owner):
            _rebind_class(cast(type, value), greens, changes)


def _rebind_dataclass(owner: type, fields: Mapping[str, object], greens: Greens, changes: Changes) -> None:
    """Defaults and factories of a dataclass: in its fields, and in the closure of the `__init__` made of them."""
    for field in list(fields.values()):
        for _, slot, value in slots_of(field):
            if id(value) in greens:
                changes.set_slot(slot, field, greens[id(value)][1])
    init = class_dict(owner).get("__init__")
    for cell in (init.__closure__ or ()) if type(init) is FunctionType else ():
        try:
            value = cell.cell_contents
        except ValueError:  # empty
            continue
        if id(value) in greens:
            changes.set_cell(cell, greens[id(value)][1])


def _rebind_attrs(owner: type, fields: tuple[object, ...], greens: Greens, changes: Changes) -> None:
    """The same of a class of attrs, whose `__init__` has the factories in globals of its own."""
    for field in fields:
        for name, slot, value in slots_of(field):
            if id(value) in greens:
                changes.set_slot(slot, field, greens[id(value)][1])
            for _, inner, factory in slots_of(value) if name == "default" else ():
                if id(factory) in greens:
                    changes.set_slot(inner, value, greens[id(factory)][1])
    for name in ("__init__", "__attrs_init__"):
        init = class_dict(owner).get(name)
        if type(init) is FunctionType:
            _rebind_namespace(init.__globals__, greens, changes)


def _rebind_table(table: dict[object, object], greens: Greens, changes: Changes) -> None:
    """A class's table of callables: `multiprocessing`'s managers, for one, make the locks of others from such a one."""
    for key, value in list(table.items()):
        if id(value) in greens:
            changes.set_item(cast(Namespace, table), cast(str, key), greens[id(value)][1])
        elif type(value) is tuple and any(id(part) in greens for part in value):
            new = tuple(greens[id(part)][1] if id(part) in greens else part for part in value)
            changes.set_item(cast(Namespace, table), cast(str, key), new)


def _is_nested(inner: type, owner: type) -> bool:
    same_module = class_dict(inner).get("__module__") == class_dict(owner).get("__module__")
    return same_module and inner.__qualname__.startswith(owner.__qualname__ + ".")


def _set(owner: type, name: str, value: object, changes: Changes) -> None:
    try:
        changes.set_attribute(owner, name, value)
    except (TypeError, AttributeError):
        pass  # a metaclass that forbids it: the audit will report what is left


def _as_attribute(original: object, green: object) -> object:
    """A builtin function is not bound when it is read from an instance; a Python function in its place would be."""
    if type(original) is BuiltinFunctionType and hasattr(type(green), "__get__"):
        return staticmethod(cast(Any, green))
    return green
