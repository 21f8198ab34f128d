"""What was changed and how it was before. Global: one ledger per process, `LEDGER`.

`Changes` is the only thing in greening that writes into a foreign module or class. Before it writes, it notes what
was there. So everything can be taken back: by `apply` when a call fails half way, by `unpatch()` at the end.
"""

from collections.abc import Callable
from types import CellType, FunctionType, MemberDescriptorType
from typing import TYPE_CHECKING

from greening._originals import RLock
from greening.errors import PatchError
from greening.patcher.introspect import Namespace, class_dict
from greening.patcher.spec import Entry

if TYPE_CHECKING:
    from greening.patcher.plugins import Plugin


class _Absent:
    """Stands for the value of a name that did not exist."""

    def __repr__(self) -> str:
        return "<absent>"


ABSENT = _Absent()

# After the name of a function: the function itself, where a wrapper had its name before the patch.
BEHIND = " behind a wrapper"


class Changes:
    """The changes of one call, oldest first.

    Every method writes only where the value differs, so doing a thing twice is doing it once. A value that other code
    has put there since is not taken back: it is no longer ours.
    """

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps: list[Callable[[], object]] = []

    def set_item(self, namespace: Namespace, name: str, value: object) -> object:
        """Put `value` (ABSENT: nothing) into a module's dictionary; return what was there, or ABSENT."""
        before = namespace.get(name, ABSENT)
        if before is not value:
            _write_item(namespace, name, value)
            self.steps.append(lambda: _restore_item(namespace, name, value, before))
        return before

    def set_attribute(self, owner: type, name: str, value: object) -> object:
        """Put `value` on a class; return what the class itself had there, or ABSENT (inherited, or nothing).

        Raises:
            TypeError: a class that takes no attributes (made in C).
        """
        before = class_dict(owner).get(name, ABSENT)
        if before is not value:
            _write_attribute(owner, name, value)
            self.steps.append(lambda: _restore_attribute(owner, name, value, before))
        return before

    def set_defaults(self, function: FunctionType, defaults: tuple[object, ...]) -> None:
        """Give a function other default arguments."""
        before = function.__defaults__
        function.__defaults__ = defaults
        self.steps.append(lambda: _restore_defaults(function, defaults, before))

    def set_cell(self, cell: CellType, value: object) -> None:
        """Put `value` into a variable of a closure."""
        before = cell.cell_contents
        cell.cell_contents = value
        self.steps.append(lambda: _restore_cell(cell, value, before))

    def set_slot(self, slot: MemberDescriptorType, thing: object, value: object) -> None:
        """Put `value` into a slot of an object."""
        before = slot.__get__(thing)
        slot.__set__(thing, value)
        self.steps.append(lambda: _restore_slot(slot, thing, value, before))

    def roll_back(self) -> None:
        """Take everything back, newest first.

        Raises:
            PatchError: undo callbacks failed; everything else has been taken back.
        """
        failures: list[Exception] = []
        while self.steps:
            try:
                self.steps.pop()()
            except Exception as error:  # noqa: BLE001 - the rest is taken back all the same
                failures.append(error)
        if failures:
            listed = "".join(f"\n  {type(error).__name__}: {error}" for error in failures)
            raise PatchError(f"not everything could be taken back:{listed}") from failures[0]


class Ledger:
    """The state of the patcher.

    Attributes:
        lock: held while anything below or any patched module changes. Re-entrant.
        flags: the `monkey_patch` flags that are on.
        wanted: target -> its line of the catalogue, in place or waiting for the target's first import.
        placed: the targets that are in place.
        replaced: target -> {attribute ("Class.method" for methods; see BEHIND): (before, after)}, either may be ABSENT.
        missed: places of bound methods from before the patch that cannot be written to.
        plugins: the plug-ins, once they are watched for; see `plugins.py`.
        changes: everything that `unpatch()` takes back.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.flags: set[str] = set()
        self.wanted: dict[str, Entry] = {}
        self.placed: set[str] = set()
        self.replaced: dict[str, dict[str, tuple[object, object]]] = {}
        self.missed = 0
        self.plugins: list[Plugin] | None = None
        self.changes = Changes()

    def remember(self, target: str, name: str, before: object, after: object) -> None:
        """Note a replaced name; the first original counts (the module may have been re-imported since)."""
        if before is not after:
            self.replaced.setdefault(target, {}).setdefault(name, (before, after))

    def forget(self) -> None:
        """Nothing is patched any more; the changes themselves are the caller's to take back."""
        self.flags.clear()
        self.wanted.clear()
        self.placed.clear()
        self.replaced.clear()
        self.missed = 0
        self.plugins = None


LEDGER = Ledger()


def _write_item(namespace: Namespace, name: str, value: object) -> None:
    if value is ABSENT:
        del namespace[name]
    else:
        namespace[name] = value


def _restore_item(namespace: Namespace, name: str, ours: object, before: object) -> None:
    if namespace.get(name, ABSENT) is ours:
        _write_item(namespace, name, before)


def _write_attribute(owner: type, name: str, value: object) -> None:
    if value is ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, value)


def _restore_attribute(owner: type, name: str, ours: object, before: object) -> None:
    if class_dict(owner).get(name, ABSENT) is ours:
        _write_attribute(owner, name, before)


def _restore_defaults(function: FunctionType, ours: tuple[object, ...], before: tuple[object, ...] | None) -> None:
    if function.__defaults__ is ours:
        function.__defaults__ = before


def _restore_cell(cell: CellType, ours: object, before: object) -> None:
    if cell.cell_contents is ours:
        cell.cell_contents = before


def _restore_slot(slot: MemberDescriptorType, thing: object, ours: object, before: object) -> None:
    if slot.__get__(thing) is ours:
        slot.__set__(thing, before)
