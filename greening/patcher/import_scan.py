"""What a module imports, found out without importing it.

The code objects of a module say which names it imports (also inside functions) and which attributes it uses. That is
enough to tell whether a module, or anything that it imports in turn, uses a module that has to be green.
Not seen: imports by computed names (`importlib.import_module(x)`), and what a module does to its `__path__`.
"""

import dis
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import BuiltinImporter, ExtensionFileLoader, ModuleSpec
from types import CodeType
from typing import Any, NamedTuple

from greening.patcher.deferred import find_spec_of_others
from greening.patcher.introspect import is_alias_of_kept, is_kept

_IMPORT_NAME = bytes([dis.opmap["IMPORT_NAME"]])


class Facts(NamedTuple):
    """What the code of a module says.

    Attributes:
        imports: absolute names; of `from a import b` both "a" and "a.b": b may be a name in a, or a module.
        names: every global, attribute and imported name that is used anywhere in it; "*" when it imports a star.
    """

    imports: frozenset[str]
    names: frozenset[str]


NO_FACTS = Facts(frozenset(), frozenset())


def is_stdlib(name: str) -> bool:
    """True for a module of the standard library, by its name."""
    return name.partition(".")[0] in sys.stdlib_module_names


def parents_of(name: str) -> Iterator[str]:
    """ "a.b.c" -> "a", "a.b"."""
    parts = name.split(".")
    for length in range(1, len(parts)):
        yield ".".join(parts[:length])


def is_namespace(spec: ModuleSpec) -> bool:
    """True for a package without an `__init__`."""
    return spec.submodule_search_locations is not None and spec.origin is None and not spec.has_location


def has_python_code(spec: ModuleSpec) -> bool:
    """False for modules written in C: they cannot be executed a second time."""
    loader: object = spec.loader
    return loader is not BuiltinImporter and not isinstance(loader, ExtensionFileLoader)


class Scanner:
    """Looks up and reads modules, each once. Thread-safety: none; its owner has a lock."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}
        self._facts: dict[str, Facts] = {}

    def spec(self, name: str) -> ModuleSpec | None:
        """What would be imported as `name`, None when there is nothing."""
        if name not in self._specs:
            self._specs[name] = self._find(name)
        return self._specs[name]

    def _find(self, name: str) -> ModuleSpec | None:
        parent = name.rpartition(".")[0]
        if not parent:
            return find_spec_of_others(name)
        package = self.spec(parent)
        if package is None or package.submodule_search_locations is None:
            return None
        return find_spec_of_others(name, package.submodule_search_locations)

    def facts(self, name: str) -> Facts:
        """What the module's code says; nothing where there is no Python code to read."""
        if name not in self._facts:
            spec = self.spec(name)
            code = None if spec is None else _code_of(spec)
            if spec is None or code is None:
                self._facts[name] = NO_FACTS
            else:
                self._facts[name] = _read(code, name if spec.submodule_search_locations is not None else spec.parent)
        return self._facts[name]

    def reaches(self, name: str, hit: Callable[[Facts], bool]) -> bool:
        """True when `hit` is true of this module, or of any third-party module that it would import in turn."""
        todo = [name]
        seen: set[str] = set()
        while todo:
            current = todo.pop()
            if current in seen:
                continue
            seen.add(current)
            if current is not name and (is_stdlib(current) or is_kept(current) or is_alias_of_kept(current)):
                continue
            facts = self.facts(current)
            if hit(facts):
                return True
            todo.extend(parents_of(current))
            for found in facts.imports:
                todo.extend(parents_of(found))
                todo.append(found)
        return False

    def unit(self, name: str) -> str:
        """What a module is shared or copied with: its outermost package that has an `__init__`, or itself."""
        for outer in parents_of(name):
            spec = self.spec(outer)
            if spec is not None and not is_namespace(spec):
                return outer
        return name


def _code_of(spec: ModuleSpec) -> CodeType | None:
    get_code: Any = getattr(spec.loader, "get_code", None)
    try:
        code = None if get_code is None else get_code(spec.name)
    except Exception:  # noqa: BLE001 - a file for another Python, or a loader with a mind of its own: nothing to learn
        return None
    return code if isinstance(code, CodeType) else None


def _read(code: CodeType, package: str | None) -> Facts:
    imports: set[str] = set()
    names: set[str] = set()
    todo = [code]
    while todo:
        current = todo.pop()
        todo.extend(constant for constant in current.co_consts if isinstance(constant, CodeType))
        names.update(current.co_names)
        if _IMPORT_NAME not in current.co_code:
            continue
        for name, level, fromlist in dis._find_imports(current):  # type: ignore[attr-defined]
            base = name if not level else _absolute(name, level, package)
            if base:
                imports.add(base)
                imports.update(f"{base}.{part}" for part in fromlist or () if part != "*")
            names.update(fromlist or ())
    return Facts(frozenset(imports), frozenset(names))


def _absolute(name: str, level: int, package: str | None) -> str:
    parts = (package or "").rsplit(".", level - 1)
    if not package or len(parts) < level:
        return ""
    return f"{parts[0]}.{name}" if name else parts[0]
