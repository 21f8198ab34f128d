"""Modules, patches and catalogues of the tests' own, so that nothing of the process is patched."""

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from greening.patcher import deferred
from greening.patcher.apply import apply, unapply
from greening.patcher.ledger import Ledger
from greening.patcher.spec import Entry, Patch


class Fakes:
    """Makes importable modules and lines of a catalogue; has a ledger of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger()
        self.made: list[str] = []

    def file(self, name: str, source: str = "") -> None:
        """A module that is not imported yet; a package's is called "name.__init__"."""
        path = self.folder.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        self.made.append(name.removesuffix(".__init__"))

    def module(self, name: str, source: str = "") -> Any:
        """A module that is imported already."""
        self.file(name, source)
        return importlib.import_module(name)

    def entry(self, target: str, flag: str | None = None, **fields: Any) -> Entry:
        """A line of a catalogue, and the patch it names."""
        file = ModuleType(f"patch_of_{target.replace('.', '_')}")
        flag = flag or target
        vars(file)["PATCH"] = Patch(target=target, flag=flag, **{"replaces": {}, **fields})
        sys.modules[file.__name__] = file
        self.made.append(file.__name__)
        return Entry(target, flag, file.__name__)

    def apply(self, *entries: Entry, flags: set[str] | None = None) -> None:
        """Patch everything in these entries, or what belongs to `flags`."""
        apply(entries, {entry.flag for entry in entries} if flags is None else flags, self.ledger)

    def unapply(self) -> None:
        unapply(self.ledger)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fakes]:
    monkeypatch.syspath_prepend(tmp_path)
    made = Fakes(tmp_path)
    yield made
    made.unapply()
    for name in made.made:
        sys.modules.pop(name, None)
        deferred._watches.pop(name, None)
