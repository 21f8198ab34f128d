"""`apply`: the single writer. It switches flags on, all or nothing; `unapply` takes everything back.

Two steps, because importing takes import locks, and no task may wait for those while it holds our lock:

1. Load, without the lock: the patch files of every wanted target that is imported. They import more of the stdlib, so
   this goes on until nothing new turns up.
2. Place, with the lock: names, methods, removals and `after` of each patch in the order of the catalogue. Then names
   and bound methods that were captured before (`rebind`, `stale_methods`).

Targets that are not imported yet are patched when they are (`deferred`).
"""

import importlib
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from types import ModuleType

from greening.errors import PatchError
from greening.patcher.deferred import watch
from greening.patcher.introspect import is_module
from greening.patcher.ledger import ABSENT, BEHIND, Changes, Ledger
from greening.patcher.rebind import rebind
from greening.patcher.spec import Entry, Patch, Undo
from greening.patcher.stale_methods import rebind_methods
from greening.patcher.wrapped_names import class_behind, function_behind, nothing_in_front

Recorder = Callable[[str, str, object, object], None]


def choose(catalogue: Sequence[Entry], switches: Mapping[str, object]) -> frozenset[str]:
    """The flags that `monkey_patch(**switches)` means.

    Without any True: everything except what is False. With a True: only those. `all` decides about flags that are not
    named.

    Raises:
        TypeError: a flag that the catalogue does not know; the message has the known ones.
    """
    known = tuple(dict.fromkeys(entry.flag for entry in catalogue))
    wishes = dict(switches)
    others = wishes.pop("all", None)
    unknown = [flag for flag in wishes if flag not in known]
    if unknown:
        listed = ", ".join(map(repr, unknown))
        near = [flag for flag in known if any(flag in name or name in flag for name in unknown if name)]
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise TypeError(f"monkey_patch() does not know {listed}{hint}; the flags are: all, {', '.join(known)}")
    if others is None:
        others = not any(wishes.values())
    return frozenset(flag for flag in known if wishes.get(flag, others))


def apply(catalogue: Sequence[Entry], flags: Collection[str], ledger: Ledger) -> None:
    """Patch everything that belongs to `flags` and is not patched yet.

    Thread-safe; may be called from any OS thread, again and again.

    Raises:
        PatchError: something could not be patched; what this call had done is undone.
    """
    with ledger.lock:
        chosen = [entry for entry in catalogue if entry.flag in flags]
        new = [entry for entry in chosen if entry.target not in ledger.wanted]
        ledger.wanted.update((entry.target, entry) for entry in new)
        switched_on = set(flags) - ledger.flags
        ledger.flags |= switched_on
    changes = Changes()
    try:
        _place_present(chosen, ledger, changes)
        for entry in new:
            changes.steps.append(watch(entry.target, partial(_place_imported, ledger, entry)).cancel)
        _place_present(chosen, ledger, changes)  # what was imported meanwhile: by a patch, or in another thread
    except BaseException:
        with ledger.lock:
            _switch_off(ledger, new, switched_on)
            changes.roll_back()
        raise
    with ledger.lock:
        ledger.changes.steps.extend(changes.steps)


def apply_one(patch: Patch, module: ModuleType, ledger: Ledger) -> None:
    """Patch one module that no catalogue knows. `unapply` takes it back. Thread-safe.

    Raises:
        PatchError: it could not be patched; the module is as it was.
    """
    changes = Changes()
    with ledger.lock, nothing_in_front([module]):
        try:
            _place_one(patch, module, ledger, changes)
            rebind({patch.target: ledger.replaced.get(patch.target, {})}, ledger.placed, changes)
        except BaseException:
            changes.roll_back()
            ledger.placed.discard(patch.target)
            raise
        ledger.changes.steps.extend(changes.steps)


def unapply(ledger: Ledger) -> None:
    """Take back everything that `apply` and `place` did, newest first.

    Raises:
        PatchError: an undo callback failed; everything else has been taken back.
    """
    with ledger.lock:
        ledger.forget()
        ledger.changes.roll_back()


def load_patch(entry: Entry) -> Patch:
    """The patch that a line of the catalogue names. Imports its file, and thereby the target.

    Raises:
        PatchError: the file cannot be imported, or defines no PATCH of that target.
    """
    try:
        patch = importlib.import_module(entry.module).PATCH
    except (ImportError, AttributeError) as error:
        raise PatchError(f"the patch of {entry.target!r} cannot be loaded from {entry.module}: {error}") from error
    if not isinstance(patch, Patch) or patch.target != entry.target:
        raise PatchError(f"{entry.module}.PATCH is not a Patch of {entry.target!r}")
    return patch


def place(patch: Patch, module: ModuleType, changes: Changes, record: Recorder) -> None:
    """Write one patch into a module.

    Args:
        record: told about every name: (target, attribute or "Class.attribute", before, after).
    Raises:
        PatchError: the module has no such class, or a class takes no attributes. What was written stays written: the
            caller takes `changes` back.
    """
    if patch.bind is not None:
        patch = patch.bind(module)
    namespace = vars(module)
    for name in patch.removes:
        record(patch.target, name, changes.set_item(namespace, name, ABSENT), ABSENT)
    for name, value in patch.replaces.items():
        before = changes.set_item(namespace, name, value)
        record(patch.target, name, before, value)
        if before is not value and (function := function_behind(module, name, before)) is not None:
            record(patch.target, name + BEHIND, function, value)
    for class_name, members in patch.methods.items():
        owner = class_of(module, class_name)
        for name, value in members.items():
            try:
                before = changes.set_attribute(owner, name, value)
            except TypeError as error:
                raise PatchError(f"cannot patch {patch.target}.{class_name}.{name}: {error}") from error
            record(patch.target, f"{class_name}.{name}", before, value)
    if patch.after is not None:
        patch.after(Undo(changes.steps))


def class_of(module: ModuleType, dotted: str) -> type:
    """The class that a key of `Patch.methods` names, even if a wrapper has its name.

    Raises:
        PatchError: there is none.
    """
    first, *rest = dotted.split(".")
    found: object = class_behind(module, first) or getattr(module, first, None)
    for part in rest:
        found = getattr(found, part, None)
    if not isinstance(found, type):
        raise PatchError(f"cannot patch the class {dotted!r} of {module.__name__!r}: there is none")
    return found


def _place_present(entries: Sequence[Entry], ledger: Ledger, changes: Changes) -> None:
    loaded: dict[str, Patch] = {}
    while missing := _present(entries, ledger, loaded):
        for entry in missing:
            importlib.import_module(entry.target)  # waits for an import that is under way in another thread
        with nothing_in_front(_modules(entry.target for entry in entries)):
            loaded.update((entry.target, load_patch(entry)) for entry in missing)
    if not loaded:
        return
    with ledger.lock, nothing_in_front(_modules(entry.target for entry in entries)):
        for entry in entries:
            if entry.target in loaded and entry.target not in ledger.placed:
                _place_one(loaded[entry.target], sys.modules[entry.target], ledger, changes)
        rebind(ledger.replaced, ledger.placed, changes)
        ledger.missed += rebind_methods(ledger.replaced, loaded, changes)


def _present(entries: Iterable[Entry], ledger: Ledger, loaded: Collection[str]) -> list[Entry]:
    return [
        entry
        for entry in entries
        if entry.target not in loaded
        and entry.target not in ledger.placed
        and sys.modules.get(entry.target) is not None
    ]


def _modules(names: Iterable[str]) -> list[ModuleType]:
    found = (sys.modules.get(name) for name in names)
    return [module for module in found if module is not None and is_module(module)]


def _place_imported(ledger: Ledger, entry: Entry, module: ModuleType) -> None:
    """Patch a target that is being imported: its code has just run."""
    with nothing_in_front([module, *_modules([*ledger.wanted])]):
        patch = load_patch(entry)
    changes = Changes()
    with ledger.lock, nothing_in_front([module]):
        if ledger.wanted.get(entry.target) is not entry:
            return  # unpatched in the meantime
        try:
            _place_one(patch, module, ledger, changes)
        except BaseException:
            changes.roll_back()
            raise
        ledger.changes.steps.extend(changes.steps)


def _place_one(patch: Patch, module: ModuleType, ledger: Ledger, changes: Changes) -> None:
    try:
        place(patch, module, changes, ledger.remember)
    except Exception as error:
        ledger.replaced.pop(patch.target, None)
        if isinstance(error, PatchError):
            raise
        raise PatchError(f"cannot patch {patch.target!r}: {type(error).__name__}: {error}") from error
    ledger.placed.add(patch.target)


def _switch_off(ledger: Ledger, entries: Iterable[Entry], flags: Collection[str]) -> None:
    ledger.flags.difference_update(flags)
    for entry in entries:
        ledger.wanted.pop(entry.target, None)
        ledger.placed.discard(entry.target)
        ledger.replaced.pop(entry.target, None)
