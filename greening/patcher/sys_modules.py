"""A copy of a module stands in for the real one in `sys.modules` - only while the copy's own code runs.

It has to stand there: `IntEnum._convert_` (in the bodies of socket, ssl and signal), dataclasses, attrs and modules
that replace themselves look up `sys.modules[__name__]`, and `_convert_` even writes into what it finds. The real
modules come back while a real import runs in between (`outside`), so that no shared module ever binds a copy. One risk
is left: another OS thread that looks the module up at that very moment finds the copy. Global, as `sys.modules` is.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from greening.patcher.ledger import ABSENT

Modules = dict[str, Any]

_standing: dict[str, object] = {}  # name -> what the stand-in hides, or ABSENT
_really_imported: set[str] = set()  # names that real imports have put into sys.modules while a stand-in stood


@contextmanager
def standing_in(name: str, copy: ModuleType, strays: Modules) -> Iterator[None]:
    """Have `copy` stand for the module `name` inside the `with`.

    Args:
        strays: gets what the code of the copy has put into `sys.modules` under names of its own package, and what it
            has put in its own place; both are gone from `sys.modules` afterwards.
    """
    _standing[name] = sys.modules.get(name, ABSENT)
    before = dict(sys.modules)
    sys.modules[name] = copy
    try:
        yield
    finally:
        if sys.modules.get(name, copy) is not copy:
            strays[name] = sys.modules[name]
        _put(name, _standing.pop(name))
        top = name.partition(".")[0] + "."
        for key, value in list(sys.modules.items()):
            ours = key.startswith(top) and key != name and key not in _standing and key not in _really_imported
            if ours and before.get(key, ABSENT) is not value:
                strays[key] = value
                _put(key, before.get(key, ABSENT))
        if not _standing:
            _really_imported.clear()


@contextmanager
def outside() -> Iterator[None]:
    """Have the real modules back inside the `with`."""
    names = list(_standing)
    copies = {name: sys.modules.get(name, ABSENT) for name in names}
    for name in names:
        _put(name, _standing[name])
    before = set(sys.modules)
    try:
        yield
    finally:
        _really_imported.update(sys.modules.keys() - before)
        for name in names:
            _standing[name] = sys.modules.get(name, ABSENT)
            _put(name, copies[name])


def real_import(name: str) -> ModuleType:
    """The process's own module of that name, imported if it is not.

    Raises:
        ImportError: as `import` does; and what the module itself raises.
    """
    if name in sys.modules and name not in _standing:
        return importlib.import_module(name)
    with outside():
        return importlib.import_module(name)


def _put(name: str, value: object) -> None:
    if value is ABSENT:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = value  # type: ignore[assignment]
