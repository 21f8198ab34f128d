"""Imported by a Python interpreter at its start, where the environment says so: see the package beside this file.

For the alias it only sets an import hook: a program that never imports eventlet does not load greening. A program that
was run by `python -m greening`, and is run again, is patched. Before that, the `sitecustomize` that the interpreter
would have found without this folder has its turn.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(os.path.dirname(_HERE))


class EventletFinder:
    """Waits for `import eventlet`, and has greening stand in for it then."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`. None: the usual search goes on."""
        if name != "eventlet" and not name.startswith("__original_module_"):
            return None
        sys.meta_path.remove(EventletFinder)
        try:
            module = importlib.import_module("greening.compat.alias")
        except ModuleNotFoundError as error:
            if error.name not in ("greening", "greening.compat"):
                raise
            return None  # another environment than the program's, without greening
        module.prepare()
        spec: ModuleSpec | None = module.Finder.find_spec(name, path, target)
        return spec


def _is_wanted() -> bool:
    return os.environ.get("GREENING_AS_EVENTLET", "") not in ("", "0")


def _run_the_next() -> None:
    """Run the `sitecustomize` that this one hides."""
    others = [folder for folder in sys.path if os.path.abspath(folder) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _runs_again(program: str) -> bool:
    """True if this interpreter is about to run that program, or to serve multiprocessing in it.

    Args:
        program: see GREENING_PROGRAM. A script may be run again as a module, and a module by its path.
    """
    name, _, path = program.rpartition("\n")
    what = sys.orig_argv[-len(sys.argv)]  # what follows the interpreter's options, -m and -c among them
    if sys.argv[0] == "-c":
        # multiprocessing's own words for it, which other packages have taken over. Its resource tracker has others.
        begins = what.removeprefix("import sys; ").startswith("from ")  # from 3.14 on its server begins so
        return begins and (" import spawn_main;" in what or ".forkserver import main;" in what)
    if sys.argv[0] == "-m":
        module = what.partition("m")[2] if what.startswith("-") else what  # "-mmodule", "-Bmmodule"
        return "-m " + module in (name, path) or path in _files_of(module)
    return bool(sys.argv[0]) and path == os.path.realpath(what)


def _files_of(module: str) -> Iterator[str]:
    """Where `python -m module` may find it. Nothing is imported for this."""
    parts = module.split(".")
    for folder in (os.getcwd(), *sys.path):
        base = os.path.join(folder, *parts)
        yield os.path.realpath(base + ".py")
        yield os.path.realpath(os.path.join(base, "__main__.py"))


def _patch(patch: str) -> None:
    """Do what `python -m greening` did to the program that is run again."""
    lacks = importlib.util.find_spec("greening") is None  # a checkout that was the current folder
    if lacks:
        sys.path.append(_ROOT)
    try:
        startup = importlib.import_module("greening.startup")
    except ImportError as error:
        sys.stderr.write(
            f"greening: this program was run by `python -m greening`, and runs again unpatched, in {sys.executable}, "
            f"where greening cannot be imported: {error}\n"
        )
    else:
        importlib.import_module("greening.monkey").monkey_patch(**startup.flags_of(patch))
    finally:
        if lacks:
            sys.path.remove(_ROOT)


def _forget() -> None:
    """This is another program: its children are not those of a patched one."""
    for name in ("GREENING_PATCH", "GREENING_PROGRAM"):
        os.environ.pop(name, None)
    if not _is_wanted():
        path = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
        if others := [folder for folder in path if folder != _HERE]:
            os.environ["PYTHONPATH"] = os.pathsep.join(others)


def _main() -> None:
    if _is_wanted():
        sys.meta_path.insert(0, EventletFinder)
    patch = os.environ.get("GREENING_PATCH", "")
    wanted = bool(patch) and _runs_again(os.environ.get("GREENING_PROGRAM", ""))
    if not wanted:
        _forget()
    try:
        _run_the_next()
    finally:
        if wanted:
            _patch(patch)


_main()
