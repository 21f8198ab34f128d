"""What a patch is: data. `Entry` is a line of the catalogue, `Patch` what its file defines, `Undo` the way back.

A patch file is imported only when its target is there to be patched, so that a catalogue costs nothing but its lines.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import NamedTuple

NOTHING: Mapping[str, Mapping[str, object]] = MappingProxyType({})


class Undo:
    """An `after` hook adds here the callbacks that take back what it did.

    They run in reverse order, at `unpatch()` or when something later in the same call fails. They take no argument, may
    be called from any thread, and must leave alone what other code has changed in the meantime.
    """

    __slots__ = ("_steps",)

    def __init__(self, steps: list[Callable[[], object]]) -> None:
        self._steps = steps

    def add(self, fn: Callable[[], object]) -> None:
        """Have `fn()` called when the patch is taken back."""
        self._steps.append(fn)


class Patch(NamedTuple):
    """What is done to one module, in place.

    Attributes:
        target: the module's name, e.g. "socket".
        flag: the `monkey_patch` flag that switches it on.
        replaces: module attribute -> green object. A name that the module does not have is added, and deleted again by
            `unpatch()`.
        methods: name of a class of the target (dots for nested classes) -> {attribute: green object}. They are set on
            the class itself; what the class merely inherited is inherited again after `unpatch()`. Values go into the
            class as they are: wrap in staticmethod, classmethod or property here.
        removes: module attributes that have no green meaning. Absent ones are ignored.
        after: runs once all names are in place; registers its own undo callbacks. It runs under the patcher's lock and
            must not import.
        bind: for patches that need objects of the module they are applied to. Called with the module - the real one, or
            the private copy that a green import makes - it returns the Patch for that very module. Without it a copy
            gets `replaces`, `methods` and `removes`, but not `after`, which may reach into the whole process.
    """

    target: str
    flag: str
    replaces: Mapping[str, object]
    methods: Mapping[str, Mapping[str, object]] = NOTHING
    removes: tuple[str, ...] = ()
    after: Callable[[Undo], None] | None = None
    bind: "Callable[[ModuleType], Patch] | None" = None


class Entry(NamedTuple):
    """One line of the catalogue: the patch of `target` is `PATCH` in `module` and belongs to `flag`."""

    target: str
    flag: str
    module: str
