"""Patches that installed packages bring along, in the entry point group "greening.patches".

    [greening.patches]
    psycopg2 = my_package.green:patch_psycopg2

means: when psycopg2 is imported (now, if it is already) call `my_package.green.patch_psycopg2(psycopg2)`. A hook for
`wrapt.when_imported` has the same form, and `wrapt.wrap_function_wrapper` serves inside one: greening depends on wrapt.

Not by `importlib.metadata`: importing it takes 70-110 ms, and it parses everything. Looking for the group's name in the
entry_points.txt files on `sys.path` takes about 25 us per installed distribution. Distributions inside zip files are
not found.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from types import ModuleType

from greening.errors import PatchError
from greening.patcher.deferred import when_imported
from greening.patcher.ledger import Ledger

GROUP = "greening.patches"


def register(ledger: Ledger) -> None:
    """Watch for the modules that plugins want to patch; `unpatch()` ends it. Does nothing the second time.

    Raises:
        PatchError: a module is imported already and its plugin cannot be loaded.
    """
    with ledger.lock:
        if ledger.plugins_known:
            return
        ledger.plugins_known = True
    for module, value in entry_points():
        ledger.changes.steps.append(when_imported(module, partial(_run, value)).cancel)


def entry_points() -> Iterator[tuple[str, str]]:
    """Name and value of every entry point of the group, in the order of `sys.path`.

    Of a distribution that is there twice the first counts, as in `importlib.metadata`.
    """
    seen: set[str] = set()
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")) and (known := _distribution(name)) not in seen:
                seen.add(known)
                yield from _entries(_read(os.path.join(folder, name, "entry_points.txt")))


def _distribution(folder: str) -> str:
    """The name in "My.Name-1.0.dist-info" or "My_Name.egg-info", as names are compared."""
    return folder.rpartition(".")[0].partition("-")[0].lower().replace(".", "_")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _entries(text: str) -> Iterator[tuple[str, str]]:
    if f"[{GROUP}]" not in text:
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line
        elif section == f"[{GROUP}]" and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield name.strip(), value.partition("[")[0].strip()


def _run(value: str, module: ModuleType) -> None:
    name, _, attribute = value.partition(":")
    try:
        hook = importlib.import_module(name)
        for part in filter(None, attribute.split(".")):
            hook = getattr(hook, part)
    except (ImportError, AttributeError) as error:
        raise PatchError(f"the plugin {value!r} for {module.__name__!r} cannot be loaded: {error}") from error
    hook(module)  # type: ignore[operator]
