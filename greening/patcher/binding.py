"""One place that refers to an object: what it is called, and how something else is put there.

No foreign code runs: neither attribute access nor `repr` nor `==` (see `introspect`).
"""

import gc
from collections.abc import Callable, Iterable, Iterator
from types import (
    CellType,
    ClassMethodDescriptorType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
from typing import Any, cast

from greening.patcher.introspect import (
    instance_dict,
    is_class,
    is_kept,
    is_made_by_keeper,
    is_module,
    module_dict,
    module_of,
    parts_of,
    slots_of,
)

Write = Callable[[Any, Any, Any], object]
Objects = dict[int, object]

# The parts of a class refer to the class. They are no places where the program keeps it.
_PARTS_OF_CLASSES = frozenset(
    {
        ClassMethodDescriptorType,
        GetSetDescriptorType,
        MemberDescriptorType,
        MethodDescriptorType,
        WrapperDescriptorType,
    }
)
_SHOWN = (str, int, bytes, bool)  # keys whose repr is not foreign code


class Binding:
    """One place that refers to an object.

    Attributes:
        value: the object looked for.
        method: the name of the method where the place holds a bound method of `value` instead of `value` itself (a
            `threading.Condition` keeps its lock's `acquire`), else None.
        container: the dictionary, list, instance, cell ... that refers to it.
        owner: the module, class, function or instance whose dictionary or tuple that is; else the container.
        label: how the place is called inside the owner: ".lock", "[0]".
        path_of: finds a name for the owner.
    """

    __slots__ = ("container", "key", "label", "method", "owner", "path_of", "value", "_write")

    def __init__(
        self,
        value: object,
        container: object,
        owner: object,
        label: str,
        write: Write | None = None,
        key: object = None,
    ) -> None:
        self.value = value
        self.method: str | None = None
        self.container = container
        self.owner = owner
        self.label = label
        self.key = key if type(key) in _SHOWN else None
        self.path_of: Callable[[object], str] = anonymous
        self._write = None if write is None else (write, key)

    @property
    def where(self) -> str:
        """A path for people, if possible from a module: "logging.root.handlers[0].lock". Slow: it searches."""
        return self.path_of(self.owner) + self.label

    @property
    def replaceable(self) -> bool:
        """False for tuples, sets, partial objects and all else that cannot be written to."""
        return self._write is not None

    def replace(self, new: object) -> bool:
        """Put `new` (or, see `method`, its method of the same name) in the place; False where that is impossible."""
        if self._write is None:
            return False
        write, key = self._write
        target = self.owner if write in (type.__setattr__, _set_default) else self.container
        try:
            write(target, key, new if self.method is None else getattr(new, self.method))
        except (TypeError, AttributeError):
            return False
        return True


def owners_of(containers: Iterable[object]) -> Objects:
    """Identity of a dictionary or tuple -> the module, class, function or instance that it is a part of."""
    parts = [container for container in containers if type(container) in (dict, tuple)]
    wanted = {id(container) for container in parts}
    owners: Objects = {}
    for referrer in gc.get_referrers(*parts):
        if type(referrer) in (dict, list, tuple, FrameType):
            continue
        for part in parts_of(referrer):
            if id(part) in wanted and is_part(part, referrer):
                owners[id(part)] = referrer
    return owners


def is_part(part: object, whole: object) -> bool:
    """True for the dictionary of a module, class or instance, the bases of a class, the defaults of a function."""
    if type(whole) is FunctionType:
        return whole.__defaults__ is part or whole.__kwdefaults__ is part
    if type(part) is not dict and type(part) is not tuple:
        return False
    return is_class(whole) or (type(part) is dict and instance_dict(whole) is part)


def places(container: object, owner: object, wanted: Objects) -> Iterator[Binding]:
    """Where in this container the wanted objects are; none for containers that keep things on purpose.

    Args:
        owner: what the container is a part of; itself when it is a part of nothing.
    """
    kind = type(container)
    if is_class(container) or kind in _PARTS_OF_CLASSES:
        return  # a class's dictionary is a container of its own
    if is_kept(module_name(owner)) or is_made_by_keeper(type(owner)):
        return
    if kind is dict:
        yield from _places_in_dict(cast("dict[object, object]", container), owner, wanted)
    elif kind is CellType:
        yield Binding(cast(CellType, container).cell_contents, container, container, "", _set_cell)
    elif kind is tuple:
        yield from _places_in_tuple(cast("tuple[object, ...]", container), owner, wanted)
    elif issubclass(kind, list):
        for index, value in enumerate(list.__iter__(cast("list[object]", container))):
            if id(value) in wanted:
                yield Binding(value, container, container, f"[{index}]", list.__setitem__, index)
    else:
        yield from _places_in_instance(container, wanted)


def _places_in_dict(namespace: dict[object, object], owner: object, wanted: Objects) -> Iterator[Binding]:
    write: Write = type.__setattr__ if is_class(owner) else dict.__setitem__
    for key, value in list(namespace.items()):
        if id(value) in wanted:
            shown = repr(key) if type(key) in _SHOWN else f"<{type(key).__name__}>"
            yield Binding(value, namespace, owner, f"[{shown}]" if owner is namespace else f".{key}", write, key)
        if id(key) in wanted:  # last: the places of values go by their keys
            yield Binding(key, namespace, owner, " as a key")


def _places_in_tuple(container: tuple[object, ...], owner: object, wanted: Objects) -> Iterator[Binding]:
    if is_class(owner):
        return  # its bases
    for index, value in enumerate(container):
        if id(value) in wanted:
            if owner is container:
                yield Binding(value, container, owner, f"[{index}]")
            else:
                yield Binding(value, container, owner, f", default argument {index}", _set_default, index)


def _places_in_instance(container: object, wanted: Objects) -> Iterator[Binding]:
    direct = {id(value): value for value in parts_of(container) if id(value) in wanted}
    direct.pop(id(type(container)), None)
    for name, slot, value in slots_of(container):
        if id(value) in direct:
            del direct[id(value)]
            # A green lock may pass for `_thread.lock`: what is in it stays.
            if not is_kept(module_of(slot.__objclass__)):
                yield Binding(value, container, container, f".{name}", _set_slot, slot)
    # What an instance refers to without a dictionary in between: since 3.11 the interpreter makes that on demand. It
    # may have been made since the instance was found (`is_part` asks for it): then the instance refers to it alone.
    namespace = instance_dict(container) or {}
    for key, value in list(namespace.items()):
        if id(value) in wanted:
            direct.pop(id(value), None)
            yield Binding(value, namespace, container, f".{key}", dict.__setitem__, key)
    for value in direct.values():
        yield Binding(value, container, container, " (inside)")


def _set_cell(cell: CellType, key: object, new: object) -> None:
    cell.cell_contents = new


def _set_slot(container: object, slot: MemberDescriptorType, new: object) -> None:
    slot.__set__(container, new)


def _set_default(function: FunctionType, index: int, new: object) -> None:
    defaults = list(function.__defaults__ or ())
    defaults[index] = new
    function.__defaults__ = tuple(defaults)


def module_name(owner: object) -> object:
    """The module that something is or is from."""
    if is_module(owner):
        return module_dict(owner).get("__name__")
    return owner.__module__ if type(owner) is FunctionType else module_of(owner)


def anonymous(thing: object) -> str:
    """What to call a thing that no module leads to."""
    kind = type(thing)
    return (
        f"a {kind.__name__}"
        if kind.__module__ == "builtins"
        else f"an instance of {kind.__module__}.{kind.__qualname__}"
    )
