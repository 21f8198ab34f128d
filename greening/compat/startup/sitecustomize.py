"""Imported by a Python interpreter at its start, where the environment says so: see the package beside this file.

It only sets an import hook: a program that never imports eventlet does not load greening. Then the `sitecustomize` that
the interpreter would have found without this folder has its turn.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


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
    here = os.path.dirname(os.path.abspath(__file__))
    others = [folder for folder in sys.path if os.path.abspath(folder) != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if _is_wanted():
    sys.meta_path.insert(0, EventletFinder)
_run_the_next()
