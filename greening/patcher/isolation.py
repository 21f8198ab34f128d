"""Spaces of private module copies: green ones for green imports, untouched ones for `original()`.

A space is a second meaning of `import`. A copy is the module's own code, executed again in a new module. The copy's
`__import__` asks the space first, so late imports inside functions are answered right too, for as long as the copy
lives. `sys.modules` is only touched while a copy's code runs (see `sys_modules`). What `import x` means in a space:

1. A module of the catalogue: a copy with its patch (a green space) or without (a pristine one). C modules, and `os`
   because of its environment, are copied name by name, the others by execution.
2. A module of the stdlib that does blocking I/O through those (COPIED): a copy. All others are shared with the process:
   there is one `logging`, one `enum`, one `email`.
3. A third-party module: in a green space a copy if anything it imports is a copy (see `import_scan`). This is decided
   for whole packages, so that a package is never half of each. C extensions are always shared.
4. A module that is asked for by name (`import_copy`): a copy, together with its package.

Exceptions and enumerations of stdlib copies are the originals, so that `except queue.Full` and `AddressFamily.AF_INET`
mean the same everywhere. A module that the process has patched in place needs no copy: it is green.
"""

import builtins
import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, resolve_name
from types import ModuleType
from typing import Any

from greening.errors import PatchError
from greening.patcher import threading_copy
from greening.patcher.apply import class_of, load_patch, place
from greening.patcher.deferred import find_spec_of_others
from greening.patcher.import_scan import Facts, Scanner, has_python_code, is_namespace, is_stdlib, parents_of
from greening.patcher.introspect import class_dict, is_alias_of_kept, is_class, is_kept
from greening.patcher.ledger import ABSENT, BEHIND, LEDGER, Changes, Ledger
from greening.patcher.spec import Entry, Patch
from greening.patcher.sys_modules import Modules, real_import, standing_in
from greening.sync.lock import RLock

# Stdlib modules that block through modules of the catalogue, with their submodules. Not here because objects of theirs
# travel through the whole process: logging, multiprocessing, tempfile.
COPIED = frozenset(
    "asyncio asynchat asyncore concurrent.futures ftplib http.client http.server imaplib nntplib poplib sched smtpd "
    "smtplib socketserver telnetlib urllib.request urllib.robotparser wsgiref.simple_server xmlrpc.client "
    "xmlrpc.server".split()
)
PACKAGES = frozenset(parent for name in COPIED for parent in parents_of(name))

# A second `os` would have a second `environ`, of which the first learns nothing.
COPIED_BY_NAME = frozenset({"os"})

# Names that a patch may replace in a module, but that in other modules mostly belong to files.
COMMON_NAMES = frozenset("close open read readv wait write writev".split())


class ModuleSpace:
    """One set of copies. Thread-safe: one re-entrant green lock per space is held while copies are made."""

    def __init__(self, catalogue: Sequence[Entry], ledger: Ledger, *, green: bool) -> None:
        self.green = green
        self.modules: Modules = {}
        self._catalogue = catalogue
        self._ledger = ledger
        self._overrides: Mapping[str, ModuleType] = {}
        self._targets = {entry.target: entry for entry in catalogue}
        self._named: set[str] = set()  # units that are copied because they were asked for
        self._tainted: dict[str, bool] = {}  # third-party modules and units
        self._targets_from: ModuleSpace | None = None
        self._making: set[str] = set()  # copies that are not finished: others wait for them, as at any import
        self._scanner = Scanner()
        self._lock = RLock()
        self._builtins = {**vars(builtins), "__import__": self._import}

    def with_modules(self, overrides: Mapping[str, ModuleType]) -> "ModuleSpace":
        """A new space in which `import name` gives the module in `overrides`; modules of the catalogue are ours."""
        space = ModuleSpace(self._catalogue, self._ledger, green=self.green)
        with self._lock:
            space.modules = {name: copy for name, copy in self.modules.items() if name in self._targets}
            space._targets_from = self
        space._overrides = overrides
        inner = [name for name in overrides if "." in name]
        space._named.update(map(space._unit, inner))
        for name in inner:
            package, _, child = name.rpartition(".")
            if package not in overrides:
                setattr(space.load(package), child, overrides[name])
        return space

    def import_copy(self, name: str) -> Any:
        """The space's own copy of a module; the process's own where that is green already or written in C."""
        with self._lock:
            known = name in self._targets or is_copied(name)
            if not known and (self._overrides or not is_stdlib(name) or self._exposed()):
                self._named.add(self._unit(name))
            return self.load(name)

    def _exposed(self) -> bool:
        return any(target not in self._ledger.wanted for target in self._targets)

    def load(self, name: str) -> Any:
        """What `import name` means in this space: the innermost module.

        Raises:
            ImportError: there is no such module; and what the module itself raises.
        """
        if name in self._overrides:
            return self._overrides[name]
        if name in self.modules and name not in self._making:
            return self.modules[name]
        with self._lock:
            parent, _, child = name.rpartition(".")
            package = self.load(parent) if parent else None
            if name in self.modules:  # another thread made it, or the package's own code
                return self.modules[name]
            private = not parent or parent in self.modules or parent in self._overrides
            if private and self._wants_copy(name):
                self._making.add(name)
                try:
                    module = self._make(name, package)
                finally:
                    self._making.discard(name)
            else:
                module = real_import(name)
            if parent in self.modules:
                setattr(package, child, module)
            return module

    # What is copied

    def _wants_copy(self, name: str) -> bool:
        if name in self._targets:
            return not self.green or name not in self._ledger.wanted
        if name == "importlib":
            return self.green
        if is_kept(name) or is_alias_of_kept(name):
            return False  # there is one engine
        if self._unit(name) in self._named:
            return True
        if is_stdlib(name):
            return (not self.green or self._exposed()) and is_copied(name)
        return self.green and (self._is_namespace(name) or self._is_tainted(name))

    def _unit(self, name: str) -> str:
        return name.partition(".")[0] if is_stdlib(name) else self._scanner.unit(name)

    def _is_namespace(self, name: str) -> bool:
        spec = self._scanner.spec(name)
        return spec is not None and is_namespace(spec)

    def _is_tainted(self, name: str) -> bool:
        unit = self._unit(name)
        if not self._tainted.get(unit) and name not in self._tainted:
            self._tainted[name] = self._scanner.reaches(name, self._meets_copies)
            self._tainted[unit] = self._tainted.get(unit, False) or self._tainted[name]
        return self._tainted[unit]

    def _meets_copies(self, facts: Facts) -> bool:
        for name in facts.imports:
            if name in self._overrides or (is_copied(name) and name not in PACKAGES and self._exposed()):
                return True
            entry = self._targets.get(name)
            if entry is not None and self._wants_copy(name) and facts.names & self._affected(entry):
                return True
        return False

    def _affected(self, entry: Entry) -> frozenset[str]:
        patch = _bound(load_patch(entry), real_import(entry.target))
        names = {*patch.replaces, *patch.removes, *(owner.partition(".")[0] for owner in patch.methods), "*"}
        return frozenset(names - COMMON_NAMES)

    # How it is copied

    def _make(self, name: str, package: Any) -> Any:
        if name == "importlib":
            return self._importlib()
        if name in self._targets and self._targets_from is not None:
            return self._targets_from.load(name)
        path = None if package is None else getattr(package, "__path__", None)
        if package is not None and path is None:
            return real_import(name)  # os.path; or the usual error: "... is not a package"
        spec = find_spec_of_others(name, path)
        if spec is None and sys.modules.get(name) is not None:
            # A program has set `sys.modules["mine.vendored"] = sys.modules["vendored"]`.
            module = real_import(name)
            return module if module.__name__ == name else self.load(module.__name__)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        entry = self._targets.get(name)
        if name in COPIED_BY_NAME or not has_python_code(spec):
            if entry is None:
                return real_import(name)
            copy = self._copy_by_name(name)
        else:
            copy = self._execute(name, spec)
        if entry is not None and self.green:
            self._patch(entry, copy)
        return copy

    def _copy_by_name(self, name: str) -> ModuleType:
        real = real_import(name)
        copy = ModuleType(name)
        vars(copy).update(vars(real))
        for attribute, (before, _) in self._ledger.replaced.get(name, {}).items():
            if before is ABSENT:
                vars(copy).pop(attribute, None)
            elif "." not in attribute and not attribute.endswith(BEHIND):
                vars(copy)[attribute] = before
        self.modules[name] = copy
        return copy

    def _execute(self, name: str, spec: ModuleSpec) -> Any:
        copy = module_from_spec(spec)
        vars(copy)["__builtins__"] = self._builtins
        self.modules[name] = copy
        strays: Modules = {}
        try:
            with standing_in(name, copy, strays), threading_copy.quiet(name, self.load):
                if spec.loader is not None:
                    spec.loader.exec_module(copy)
            threading_copy.finish(copy, self.load)
            if is_stdlib(name):
                share_types(copy, real_import(name))
        except BaseException:
            del self.modules[name]
            raise
        if "__path__" in vars(copy):
            self._answer_for_submodules(name, copy)
        strays = {alias: module for alias, module in strays.items() if not is_real(module)}
        self.modules.update(strays)
        return self.modules[name]

    def _answer_for_submodules(self, name: str, package: ModuleType) -> None:
        """`from package import submodule`, said outside this space, would import the process's `submodule`: the import
        system goes by the package's `__name__`. It asks the package first, though; only that question is answered."""
        own = vars(package).get("__getattr__")

        def __getattr__(attribute: str) -> Any:
            inner = f"{name}.{attribute}"
            if sys._getframe(1).f_code.co_name == "_handle_fromlist" and find_spec_of_others(inner, package.__path__):
                return self.load(inner)
            if own is not None:
                return own(attribute)
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

        vars(package)["__getattr__"] = __getattr__

    def _patch(self, entry: Entry, copy: ModuleType) -> None:
        try:
            patch_copy(load_patch(entry), copy, real_import(entry.target))
        except BaseException:
            del self.modules[entry.target]
            raise

    def _importlib(self) -> ModuleType:
        copy = ModuleType("importlib")
        vars(copy).update(vars(importlib), import_module=self._import_module, __import__=self._import)
        self.modules["importlib"] = copy
        return copy

    # What the copies call

    def _import_module(self, name: str, package: str | None = None) -> Any:
        """`importlib.import_module` as the copies of this space see it."""
        return self.load(resolve_name(name, package) if name.startswith(".") else name)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: object = None,
        fromlist: Iterable[str] | None = (),
        level: int = 0,
    ) -> Any:
        """`__import__` as the copies of this space see it."""
        full = resolve_name("." * level + name, package_of(globals or {})) if level else name
        module = self.load(full)
        if fromlist:
            self._load_names(full, module, fromlist)
            return module
        if not name:
            return module
        inner = len(name) - len(name.partition(".")[0])
        return self.load(full[: len(full) - inner])

    def _load_names(self, full: str, module: Any, names: Iterable[str]) -> None:
        if not hasattr(module, "__path__"):
            return
        for name in names:
            if name == "*":
                self._load_names(full, module, getattr(module, "__all__", ()))
            elif not hasattr(module, name):
                try:
                    self.load(f"{full}.{name}")
                except ModuleNotFoundError as error:
                    if error.name != f"{full}.{name}":
                        raise


_spaces: dict[bool, ModuleSpace] = {}  # global: one green and one pristine space per process


def green_space(catalogue: Sequence[Entry]) -> ModuleSpace:
    """The process's space of green copies."""
    return _spaces.setdefault(True, ModuleSpace(catalogue, LEDGER, green=True))


def pristine_space(catalogue: Sequence[Entry]) -> ModuleSpace:
    """The process's space of modules that are not patched."""
    return _spaces.setdefault(False, ModuleSpace(catalogue, LEDGER, green=False))


def is_copied(name: str) -> bool:
    """True for a stdlib module that spaces copy, and for the packages around it."""
    return name in PACKAGES or name in COPIED or any(parent in COPIED for parent in parents_of(name))


def is_real(module: object) -> bool:
    """True for a module of the process, under its own name."""
    return isinstance(module, ModuleType) and sys.modules.get(module.__name__) is module


def package_of(namespace: Mapping[str, object]) -> str:
    """The package that relative imports of a module start from."""
    package = namespace.get("__package__")
    if isinstance(package, str):
        return package
    name = str(namespace.get("__name__", ""))
    return name if "__path__" in namespace else name.rpartition(".")[0]


def share_types(copy: ModuleType, real: ModuleType) -> None:
    """Give a copy the exceptions, enumerations and members of enumerations of the module that it is a copy of."""
    originals = vars(real)
    shared: set[type] = set()
    for name, value in list(vars(copy).items()):
        original = originals.get(name)
        if not (is_class(value) and issubclass(value, (BaseException, Enum)) and is_class(original)):
            continue
        if class_dict(value).get("__module__") == copy.__name__ == class_dict(original).get("__module__"):
            shared.add(value)
            vars(copy)[name] = original
    for name, value in list(vars(copy).items()):
        if type(value) in shared and name in originals:
            vars(copy)[name] = originals[name]


def patch_copy(patch: Patch, copy: ModuleType, real: ModuleType) -> None:
    """Make a copy green.

    Raises:
        PatchError: the patch would change a class that the copy shares with the process.
    """
    patch = _bound(patch, copy)
    for owner in patch.methods:
        if class_of(copy, owner) is class_of(real, owner):
            raise PatchError(f"a private copy of {patch.target!r} cannot be green: it shares the class {owner!r}")
    place(patch._replace(bind=None), copy, Changes(), _record_nothing)


def _bound(patch: Patch, module: ModuleType) -> Patch:
    """The patch for this very module; without `bind` it is the general one, whose `after` is for the process."""
    return patch._replace(after=None) if patch.bind is None else patch.bind(module)


def _record_nothing(target: str, name: str, before: object, after: object) -> None:
    """A copy has no way back: it is dropped as a whole."""
