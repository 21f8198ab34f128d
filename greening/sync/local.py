"""`local`: attributes that every green thread, and every plain OS thread, has for itself.

Facts: an attribute is read thousands of times for every time that it is made; most green threads never touch a `local`.
Consequence: the values hang on the task, in a dictionary by the identity of the `local`, and reading one is a chain of
plain look-ups that is only left when something is missing.

Who frees what: the engine drops a task's `Values` when the task ends. A `local` that dies takes its entries out of every
`Values` it was used in, before its memory (and with it its identity) can be used again.
"""

from typing import Any
from weakref import ref

from greenlet import getcurrent as _getcurrent

from greening._core.current import current, has_hub
from greening._core.task import Task
from greening._originals import real_local

_MISSING = object()
_object_get = object.__getattribute__
_object_set = object.__setattr__
_object_delete = object.__delattr__

# An OS thread that never parked has no hub, and need not get one (two descriptors) for an attribute.
_hubless = real_local()


class Values(dict[int, dict[str, Any]]):
    """Everything that one task keeps in `local` objects: identity of the `local` -> its attributes."""

    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__  # type: ignore[assignment]  # a dict that is compared by identity
    __eq__ = object.__eq__


class _State:
    """What all threads share of a `local`. It dies with it, and removes what is left of it elsewhere."""

    __slots__ = ("args", "key", "kwargs", "places")

    def __init__(self, key: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.key = key
        self.args = args
        self.kwargs = kwargs
        self.places: set[ref[Values]] = set()

    def __del__(self) -> None:
        places = self.places
        while places:
            try:
                values = places.pop()()
            except KeyError:  # another thread ended meanwhile
                break
            if values is not None:
                values.pop(self.key, None)


def _own_values() -> Values:
    """The `Values` of the running task."""
    glet: Any = _getcurrent()
    task: Task | None = getattr(glet, "_greening_task", None)
    if task is None and glet.parent is None and not has_hub():
        try:
            return _hubless.values  # type: ignore[no-any-return]  # a thread-local of ours
        except AttributeError:
            values = _hubless.values = Values()
            return values
    if task is None:
        task = current()
    found = task._locals
    if type(found) is Values:
        return found
    values = getattr(_hubless, "values", None) if task is task.hub.main else None
    if values is None:
        values = Values()
    if found:
        values.update(found)
    task._locals = values
    return values


def _enter(values: Values, state: _State) -> dict[str, Any]:
    mine: dict[str, Any] = {}
    values[state.key] = mine
    state.places.add(ref(values, state.places.discard))
    return mine


def _attributes(self: "local") -> dict[str, Any]:
    """The attributes of `self` for the running task; made, and `__init__` run, when it comes here for the first time."""
    values = _own_values()
    mine = values.get(id(self))
    if mine is None:
        state: _State = _object_get(self, "_local_state")
        mine = _enter(values, state)
        kind = type(self)
        if kind.__init__ is not object.__init__:
            try:
                kind.__init__(self, *state.args, **state.kwargs)
            except BaseException:
                values.pop(state.key, None)
                raise
    return mine


def _data_descriptor(kind: type, name: str) -> bool:
    """True when the class says what setting and deleting `name` does (a property, a slot)."""
    if getattr(kind, name, _MISSING) is _MISSING:
        return False
    for base in kind.__mro__:
        if name in base.__dict__:
            what = type(base.__dict__[name])
            return hasattr(what, "__set__") or hasattr(what, "__delete__")
    return False


class local:
    """Attributes per green thread. Interface and rules of `threading.local`.

    A subclass's `__init__` runs again, with the same arguments, in every thread that touches the object; `__slots__` of
    a subclass are shared between threads. The values are freed when their thread ends or the object dies. Foreign
    greenlets have their own, too. Thread-safety: complete.
    """

    __slots__ = ("__weakref__", "_local_state")

    _local_state: _State

    def __new__(cls, /, *args: Any, **kwargs: Any) -> "local":
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        self = object.__new__(cls)
        state = _State(id(self), args, kwargs)
        _object_set(self, "_local_state", state)
        # `type.__call__` runs `__init__` for the maker: the first look-up must not run it again.
        _enter(_own_values(), state)
        return self

    def __getattribute__(self, name: str) -> Any:
        try:
            return _getcurrent()._greening_task._locals[id(self)][name]  # type: ignore[attr-defined]  # set by the engine
        except (AttributeError, KeyError, TypeError):
            pass
        mine = _attributes(self)
        if name in mine:
            return mine[name]
        return mine if name == "__dict__" else _object_get(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            mine = _getcurrent()._greening_task._locals[id(self)]  # type: ignore[attr-defined]  # set by the engine
        except (AttributeError, KeyError, TypeError):
            mine = _attributes(self)
        if name not in mine:
            if name == "__dict__":
                raise AttributeError(f"{type(self).__name__!r} object attribute '__dict__' is read-only")
            if _data_descriptor(type(self), name):
                _object_set(self, name, value)
                return
        mine[name] = value

    def __delattr__(self, name: str) -> None:
        mine = _attributes(self)
        if name == "__dict__":
            raise AttributeError(f"{type(self).__name__!r} object attribute '__dict__' is read-only")
        if name not in mine or _data_descriptor(type(self), name):
            _object_delete(self, name)
        else:
            del mine[name]
