"""What refers to something that blocks, in spite of `monkey_patch()`: names, bound methods, locks, instances, classes.

Most of it was imported or made before. Local variables of running functions and what only C extensions hold are not
seen.
"""

from collections.abc import Iterator
from types import MethodType
from typing import cast

from greening._originals import LockType, RLock
from greening.debug.findings import Finding, earlier
from greening.patcher.captured import captured, derived_classes, outside_targets, replaced_classes
from greening.patcher.ledger import LEDGER
from greening.patcher.stale_methods import KINDS as METHODS
from greening.patcher.stale_methods import StaleMethod
from greening.threads.adopt_local import is_adopted_class


def names() -> Iterator[Finding]:
    """Originals that are still referred to by name, value or closure."""
    for holder, name, removed in captured(LEDGER):
        where = holder.where
        if removed:
            yield Finding("name", where, f"{name}, which has no green meaning", f"do without {name}")
        else:
            advice = f"look {name} up when it is called, or {earlier(where)}"
            yield Finding("name", where, f"the unpatched {name}", advice)


def methods() -> Iterator[Finding]:
    """Bound methods that were taken off an object before its class was patched."""
    stale = StaleMethod(LEDGER.replaced, LEDGER.placed)
    for holder in outside_targets(LEDGER, stale, tuple(METHODS)) if stale else ():
        method, where = cast(MethodType, holder.value), holder.where
        what = f"the unpatched method {method.__name__} of a {type(method.__self__).__qualname__}"
        yield Finding("name", where, what, f"read it from its object when it is called, or {earlier(where)}")


def locks() -> Iterator[Finding]:
    """Real locks and RLocks."""
    if "_thread" not in LEDGER.placed and "threading" not in LEDGER.placed:
        return
    for holder in outside_targets(LEDGER, _anything, (LockType, RLock)):
        kind = "RLock" if type(holder.value) is RLock else "lock"
        method = "" if holder.method is None else f" (its method {holder.method})"
        where = holder.where
        yield Finding("lock", where, f"a real {kind}{method}", f"make it after patching: {earlier(where)}")


def instances() -> Iterator[Finding]:
    """Objects made by a class that has been replaced since, and classes derived from one."""
    replaced = replaced_classes(LEDGER)
    for where, name in derived_classes(LEDGER, is_adopted_class):
        advice = f"define it after patching: {earlier(where)}"
        yield Finding("class", where, f"derived from the original {name}", advice)
    for holder in outside_targets(LEDGER, _anything, tuple(replaced)) if replaced else ():
        what, where = f"made by the original {replaced[type(holder.value)]}", holder.where
        yield Finding("instance", where, what, f"make it after patching: {earlier(where)}")


def _anything(value: object) -> bool:
    return True
