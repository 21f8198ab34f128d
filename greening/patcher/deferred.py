"""Hooks that run when a module has been imported.

Not wrapt's post-import hooks: `import wrapt` takes 40 to 160 ms and loads 170 modules, `asyncio` and `ssl` among them,
which many programs never need. Its hooks run once, and cannot be cancelled; ours run again after a reload, until
`unpatch`. All that is needed here is one finder at the head of `sys.meta_path`. It lets the others find a watched
module and wraps the loader they answer with. The wrapper is gone before the module's own code runs. So `__spec__`,
`__loader__` and everything that reads them (importlib.resources, pickle, inspect, reload) see the same as without us.

Hooks run in the importing thread, when the module's code has run and before `import` returns: other threads that import
the module still wait. No lock of ours is held meanwhile.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Hook = Callable[[ModuleType], object]


class Watch:
    """A hook that runs whenever its module's code has run: at the first import and after every reload or re-import."""

    __slots__ = ("fired", "hook", "name")

    def __init__(self, name: str, hook: Hook) -> None:
        self.name = name
        self.hook = hook
        self.fired = False

    def fire(self, module: ModuleType) -> None:
        """Run the hook."""
        self.fired = True
        self.hook(module)

    def cancel(self) -> None:
        """Do not run again. Cancelling twice does nothing."""
        watches = _watches[self.name]
        if self in watches:
            watches.remove(self)


class _Loader:
    """Stands in for a watched module's loader until the module is to be run."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        create = getattr(self._real, "create_module", None)
        return None if create is None else create(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._real
        if module.__loader__ is self:
            module.__loader__ = self._real
        self._real.exec_module(module)
        name = module.__name__
        finished = sys.modules.get(name, module)  # a module may put something else in its place
        for each in tuple(_watches.get(name, ())):
            each.fire(finished)

    def __getattr__(self, name: str) -> Any:
        # A caller of importlib.util.find_spec() may want get_source() or get_code().
        return getattr(self._real, name)


class _Finder:
    """Finds nothing itself: wraps the loader that the finders behind it find."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not _watches.get(name):
            return None
        spec = find_spec_of_others(name, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec

    @staticmethod
    def is_at_work() -> bool:
        """True while a module is watched: something is patched. `greening._entrance` asks."""
        return any(_watches.values())


_watches: dict[str, list[Watch]] = {}  # global, as sys.meta_path is; changed by single atomic steps only


def find_spec_of_others(
    name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
) -> ModuleSpec | None:
    """What `import` would find for `name` if it were not watched. Nothing is imported.

    `path` is the parent package's `__path__`, None at the top.
    """
    for finder in list(sys.meta_path):
        find = None if finder is _Finder else getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = None if find is None else find(name, path, target)
        if spec is not None:
            return spec
    return None


def watch(name: str, hook: Hook) -> Watch:
    """Have `hook(module)` called when the module `name` is imported from now on.

    An exception of the hook makes the import fail. For a module that is imported already, or is being imported, see
    `when_imported`. Thread-safe.
    """
    made = Watch(name, hook)
    _watches.setdefault(name, []).append(made)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    return made


def when_imported(name: str, hook: Hook) -> Watch:
    """Have `hook(module)` called now if the module is imported, else as soon as it is, and again after a reload.

    If another thread is importing the module, this waits for it. Thread-safe. The hook runs in the importing thread, or
    in this one, and holds up only the threads that import that module.
    """
    made = watch(name, hook)
    if sys.modules.get(name) is not None:
        module = importlib.import_module(name)  # waits until it is finished
        if not made.fired:
            made.fire(module)
    return made
