"""eventlet.patcher: green standard library, in place or as copies.

What patches is greening's own patcher. Here are eventlet's names for it, the flags for database drivers, and the
originals under the names that eventlet gives them in `sys.modules`.
"""

import os
import runpy
import sys
from collections.abc import Callable, Iterable, MutableMapping
from functools import wraps
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from greening import monkey
from greening.integrations import DRIVERS
from greening.monkey import import_patched
from greening.patcher.introspect import ORIGINALS
from greening.patcher.isolation import green_space
from greening.patches import CATALOGUE

__all__ = [
    "already_patched",
    "import_patched",
    "inject",
    "is_monkey_patched",
    "monkey_patch",
    "original",
    "patch_function",
    "slurp_properties",
]

P = ParamSpec("P")
T = TypeVar("T")

# Flags that stand for what another flag does here: `open` is green by the patch of `os`; the others have no effect on
# the standard library.
_SAME_AS = {"builtins": "os", "__builtin__": "os", "ssl": "socket"}
# Flags of modules outside the standard library, and whether they are on if the caller says nothing.
_DRIVERS = {"MySQLdb": False, "psycopg": True}
# A flag of programs that also know gevent, or old releases of eventlet; `eventlet.green.profile` needs no patch.
_WITHOUT_EFFECT = frozenset({"profile"})
# The originals that `import eventlet` brings; the others come when they are asked for.
_KEPT = ("_thread", "threading", "select", "time", "socket")

already_patched: dict[str, bool] = {}


def monkey_patch(**on: object) -> None:
    """Make the standard library cooperative, in place: `greening.monkey_patch` with eventlet's flags.

    Args:
        on: `os`, `select`, `socket`, `thread`, `time`, `subprocess`, `psycopg`, `MySQLdb`, `builtins`: True or False.
            Without a True among them everything is patched except MySQLdb and what is False; with one, only those that
            are True. `all` decides about flags that are not named. `ssl` means `socket`, `builtins` means `os`, and
            `profile` is accepted.
    Raises:
        TypeError: an unknown flag. PatchError: something could not be patched; nothing of it was.
    """
    wishes = {name: bool(wish) for name, wish in on.items() if name not in _WITHOUT_EFFECT}
    named = {name: wishes.pop(name) for name in _DRIVERS if name in wishes}
    others = wishes.get("all", not any([*wishes.values(), *named.values()]))
    for name, same in _SAME_AS.items():
        if wishes.pop(name, False):
            wishes[same] = True
    # All decisions are made here: by greening's own defaults plug-ins come with any patch.
    known = dict.fromkeys((entry.flag for entry in CATALOGUE), others)
    flags: dict[str, Any] = known | {name: wish for name, wish in wishes.items() if name != "all"}
    asked = {name: named.get(name, others and default) for name, default in _DRIVERS.items()}
    # Without a word about MySQLdb greening's own default is better than eventlet's: its plug-in costs no threads.
    named.setdefault("psycopg", asked["psycopg"])
    monkey.monkey_patch(**{"all": False, **flags, **named})
    already_patched.update((name, True) for name, wish in flags.items() if wish)
    already_patched.update((name, True) for name in asked if asked[name] and find_spec(DRIVERS[name]) is not None)


def is_monkey_patched(module: str | ModuleType) -> bool:
    """True when a flag ("thread", "psycopg"), a module's name ("threading") or the module itself is patched."""
    if isinstance(module, str) and (module in already_patched or module in _DRIVERS):
        return module in already_patched
    return monkey.is_monkey_patched(module)


def original(modname: str) -> Any:
    """The module as it was before patching, also in `sys.modules`, under "__original_module_" and its name.

    Raises:
        ImportError: there is no such module.
    """
    name = ORIGINALS + modname
    if name not in sys.modules:
        sys.modules[name] = monkey.original(modname)
    return sys.modules[name]


def keep_originals() -> None:
    """Have those originals in `sys.modules` that programs take from there without a call of `original`."""
    for name in _KEPT:
        original(name)


def inject(
    module_name: str, new_globals: MutableMapping[str, Any] | None, *additional_modules: tuple[str, ModuleType]
) -> ModuleType:
    """Import a private copy of a module that is green; see `import_patched`.

    Args:
        new_globals: filled with the names of the copy; None: nothing is.
        additional_modules: (name, module) pairs: what `import name` is to mean inside.
    """
    module = import_patched(module_name, *additional_modules)
    if new_globals is not None:
        kept = ("__builtins__", "__file__", "__path__", "__name__", "__spec__", "__loader__", "__package__")
        new_globals.update((name, value) for name, value in vars(module).items() if name not in kept)
    return module


def patch_function(func: Callable[P, T], *additional_modules: tuple[str, ModuleType]) -> Callable[P, T]:
    """Wrap a function that imports network modules in its body: while it runs, such imports give green modules.

    `sys.modules` is changed meanwhile, for the whole process.

    Args:
        additional_modules: (name, module) pairs: what `import name` is to mean; none: all green modules.
    """

    @wraps(func)
    def patched(*args: P.args, **kwargs: P.kwargs) -> T:
        modules = dict(additional_modules) or _green_modules()
        before = {name: sys.modules.get(name) for name in modules}
        sys.modules.update(modules)
        try:
            return func(*args, **kwargs)
        finally:
            for name, module in before.items():
                if module is None:
                    sys.modules.pop(name, None)
                else:
                    sys.modules[name] = module

    return patched


def _green_modules() -> dict[str, ModuleType]:
    names = ("os", "select", "socket", "ssl", "time", "_thread", "threading", "queue")
    return {name: green_space(CATALOGUE).import_copy(name) for name in names}


def slurp_properties(
    source: ModuleType,
    destination: MutableMapping[str, Any],
    ignore: Iterable[str] = (),
    srckeys: Iterable[str] | None = None,
) -> None:
    """Copy names of a module into a dictionary, but for those with two underscores in front.

    Args:
        ignore: names that are not copied.
        srckeys: the names to copy; None: those of `source.__all__`.
    """
    left_out = frozenset(ignore)
    names = source.__all__ if srckeys is None else srckeys
    for name in names:
        if not name.startswith("__") and name not in left_out:
            destination[name] = getattr(source, name)


def run_script(arguments: list[str]) -> None:
    """Run a program with everything patched: `python -m eventlet.patcher SCRIPT ARGUMENT...`.

    Raises:
        SystemExit: there is no script.
    """
    if not arguments:
        raise SystemExit("usage: python -m eventlet.patcher SCRIPT [ARGUMENT...]")
    sys.argv[:] = arguments
    sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
    monkey_patch()
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    run_script(sys.argv[1:])
