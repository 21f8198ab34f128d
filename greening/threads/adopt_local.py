"""Late patching: `threading.local` objects that exist already, and classes that were derived from the real one.

Facts: a real local has one set of attributes per OS thread. What is in it belongs to the main greenlets, in which
everything ran until now. Green threads would see it, and overwrite one another's values. A class cannot be given a base
of another layout, but it can be given methods.
Consequence: main greenlets go on with the real attributes, green threads have their own beside them. An object of a
derived class that is made from now on does without the real ones.
"""

import gc
from collections.abc import Callable
from functools import partial
from typing import Any, cast
from weakref import ref

from greening._originals import real_local
from greening.sync.local import Attributes, attributes, is_data_descriptor, local
from greening.threads.identity import is_os_thread

_real_new: Callable[..., Any] = real_local.__new__
_real_get: Callable[[Any, str], Any] = real_local.__getattribute__
_real_set: Callable[[Any, str, Any], None] = real_local.__setattr__
_real_delete: Callable[[Any, str], None] = real_local.__delattr__
_NEW = "__new__"


class AdoptedLocal(local):
    """In the place of a real `threading.local`, whose attributes main greenlets go on using. See `adopt_local`."""

    __slots__ = ("_original",)

    def __getattribute__(self, name: str) -> Any:
        return getattr(_original_of(self), name) if is_os_thread() else super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if is_os_thread():
            setattr(_original_of(self), name, value)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if is_os_thread():
            delattr(_original_of(self), name)
        else:
            super().__delattr__(name)


_slot: Any = AdoptedLocal.__dict__["_original"]
_original_of: Callable[[AdoptedLocal], Any] = _slot.__get__


def adopt_local(kind: type[AdoptedLocal], real: Any) -> AdoptedLocal:
    """The green local that takes the place of `real`."""
    self = kind()
    _slot.__set__(self, real)
    return self


class _Beside:
    """What threads have beside a real local.

    Attributes:
        real: True: main greenlets use the real attributes, which were there before.
        attributes: those of all other threads.
    """

    __slots__ = ("attributes", "owner", "real")

    def __init__(self, owner: Any, real: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.owner = ref(owner, partial(_forget, id(owner)))
        self.real = real
        self.attributes = Attributes(args, kwargs)


_beside: dict[int, _Beside] = {}


def _forget(key: int, owner: object) -> None:
    _beside.pop(key, None)


def _attributes(self: Any) -> dict[str, Any] | None:
    """The running thread's attributes; None: the real ones."""
    found = _beside.get(id(self))
    if found is None or found.real:
        if is_os_thread():
            return None
        if found is None:
            found = _beside[id(self)] = _Beside(self, True, *_arguments(self))
    return attributes(self, found.attributes)


def _arguments(real: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a real local was made with. The garbage collector sees: arguments, keywords if any, and more."""
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    for thing in gc.get_referents(real):
        if type(thing) is tuple:  # slots, which come first, may hold tuples, too
            args, kwargs = thing, {}
        elif type(thing) is dict and thing and not kwargs and all(type(key) is str for key in thing):
            kwargs = thing
    return args, kwargs


def _new(cls: type, /, *args: Any, **kwargs: Any) -> Any:
    self = _real_new(cls, *args, **kwargs)
    made = _beside[id(self)] = _Beside(self, False, args, kwargs)
    made.attributes.enter()  # `type.__call__` runs `__init__`
    return self


def _get(self: Any, name: str) -> Any:
    mine = _attributes(self)
    if mine is None:
        return _real_get(self, name)
    if name in mine:
        return mine[name]
    return mine if name == "__dict__" else object.__getattribute__(self, name)


def _set(self: Any, name: str, value: Any) -> None:
    mine = _attributes(self)
    if mine is None or name == "__dict__":
        _real_set(self, name, value)  # it knows the error
    elif name not in mine and is_data_descriptor(type(self), name):
        _class_attribute(self, name).__set__(self, value)
    else:
        mine[name] = value


def _class_attribute(self: Any, name: str) -> Any:
    # Not through object.__setattr__: it refuses an object whose C base has a `__setattr__` of its own.
    return next(vars(base)[name] for base in type(self).__mro__ if name in vars(base))


def _delete(self: Any, name: str) -> None:
    mine = _attributes(self)
    if mine is None or name == "__dict__":
        _real_delete(self, name)
    elif name in mine:
        del mine[name]
    elif is_data_descriptor(type(self), name):
        _class_attribute(self, name).__delete__(self)
    else:
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


_METHODS: dict[str, Any] = {
    _NEW: staticmethod(_new),
    "__getattribute__": _get,
    "__setattr__": _set,
    "__delattr__": _delete,
}


def adopt_class(kind: type) -> bool:
    """Have green threads use attributes of their own in objects of a class that is derived from the real local.

    Returns:
        False for a class that has its own way of making objects or of reading or writing attributes.
    """
    if any(vars(base).keys() & _METHODS for base in kind.__mro__ if base not in (real_local, object)):
        return False
    for name, method in _METHODS.items():
        setattr(kind, name, method)
    return True


def is_adopted_class(kind: type) -> bool:
    """True after `adopt_class`."""
    return vars(kind).get("__getattribute__") is _get


def return_class(kind: type) -> None:
    """Undo `adopt_class`."""
    for name, method in _METHODS.items():
        if vars(kind).get(name) is method:
            delattr(kind, name)


def derived_classes() -> list[type]:
    """Classes that were derived from the real local."""
    return cast("list[type]", type.__subclasses__(real_local))
