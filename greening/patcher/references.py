"""Who holds this object? One look at the whole heap, for what `rebind` cannot reach.

The garbage collector is asked, in a few sweeps at the speed of C: everything that any container refers to, then the
containers of what matched, then the owners of those. No foreign code runs: neither attribute access nor `repr` nor `==`
(see `look`). Not seen: local variables of running functions, and what only C extensions hold.
"""

import gc
from collections.abc import Callable, Collection, Iterable, Iterator
from types import (
    BuiltinMethodType,
    CellType,
    ClassMethodDescriptorType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    WrapperDescriptorType,
)
from typing import Any, cast

from greening.patcher.look import (
    instance_dict,
    is_class,
    is_kept,
    is_module,
    module_dict,
    module_of,
    slots_of,
)

Write = Callable[[Any, Any, Any], object]
Objects = dict[int, object]

_METHODS = frozenset({BuiltinMethodType, MethodType})
# What a class consists of refers to the class; that is no place where somebody keeps it.
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


class Holder:
    """One place that refers to an object.

    Attributes:
        value: the object looked for.
        method: the name of the method where the place holds a bound method of `value` instead of `value` itself (a
            `threading.Condition` keeps its lock's `acquire`), else None.
        container: the dictionary, list, instance, cell ... that refers to it.
        owner: the module, class, function or instance whose dictionary or tuple that is; else the container.
    """

    __slots__ = ("container", "method", "owner", "value", "_key", "_label", "_write")

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
        self._label = label
        self._write = write
        self._key = key

    @property
    def where(self) -> str:
        """A path for people, from a module where one is found: "logging.root.handlers[0].lock". Slow: it searches."""
        return path_of(self.owner) + self._label

    @property
    def replaceable(self) -> bool:
        """False for tuples, sets, partial objects and whatever else cannot be written to."""
        return self._write is not None

    def replace(self, new: object) -> bool:
        """Put `new` (or, see `method`, its method of the same name) in the place; False where that is impossible."""
        if self._write is None:
            return False
        target = self.owner if self._write in (type.__setattr__, _set_default) else self.container
        try:
            self._write(target, self._key, new if self.method is None else getattr(new, self.method))
        except (TypeError, AttributeError):
            return False
        return True


def holders(
    predicate: Callable[[object], bool], kinds: Collection[type] = (), ignore: Iterable[object] = ()
) -> list[Holder]:
    """Every place in the process that refers to an object for which `predicate` is true.

    Places inside greening itself, importlib and debuggers (`look.KEEPERS`) are left out. Thread-safety: a picture of
    one moment; what other OS threads do meanwhile may be missed.

    Args:
        predicate: is asked about every object that the garbage collector knows of. It must not run foreign code:
            compare `type(x)` or `id(x)`, do not use isinstance.
        kinds: only objects of exactly these types are asked about. Ten times as fast as asking about everything.
        ignore: containers of the caller's own.
    """
    everything = gc.get_objects()
    reached = gc.get_referents(*everything)
    bound = {id(value): value for value in reached if type(value) in _METHODS}
    if kinds:
        reached = [value for value in reached if type(value) in kinds]
    matches = {key: value for key, value in {id(value): value for value in reached}.items() if predicate(value)}
    if not matches:
        return []
    methods = {key: value for key, value in bound.items() if id(cast(MethodType, value).__self__) in matches}
    wanted = {**matches, **methods}
    ours = {id(thing) for thing in (everything, reached, bound, matches, methods, wanted, *ignore)} | methods.keys()
    del everything, reached, bound
    found = _places_of(wanted, ours)
    for holder in found:
        if id(holder.value) in methods:
            method = cast(MethodType, holder.value)
            holder.value, holder.method = method.__self__, method.__name__
    return found


def _places_of(wanted: Objects, ours: Collection[int]) -> list[Holder]:
    mark = object()  # tells the collector's own argument tuple from everybody else's
    containers = []
    for container in gc.get_referrers(mark, *wanted.values()):
        is_arguments = type(container) is tuple and container[0] is mark
        if not is_arguments and id(container) not in ours and type(container) is not FrameType:
            containers.append(container)
    owners = _owners([container for container in containers if type(container) in (dict, tuple)])
    found: dict[tuple[int, object], Holder] = {}
    for container in containers:
        for number, holder in enumerate(_places(container, owners.get(id(container), container), wanted)):
            key = holder._key if type(holder._key) in _SHOWN else number
            found.setdefault((id(holder.container), key), holder)
    return list(found.values())


def _owners(containers: list[object]) -> Objects:
    """Identity of a dictionary or tuple -> the module, class, function or instance that it is a part of."""
    wanted = {id(container) for container in containers}
    owners: Objects = {}
    for referrer in gc.get_referrers(*containers):
        if type(referrer) in (dict, list, tuple, FrameType):
            continue
        for part in gc.get_referents(referrer):
            if id(part) in wanted and _is_part(part, referrer):
                owners[id(part)] = referrer
    return owners


def _is_part(part: object, whole: object) -> bool:
    if type(whole) is FunctionType:
        return whole.__defaults__ is part or whole.__kwdefaults__ is part
    if is_class(whole):
        return True
    return type(part) is dict and instance_dict(whole) is part


def _places(container: object, owner: object, wanted: Objects) -> Iterator[Holder]:
    kind = type(container)
    if is_class(container) or kind in _PARTS_OF_CLASSES or is_kept(_module_name(owner)):
        return  # a class's dictionary is a container of its own
    if kind is dict:
        yield from _places_in_dict(cast("dict[object, object]", container), owner, wanted)
    elif kind is CellType:
        yield Holder(cast(CellType, container).cell_contents, container, container, "", _set_cell)
    elif kind is tuple:
        yield from _places_in_tuple(cast("tuple[object, ...]", container), owner, wanted)
    elif issubclass(kind, list):
        for index, value in enumerate(list.__iter__(cast("list[object]", container))):
            if id(value) in wanted:
                yield Holder(value, container, container, f"[{index}]", list.__setitem__, index)
    else:
        yield from _places_in_instance(container, wanted)


def _places_in_dict(namespace: dict[object, object], owner: object, wanted: Objects) -> Iterator[Holder]:
    write: Write = type.__setattr__ if is_class(owner) else dict.__setitem__
    for key, value in list(namespace.items()):
        if id(key) in wanted:
            yield Holder(key, namespace, owner, " as a key")
        if id(value) in wanted:
            shown = repr(key) if type(key) in _SHOWN else f"<{type(key).__name__}>"
            yield Holder(value, namespace, owner, f"[{shown}]" if owner is namespace else f".{key}", write, key)


def _places_in_tuple(container: tuple[object, ...], owner: object, wanted: Objects) -> Iterator[Holder]:
    if is_class(owner):
        return  # its bases
    for index, value in enumerate(container):
        if id(value) in wanted:
            if owner is container:
                yield Holder(value, container, owner, f"[{index}]")
            else:
                yield Holder(value, container, owner, f", default argument {index}", _set_default, index)


def _places_in_instance(container: object, wanted: Objects) -> Iterator[Holder]:
    direct = {id(value): value for value in gc.get_referents(container) if id(value) in wanted}
    direct.pop(id(type(container)), None)
    for name, slot, value in slots_of(container):
        if id(value) in direct:
            del direct[id(value)]
            yield Holder(value, container, container, f".{name}", _set_slot, slot)
    if not direct:
        return
    # What an instance refers to without a dictionary in between: since 3.11 the interpreter makes that on demand.
    namespace = instance_dict(container) or {}
    for key, value in list(namespace.items()):
        if direct.pop(id(value), None) is not None:
            yield Holder(value, namespace, container, f".{key}", dict.__setitem__, key)
    for value in direct.values():
        yield Holder(value, container, container, " (inside)")


def _set_cell(cell: CellType, key: object, new: object) -> None:
    cell.cell_contents = new


def _set_slot(container: object, slot: MemberDescriptorType, new: object) -> None:
    slot.__set__(container, new)


def _set_default(function: FunctionType, index: int, new: object) -> None:
    defaults = list(function.__defaults__ or ())
    defaults[index] = new
    function.__defaults__ = tuple(defaults)


def _module_name(owner: object) -> object:
    if is_module(owner):
        return module_dict(owner).get("__name__")
    return owner.__module__ if type(owner) is FunctionType else module_of(owner)


def path_of(thing: object, climb: int = 5) -> str:
    """A name for people: "module", "module.Class", "module.function", or how a module leads to the object.

    Args:
        climb: how many containers to go through at most in search of a module.
    """
    if is_module(thing):
        return str(module_dict(thing).get("__name__"))
    if is_class(thing) or type(thing) is FunctionType:
        return f"{cast(type, thing).__module__}.{cast(type, thing).__qualname__}"
    return _climb(thing, climb) or _anonymous(thing)


def _climb(thing: object, climb: int) -> str | None:
    wanted = {id(thing): thing}
    candidates = _places_of(wanted, {id(wanted)}) if climb else []
    for holder in candidates:
        if is_module(holder.owner) or is_class(holder.owner) or type(holder.owner) is FunctionType:
            return holder.where
    for holder in candidates[:3]:
        path = _climb(holder.owner, climb - 1)
        if path is not None:
            return path + holder._label
    return None


def _anonymous(thing: object) -> str:
    kind = type(thing)
    if kind is CellType:
        functions = (f for f in gc.get_referrers(*gc.get_referrers(thing)) if type(f) is FunctionType)
        name = next((f"{f.__module__}.{f.__qualname__}" for f in functions), None)
        return "a closure" if name is None else f"a closure of {name}"
    if kind.__module__ == "builtins":
        return f"a {kind.__name__}"
    return f"an instance of {kind.__module__}.{kind.__qualname__}"
