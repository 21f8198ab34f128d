"""Patching by hand: `monkey_patch`, `unpatch`, and what belongs to them.

Only here the patcher, which knows how, meets the catalogue, which says what. Some imports are inside functions: a
program that only patches does not need the machinery of green copies.
"""

import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from greening._core.mistakes import check_name
from greening._entrance import patched_by_another
from greening.errors import PatchError, PatchWarning
from greening.fdio.stdin import would_block
from greening.integrations import DRIVERS, INTEGRATIONS
from greening.net.exchange import mark_every_client
from greening.patcher import apply as _apply
from greening.patcher import deferred, plugins
from greening.patcher.ledger import LEDGER
from greening.patcher.spec import Patch
from greening.patcher.unreached import came_late, unreached
from greening.patches import CATALOGUE
from greening.threads.adopt_local import is_adopted_class


def monkey_patch(*misplaced: object, interrupted: str | None = None, **flags: object) -> None:
    """Make the standard library cooperative, in place.

    Call it first thing in the main module; called later it also reaches names that other modules have captured. A
    PatchWarning says what it could not reach, and `greening.debug.audit()` lists it. Calling it again adds to what is
    patched; it never takes anything away (`unpatch()` does). Modules that are not imported yet are patched when they
    are.

    The first call also registers the plug-ins: greening's own (docs/integrations), and what installed packages offer in
    the entry point group "greening.patches". The name of such an entry point is the module to wait for, its object is
    called with that module (see `when_imported`). Nothing of a plug-in is imported before that module is. The
    environment variable GREENING_PLUGINS switches them off: `-psycopg2,-grpc`, `-all`.

    Args:
        misplaced: nothing: `monkey_patch("socket")` is an error that says `monkey_patch(socket=True)`.
        interrupted: "abort": a client's socket on which a wait is cut short, by a kill or a Timeout, is aborted: later
            uses raise ConnectionAbortedError (see `greening.exchange`). For sockets that are connected from now on.
            None: only those are that a plug-in names.
        flags: `os`, `select`, `socket`, `thread`, `time`, `subprocess`, ... True or False. Without a True among them
            everything is patched except what is False; with one, only those that are True. `all=False` switches
            everything else off, `all=True` on. `psycopg` and `MySQLdb` stand for the plug-ins of psycopg2 and
            mysqlclient, which come with any patch except when they are False.
    Raises:
        TypeError: an unknown flag, or one without its name. ValueError: `interrupted` is neither None nor "abort".
        PatchError: something could not be patched; what this call had done has been undone. Or eventlet or gevent has
            patched this process already.
    Thread-safety: call it in any OS thread.
    """
    if misplaced:
        flat = [each for one in misplaced for each in (one if isinstance(one, (list, tuple, set)) else [one])]
        names = [name for each in flat if isinstance(name := getattr(each, "__name__", each), str)]
        meant = ", ".join(f"{name}=True" for name in names)
        raise TypeError(f"monkey_patch() takes its flags by name: monkey_patch({meant})")
    if other := patched_by_another():
        raise PatchError(f"greening cannot patch: {other}")
    if interrupted not in (None, "abort"):
        raise ValueError(f'interrupted must be None or "abort", not {interrupted!r}')
    drivers = {DRIVERS[name]: flags.pop(name) for name in DRIVERS if name in flags}
    if any(drivers.values()):
        # As any flag that is True, it has nothing else patched; `all=False` says so where it is the only one.
        flags.setdefault("all", any(flags.values()) and None)
    chosen = _apply.choose(CATALOGUE, flags)
    before = len(LEDGER.placed)
    late = came_late(LEDGER)
    if "thread" in chosen:
        # Ctrl-C has a handler also in a program that never imports `signal`. As long as that is not patched, the green
        # thread that happens to run gets the KeyboardInterrupt, and `threading` only reports it.
        import signal  # noqa: F401  # to have it patched
    _apply.apply(CATALOGUE, chosen, LEDGER)
    plugins.register(LEDGER, INTEGRATIONS, lambda package: bool(drivers.get(package, chosen)))
    if interrupted is not None:
        mark_every_client(True)
        LEDGER.changes.steps.append(lambda: mark_every_client(False))
    if late and len(LEDGER.placed) > before:
        _warn_of_unreached()  # last: a program may have made an error of it


def _warn_of_unreached() -> None:
    found = unreached(LEDGER, is_adopted_class)
    if "io" in LEDGER.placed and would_block():
        found.append(("a read in C that was under way", "sys.stdin"))
    count = len(found) + LEDGER.missed
    if count:
        places = f"{count} places refer" if count > 1 else "1 place refers"
        example = f"{found[0][1]} to {found[0][0]}" if found else "to a bound method"
        warnings.warn(
            f"monkey_patch() came too late: {places} to what it has replaced, and may block (for example {example}). "
            "greening.debug.audit(), or `python -m greening --no-patch --audit PROGRAM`, lists them. "
            "Most are gone when monkey_patch() is called before anything else is imported",
            PatchWarning,
            stacklevel=3,
        )


def unpatch() -> None:
    """Take everything back that `monkey_patch()` did; without it, do nothing.

    Green objects that were made in the meantime stay green, and so do names that modules imported in the meantime have
    captured. Call it when no green thread is inside a patched call.

    Raises:
        PatchError: part of it could not be taken back; the rest has been.
    """
    _apply.unapply(LEDGER)


def is_monkey_patched(name: str | ModuleType) -> bool:
    """True when a flag of `monkey_patch` ("thread"), or a module ("threading", or the module itself), is patched.

    A module that is not imported yet counts when it will be patched as soon as it is.
    """
    if isinstance(name, ModuleType):
        return name.__name__ in LEDGER.wanted and sys.modules.get(name.__name__) is name
    if name in DRIVERS:
        of_it = [each for each in LEDGER.plugins or () if each.module.partition(".")[0] == DRIVERS[name]]
        return any(each.state in ("waiting", "active") for each in of_it)
    return name in LEDGER.flags or name in LEDGER.wanted


def when_imported(name: str, hook: Callable[[ModuleType], object]) -> Callable[[], None]:
    """Have `hook(module)` called when a module is imported, at once if it is already, and again if it is reloaded.

    This is the place for patches of third-party modules; what such a hook does with `patch_module` is taken back by
    `unpatch()`. The hook runs in the importing thread before its `import` returns; an exception makes the import fail.

    Returns:
        A function that cancels the hook.
    """
    return deferred.when_imported(name, hook).cancel


def patch_module(patch: Patch, module: ModuleType) -> None:
    """Apply a patch of one's own to an imported module, in place. `unpatch()` takes it back.

    Raises:
        PatchError: it could not be applied; the module is as it was.
    """
    _apply.apply_one(patch, module, LEDGER)


def original(name: str) -> Any:
    """A module as it was before patching: `original("time").sleep` blocks the OS thread, now and later.

    A module that `monkey_patch` may touch is answered with a private, unpatched copy, made once; a module that it never
    touches is answered with itself. The copy's classes are not those of the patched module - `original("threading")
    .Thread` starts a real OS thread - but its exceptions and enumerations are.

    Raises:
        ImportError: there is no such module. TypeError: it is not a name.
    """
    from greening.patcher.isolation import pristine_space

    check_name(name, "original")
    return pristine_space(CATALOGUE).load(name)


def import_patched(
    module_name: str, *additional_modules: tuple[str, ModuleType], **kw_additional_modules: ModuleType
) -> ModuleType:
    """Import a private copy of a module that is green, whatever the process is.

    The copy, and whatever it imports that would block, run against green modules of their own; `sys.modules` and the
    rest of the process stay as they are. The same name gives the same copy again.

    Args:
        module_name: any importable module written in Python; "a.b.c" gives the innermost.
        additional_modules: (name, module) pairs: what `import name` is to mean inside. With them, a new copy is made at
            every call.
        kw_additional_modules: the same as keywords.
    Raises:
        ImportError: there is no such module. TypeError: it is not a name. And what the module itself raises.
    """
    from greening.patcher.isolation import green_space

    check_name(module_name, "import_patched")
    space = green_space(CATALOGUE)
    overrides = dict(additional_modules) | kw_additional_modules
    if overrides:
        space = space.with_modules(overrides)
    module: ModuleType = space.import_copy(module_name)
    return module
