"""Places that still refer to an original: by name, value or closure, outside the modules that are patched.

The whole heap is looked through. No foreign code runs.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, UnionType
from typing import Any, cast

from greening._originals import LockType, RLock
from greening.patcher.binding import Binding
from greening.patcher.introspect import class_dict, is_class, is_made_by_keeper, is_module, module_dict
from greening.patcher.ledger import ABSENT, BEHIND, Ledger
from greening.patcher.rebind import is_anothers
from greening.patcher.references import holders


def captured(ledger: Ledger) -> Iterator[tuple[Binding, str, bool]]:
    """The place, the name of the original ("time.sleep"), and whether that was removed and not replaced."""
    originals = originals_of(ledger)
    kept = [original for original, _, _ in originals.values()]
    wrappers = _insides_of_wrappers(ledger)
    ours = (kept, originals, *originals.values())
    for holder in outside_targets(ledger, lambda value: id(value) in originals, (), ours):
        if holder.method == "__new__" or id(holder.container) in wrappers:
            continue  # a part of the class; what stands in the place of the original may call it
        _, name, removed = originals[id(holder.value)]
        if ".__annotations_" not in holder.where and not _annotates(holder):  # that says something, and calls nothing
            yield holder, name, removed


def derived_classes(ledger: Ledger, is_adopted: Callable[[type], bool]) -> Iterator[tuple[str, str]]:
    """The classes that are derived from one that has been replaced since, and the name of that.

    Args:
        is_adopted: whether a class has been made green by itself.
    """
    targets = targets_of(ledger)
    for kind, name in replaced_classes(ledger).items():
        derived: type
        for derived in type.__subclasses__(kind):
            where = f"{derived.__module__}.{derived.__qualname__}"
            if not is_made_by_keeper(derived) and not is_adopted(derived) and not where.startswith(targets):
                yield where, name


def replaced_classes(ledger: Ledger) -> dict[type, str]:
    """The classes that have been replaced by others, and their names. Locks are looked at apart."""
    return {
        cast(type, before): f"{target}.{name}"
        for target, names in ledger.replaced.items()
        for name, (before, after) in names.items()
        if is_class(before) and is_class(after) and before not in (LockType, RLock) and not is_anothers(before, target)
    }


def originals_of(ledger: Ledger) -> dict[int, tuple[object, str, bool]]:
    """Identity of an original -> itself, its name, and whether it was removed and not replaced."""
    originals: dict[int, tuple[object, str, bool]] = {}
    for target, names in ledger.replaced.items():
        for name, (before, after) in names.items():
            plain = callable(before) and "." not in name and getattr(before, "__module__", "") != "builtins"
            if plain and not is_anothers(before, target):
                known = originals.get(id(before))
                if known is None or (known[1].startswith("_") and not target.startswith("_")):  # by its public name
                    originals[id(before)] = before, f"{target}.{name.removesuffix(BEHIND)}", after is ABSENT
    return originals


def outside_targets(
    ledger: Ledger, predicate: Callable[[object], bool], kinds: tuple[type, ...], ours: tuple[object, ...] = ()
) -> Iterator[Binding]:
    """What `references.holders` finds outside of patched modules and of those written in C.

    Args:
        ours: containers of the caller's own.
    """
    targets = targets_of(ledger)
    for holder in holders(predicate, kinds, (*ours, kinds)):
        kept = _may_keep(holder.owner, ledger) if is_module(holder.owner) else _is_c_memory(holder)
        if not kept and not holder.where.startswith(targets):
            yield holder


def targets_of(ledger: Ledger) -> tuple[str, ...]:
    """How the places in patched modules begin."""
    return tuple(f"{target}." for target in ledger.placed)


def _may_keep(module: object, ledger: Ledger) -> bool:
    """True for patched modules and for modules written in C, which are where the originals come from."""
    namespace = module_dict(module)
    if namespace.get("__name__") in ledger.wanted:
        return True
    file = namespace.get("__file__")
    return file.endswith(".so") if isinstance(file, str) else namespace.get("__name__") in sys.builtin_module_names


def _is_c_memory(holder: Binding) -> bool:
    """True for the dictionary from which a module written in C would be made a second time."""
    container = holder.container
    return type(container) is dict and container is holder.owner and "__name__" in container


def _insides_of_wrappers(ledger: Ledger) -> set[int]:
    """The identities of the parts of the functions in Python that have replaced originals."""
    functions = [
        after for names in ledger.replaced.values() for _, after in names.values() if type(after) is FunctionType
    ]
    insides = [(function.__dict__, *(function.__closure__ or ())) for function in functions]
    return {id(part) for parts in insides for part in parts}


def _annotates(holder: Binding) -> bool:
    """True for a place in the annotations of a function, which are not made here if they have not been yet, and for one
    in a type that is written as `Lock | None`."""
    container = holder.container
    if container is not holder.owner:
        return False
    if type(container) is tuple:
        return any(_is_type_of(one, container) for one in gc.get_referrers(container))
    if type(container) is not dict:
        return False
    functions: list[Any] = [one for one in gc.get_referrers(container) if type(one) is FunctionType]
    others = [part for one in functions for part in (one.__globals__, one.__builtins__, one.__kwdefaults__)]
    return not _is_in(container, others) and _is_in(container, [one.__annotations__ for one in functions])


def _is_type_of(thing: object, parts: object) -> bool:
    """Whether a tuple is what a type is made of; or what the annotations of a function will be made of (up to 3.13)."""
    if type(thing) is FunctionType:
        return thing.__defaults__ is not parts and thing.__closure__ is not parts
    return type(thing) is UnionType or class_dict(type(thing)).get("__module__") == "typing"


def _is_in(thing: object, things: list[object]) -> bool:
    return any(each is thing for each in things)
