"""A program: prints the public names of the installed eventlet with their parameters, as JSON, {name: parameters}.

Names are those of modules, of what they define, of their settings, and of the members of their classes. Parameters are
[kind, name, whether it is optional]; null: what it is takes none, or does not say. Names that a module has imported
count where they are its `__all__`.
"""

import importlib
import inspect
import json
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

warnings.simplefilter("ignore")
import eventlet

Parameters = list[tuple[str, str, bool]] | None
# Copies of the standard library's package, and what needs packages that nobody installs.
LEFT_OUT = ("eventlet.green.http", "eventlet.zipkin")
# Gone from the standard library in CPython 3.12: what is left of eventlet's green ones is empty.
REMOVED = {f"eventlet.green.{name}" for name in ("asynchat", "asyncore") if name not in sys.stdlib_module_names}
# Types of plain data that a module may have under a public name.
SETTINGS = (int, float, str, bytes, tuple, list, dict, set, frozenset, Exception)
SPECIAL = {"__await__", "__bool__", "__call__", "__contains__", "__enter__", "__exit__", "__getitem__", "__iter__"}


def parameters_of(value: Any) -> Parameters:
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [(each.kind.name, each.name, each.default is not each.empty) for each in parameters]


def public(name: str) -> bool:
    return not name.startswith("_") or name in SPECIAL


def members_of(cls: type) -> Iterator[tuple[str, Parameters]]:
    """Members that eventlet's classes define, with what they inherit from one another."""
    for name in sorted({name for each in cls.__mro__ if each.__module__.startswith("eventlet") for name in vars(each)}):
        if public(name):
            member = getattr(cls, name)
            yield name, parameters_of(member) if callable(member) else None


def is_setting(module: ModuleType, value: Any) -> bool:
    """True for plain data, in a module that is not a copy of one of the standard library's."""
    return isinstance(value, SETTINGS) and not module.__name__.startswith("eventlet.green.")


def names_of(module: ModuleType) -> Iterator[tuple[str, Parameters]]:
    listed = () if module.__name__.startswith("eventlet.green.") else getattr(module, "__all__", ())
    for name in sorted(vars(module)):
        value = vars(module)[name]
        mine = name in listed or getattr(value, "__module__", None) == module.__name__
        if not public(name) or not (mine or is_setting(module, value)):
            continue
        defined = str(getattr(value, "__module__", "")).startswith("eventlet")
        yield name, parameters_of(value) if defined else None
        if defined and inspect.isclass(value):
            yield from ((f"{name}.{member}", taken) for member, taken in members_of(value))


def main() -> None:
    found: dict[str, Parameters] = {}
    for name in ("eventlet", *(info.name for info in pkgutil.walk_packages(eventlet.__path__, "eventlet."))):
        if name.startswith(LEFT_OUT) or name in REMOVED or "._" in name:
            continue
        try:
            module = importlib.import_module(name)
        except (ImportError, AttributeError):  # of another system, or of a package that is not installed
            found[name] = None
            continue
        found[name] = None
        found.update((f"{name}.{each}", taken) for each, taken in names_of(module))
    for each in (name for name in dir(eventlet) if public(name) and not inspect.ismodule(getattr(eventlet, name))):
        found.setdefault(f"eventlet.{each}", parameters_of(getattr(eventlet, each)))
    json.dump(found, sys.stdout, indent=1)


main()
