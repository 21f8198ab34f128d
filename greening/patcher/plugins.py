"""Plug-ins: what is done to a third-party module when it is imported.

greening brings some along (`greening.integrations` lists them), installed packages bring others, in the entry point
group "greening.patches". Both are the same thing: the name of a module, and a function that is called with it.

    [greening.patches]
    psycopg2 = my_package.green:patch_psycopg2

means: when psycopg2 is imported (now, if it is already) call `my_package.green.patch_psycopg2(psycopg2)`. A hook for
`wrapt.when_imported` has the same form, and `wrapt.wrap_function_wrapper` serves inside one: greening depends on wrapt.

A plug-in that fails leaves its module as it is, which may then block: a PatchWarning says so. It does not make the
import fail: a new release of a library must not stop a program.

GREENING_PLUGINS says which are wanted: names of modules, separated by commas. `-psycopg2` is all but that one,
`psycopg2` only that one, `-all` none. A plug-in belongs to every name that its module begins with: `grpc._channel`
belongs to `grpc`.

Not by `importlib.metadata`: importing it takes 70-110 ms, and it parses everything. Looking for the group's name in the
entry_points.txt files on `sys.path` takes about 25 us per installed distribution. Distributions inside zip files are
not found.
"""

import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType

from greening.errors import PatchWarning
from greening.patcher.deferred import when_imported
from greening.patcher.ledger import Ledger

GROUP = "greening.patches"
VARIABLE = "GREENING_PLUGINS"


class Plugin:
    """A plug-in of one module.

    Attributes:
        module: the name of the module that it waits for.
        value: where its function is, "package.module:name".
        state: "off", "waiting" for the import, "active" or "failed".
        error: why it failed.
    """

    __slots__ = ("error", "module", "state", "value")

    def __init__(self, module: str, value: str) -> None:
        self.module = module
        self.value = value
        self.state = "off"
        self.error: Exception | None = None

    def run(self, module: ModuleType) -> None:
        """The module has been imported: do it."""
        try:
            _load(self.value)(module)
        except Exception as error:  # noqa: BLE001  # whatever a plug-in raises: the module works without it
            self.state, self.error = "failed", error
            name = self.module.partition(".")[0]
            warnings.warn(
                f"the plug-in {self.value!r} for {self.module!r} failed: {type(error).__name__}: {error}; "
                f"{name} stays as it is, and may block. {VARIABLE}=-{name} switches the plug-in off",
                PatchWarning,
                stacklevel=2,
            )
        else:
            self.state = "active"


def register(
    ledger: Ledger, ours: Iterable[tuple[str, str]] = (), asked: Callable[[str], bool] = lambda package: True
) -> None:
    """Watch for the modules that plug-ins want to patch; `unpatch()` ends it. What is watched for already stays so.

    Args:
        ours: module and value of the plug-ins that greening brings along. They come before those of other packages.
        asked: whether the plug-ins of a package ("psycopg2") are to be switched on by this call.
    """
    with ledger.lock:
        if ledger.plugins is None:
            ledger.plugins = [Plugin(module, value) for module, value in (*ours, *entry_points())]
            _warn_of_unknown(os.environ.get(VARIABLE, ""), ledger.plugins)
        wanted = _wanted(os.environ.get(VARIABLE, ""))
        off = [plugin for plugin in ledger.plugins if plugin.state == "off"]
        switched = [plugin for plugin in off if wanted(plugin.module) and asked(plugin.module.partition(".")[0])]
        for plugin in switched:
            plugin.state = "waiting"
    for plugin in switched:
        ledger.changes.steps.append(when_imported(plugin.module, plugin.run).cancel)


def _warn_of_unknown(text: str, known: Iterable[Plugin]) -> None:
    """A misspelt name would switch off everything else, or nothing."""
    names = {"all"}.union(*(_names_of(plugin.module) for plugin in known))
    unknown = {name.removeprefix("-") for name in _names_in(text)} - names
    if unknown:
        listed = ", ".join(sorted(unknown))
        warnings.warn(f"{VARIABLE}={text!r}: no plug-in belongs to {listed}", PatchWarning, stacklevel=4)


def _names_in(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


def _names_of(module: str) -> list[str]:
    """Of "grpc._channel": "grpc" and "grpc._channel"."""
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _wanted(text: str) -> Callable[[str], bool]:
    """What GREENING_PLUGINS means: whether the plug-in of a module is wanted."""
    names = _names_in(text)
    refused = {name[1:] for name in names if name.startswith("-")}
    chosen = {name for name in names if not name.startswith("-")}

    def wanted(module: str) -> bool:
        of_it = {"all", *_names_of(module)}
        if chosen & of_it - {"all"}:
            return True
        return not (refused & of_it) and (not chosen or "all" in chosen)

    return wanted


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


def _load(value: str) -> Callable[[ModuleType], object]:
    name, _, attribute = value.partition(":")
    hook: object = importlib.import_module(name)
    for part in filter(None, attribute.split(".")):
        hook = getattr(hook, part)
    return hook  # type: ignore[return-value]  # a plug-in's word for it
