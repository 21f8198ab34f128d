"""A first look, at the moment of patching: whether it came too late to reach everything.

Facts: the audit looks through the whole heap, which takes longer than patching itself. Most programs patch before they
import anything of their own; then there is nothing to find.
Decision: only if modules of others are loaded, or the program has defined something, the collector is asked once who
refers to the originals. It takes a tenth of what patching so late takes. If there seems to be a place, all of them are
looked for, as the audit does it. Locks and instances are left to the audit; classes that are derived from replaced ones
are found without a search.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from types import BuiltinMethodType, CellType, FunctionType, ModuleType
from typing import Any

from greening.patcher.binding import Binding, module_name
from greening.patcher.captured import captured, derived_classes
from greening.patcher.introspect import is_class, is_kept, is_module, module_dict
from greening.patcher.ledger import Ledger
from greening.patcher.rebind import greens_of, user_modules
from greening.patcher.references import holders_of

_FUNCTIONS = (FunctionType, BuiltinMethodType)


def came_late(ledger: Ledger) -> bool:
    """Whether code that is neither the standard library nor greening has run, and may have taken names."""
    for name, namespace in user_modules(ledger.wanted):
        top = name.partition(".")[0]
        if top == "__main__":
            if any(_is_own(value) for key, value in list(namespace.items()) if not key.startswith("__")):
                return True
        # What begins with an underscore has been put there by installers: _virtualenv, _distutils_hack.
        elif top not in sys.stdlib_module_names and not top.startswith("_") and top not in _AT_START:
            return True
    return False


_AT_START = frozenset({"sitecustomize", "usercustomize"})


def _is_own(value: object) -> bool:
    """Whether a value of `__main__` may hold a name that was taken: not what was only imported, and no constant."""
    if is_module(value) or not gc.is_tracked(value):
        return False
    if is_class(value) or isinstance(value, _FUNCTIONS):
        return module_name(value) == "__main__"
    return True


def unreached(ledger: Ledger, is_adopted: Callable[[type], bool]) -> list[tuple[str, str]]:
    """What is still referred to, by name, and the place of each; empty: as far as this look can tell.

    Args:
        is_adopted: whether a class has been made green by itself.
    """
    found = [(name, where) for where, name in derived_classes(ledger, is_adopted)]
    if _suspects(ledger):
        gc.collect()  # what nothing refers to any more is no problem
        found += [(name, holder.where) for holder, name, removed in captured(ledger) if not removed]
    return found


def _suspects(ledger: Ledger) -> bool:
    """Whether anything but modules, and what is known to keep originals, refers to one. That need not count."""
    originals = [before for before, _ in greens_of(ledger.replaced).values()]
    pairs = [pair for of_target in ledger.replaced.values() for pair in of_target.values()]
    ours: list[object] = [originals, pairs, *pairs, *_of_modules(ledger), *_of_steps(ledger)]
    return any(not _is_spoken_for(holder, ledger) for holder in holders_of(list(originals), ours))


def _of_modules(ledger: Ledger) -> Iterator[object]:
    """The dictionaries of modules, which `rebind` has looked through; what patched modules and ours have in them."""
    for name, module in list(sys.modules.items()):
        if type(module) is ModuleType:
            namespace = module_dict(module)
            if not is_kept(name):
                yield namespace
            if is_kept(name) or name in ledger.wanted:
                yield from list(namespace.values())


def _of_steps(ledger: Ledger) -> Iterator[object]:
    """The closures in which the ledger keeps what `unpatch` puts back."""
    for step in ledger.changes.steps:
        yield from getattr(step, "__closure__", None) or ()


def _is_spoken_for(holder: Binding, ledger: Ledger) -> bool:
    """Whether a place belongs to a patched module, to a class that is made of it, or to what took its place."""
    container = holder.container
    if is_module(holder.owner) or type(container) is BuiltinMethodType:
        return True
    if type(container) is dict and container is holder.owner and "__name__" in container:
        return True  # what a module written in C would be made of a second time
    if type(container) is CellType and _is_ours(container):
        return True
    home = module_name(holder.owner)
    return home in ledger.wanted or is_kept(home)


def _is_ours(cell: Any) -> bool:
    """Whether a closure of a function of greening's has it."""
    functions = [
        function
        for closure in gc.get_referrers(cell)
        if type(closure) is tuple
        for function in gc.get_referrers(closure)
        if type(function) is FunctionType and function.__closure__ is closure
    ]
    return bool(functions) and all(is_kept(function.__globals__.get("__name__")) for function in functions)
