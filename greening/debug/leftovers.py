"""What refers to something that blocks, in spite of `monkey_patch()`: names, bound methods, locks, instances, classes.

Most of it was imported or made before. Local variables of running functions and what only C extensions hold are not
seen.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any, cast

from greening._originals import LockType, RLock
from greening.debug.findings import Finding, earlier
from greening.patcher.binding import Binding
from greening.patcher.introspect import is_class, is_made_by_keeper, is_module, module_dict
from greening.patcher.ledger import ABSENT, BEHIND, LEDGER
from greening.patcher.rebind import is_anothers
from greening.patcher.references import holders
from greening.patcher.stale_methods import KINDS as METHODS
from greening.patcher.stale_methods import StaleMethod
from greening.threads.adopt_local import is_adopted_class


def names() -> Iterator[Finding]:
    """Originals that are still referred to by name, value or closure."""
    originals = _originals()
    kept = [original for original, _, _ in originals.values()]
    wrappers = _insides_of_wrappers()
    for holder in _outside_targets(lambda value: id(value) in originals, (), (kept, originals, *originals.values())):
        if holder.method == "__new__" or id(holder.container) in wrappers:
            continue  # a part of the class; what stands in the place of the original may call it
        _, name, removed = originals[id(holder.value)]
        where = holder.where
        if ".__annotations_" in where or _annotates(holder):
            continue  # says something, and calls nothing
        if removed:
            yield Finding("name", where, f"{name}, which has no green meaning", f"do without {name}")
        else:
            advice = f"look {name} up when it is called, or {earlier(where)}"
            yield Finding("name", where, f"the unpatched {name}", advice)


def _insides_of_wrappers() -> set[int]:
    """The identities of the parts of the functions in Python that have replaced originals."""
    functions = [
        after for names in LEDGER.replaced.values() for _, after in names.values() if type(after) is FunctionType
    ]
    insides = [(function.__dict__, *(function.__closure__ or ())) for function in functions]
    return {id(part) for parts in insides for part in parts}


def _annotates(holder: Binding) -> bool:
    """True for a place in the annotations of a function, which have been made already and are not made here."""
    if holder.container is not holder.owner or type(holder.container) is not dict:
        return False
    functions: list[Any] = [one for one in gc.get_referrers(holder.container) if type(one) is FunctionType]
    others = [part for one in functions for part in (one.__globals__, one.__builtins__, one.__kwdefaults__)]
    return not _is_in(holder.container, others) and _is_in(holder.container, [f.__annotations__ for f in functions])


def _is_in(thing: object, things: list[object]) -> bool:
    return any(each is thing for each in things)


def methods() -> Iterator[Finding]:
    """Bound methods that were taken off an object before its class was patched."""
    stale = StaleMethod(LEDGER.replaced, LEDGER.placed)
    for holder in _outside_targets(stale, tuple(METHODS)) if stale else ():
        method, where = cast(MethodType, holder.value), holder.where
        what = f"the unpatched method {method.__name__} of a {type(method.__self__).__qualname__}"
        yield Finding("name", where, what, f"read it from its object when it is called, or {earlier(where)}")


def _originals() -> dict[int, tuple[object, str, bool]]:
    """Identity of an original -> itself, its name, and whether it was removed and not replaced."""
    originals: dict[int, tuple[object, str, bool]] = {}
    for target, names in LEDGER.replaced.items():
        for name, (before, after) in names.items():
            plain = callable(before) and "." not in name and getattr(before, "__module__", "") != "builtins"
            if plain and not is_anothers(before, target):
                known = originals.get(id(before))
                if known is None or (known[1].startswith("_") and not target.startswith("_")):  # by its public name
                    originals[id(before)] = before, f"{target}.{name.removesuffix(BEHIND)}", after is ABSENT
    return originals


def locks() -> Iterator[Finding]:
    """Real locks and RLocks."""
    if "_thread" not in LEDGER.placed and "threading" not in LEDGER.placed:
        return
    for holder in _outside_targets(_anything, (LockType, RLock)):
        kind = "RLock" if type(holder.value) is RLock else "lock"
        method = "" if holder.method is None else f" (its method {holder.method})"
        where = holder.where
        yield Finding("lock", where, f"a real {kind}{method}", f"make it after patching: {earlier(where)}")


def instances() -> Iterator[Finding]:
    """Objects made by a class that has been replaced since, and classes derived from one."""
    replaced = _replaced_classes()
    for kind, name in replaced.items():
        derived: type
        for derived in type.__subclasses__(kind):
            where = f"{derived.__module__}.{derived.__qualname__}"
            if not is_made_by_keeper(derived) and not is_adopted_class(derived) and not where.startswith(_targets()):
                advice = f"define it after patching: {earlier(where)}"
                yield Finding("class", where, f"derived from the original {name}", advice)
    for holder in _outside_targets(_anything, tuple(replaced)) if replaced else ():
        what, where = f"made by the original {replaced[type(holder.value)]}", holder.where
        yield Finding("instance", where, what, f"make it after patching: {earlier(where)}")


def _replaced_classes() -> dict[type, str]:
    return {
        cast(type, before): f"{target}.{name}"
        for target, names in LEDGER.replaced.items()
        for name, (before, after) in names.items()
        if is_class(before) and is_class(after) and before not in (LockType, RLock) and not is_anothers(before, target)
    }


def _anything(value: object) -> bool:
    return True


def _outside_targets(
    predicate: Callable[[object], bool], kinds: tuple[type, ...], ours: tuple[object, ...] = ()
) -> Iterator[Binding]:
    for holder in holders(predicate, kinds, (*ours, kinds)):
        kept = _may_keep(holder.owner) if is_module(holder.owner) else _is_c_memory(holder)
        if not kept and not holder.where.startswith(_targets()):
            yield holder


def _targets() -> tuple[str, ...]:
    return tuple(f"{target}." for target in LEDGER.placed)


def _is_c_memory(holder: Binding) -> bool:
    """True for the dictionary from which a module written in C would be made a second time."""
    container = holder.container
    return type(container) is dict and container is holder.owner and "__name__" in container


def _may_keep(module: object) -> bool:
    """True for patched modules and for modules written in C, which are where the originals come from."""
    namespace = module_dict(module)
    if namespace.get("__name__") in LEDGER.wanted:
        return True
    file = namespace.get("__file__")
    return file.endswith(".so") if isinstance(file, str) else namespace.get("__name__") in sys.builtin_module_names
