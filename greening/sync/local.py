"""`local`: attributes that every green thread, and every plain OS thread, has for itself.

Facts: an attribute is read thousands of times for every time that it is made; most green threads never touch a `local`.
Consequence: a `local` has one dictionary of attributes per thread, by the thread's ident. To read an attribute is a
chain of plain look-ups; other code runs only when one of them fails.

What frees what: a `local` owns its attributes in all threads (so the garbage collector sees cycles through it), and
they are freed with it. A thread owns a token, its `Task.locals`, which the engine drops when the thread ends. Weakref
callbacks then drop the thread's attributes in every `local`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

from greenlet import getcurrent

from greening._compiled import accelerator, double
from greening._core.current import current
from greening._originals import get_ident, real_local

_MISSING = object()
_object_get = object.__getattribute__


class _Token(dict[Any, Any]):
    """Freed when its thread ends."""

    __slots__ = ("__weakref__",)


class Attributes(dict[int, dict[str, Any]]):
    """All attributes of one `local`, by ident of the thread, and the arguments that its `__init__` gets in each."""

    __slots__ = ("__weakref__", "args", "kwargs", "tokens")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.tokens: dict[int, ref[_Token]] = {}

    def enter(self) -> dict[str, Any]:
        """Attributes for the running thread, which has none yet."""
        ident, token = _own_token()
        self.tokens[ident] = ref(token, partial(_thread_ended, ref(self), ident))
        mine = self[ident] = {}
        return mine

    def leave(self) -> None:
        """Forget the attributes of the running thread."""
        ident, _ = _own_token()
        self.tokens.pop(ident, None)
        self.pop(ident, None)


def _thread_ended(owner: "ref[Attributes]", ident: int, _token: object) -> None:
    attributes = owner()
    if attributes is not None:
        attributes.tokens.pop(ident, None)
        attributes.pop(ident, None)


# The tokens of OS threads. An OS thread without a hub does not get one (two descriptors) for an attribute.
_os_thread = real_local()


def _on_os_thread() -> bool:
    try:
        return getcurrent().parent is None
    except RuntimeError:  # the interpreter is being finalized: its main thread alone is left
        return True


def _own_token() -> tuple[int, _Token]:
    """Ident and token of the running thread."""
    if _on_os_thread():
        try:
            return get_ident(), _os_thread.token
        except AttributeError:
            _os_thread.token = _Token()
            return get_ident(), _os_thread.token
    task = current()
    if type(task.local_values) is not _Token:
        task.local_values = _Token(task.local_values or ())
    return task.ident, task.local_values


def attributes(self: object, everybodys: Attributes) -> dict[str, Any]:
    """The attributes of `self` for the running thread. The first call in a thread makes them and runs `__init__`."""
    mine = everybodys.get(get_ident() if _on_os_thread() else current().ident)
    if mine is None:
        mine = everybodys.enter()
        kind = type(self)
        if kind.__init__ is not object.__init__:
            try:
                kind.__init__(self, *everybodys.args, **everybodys.kwargs)
            except BaseException:
                everybodys.leave()
                raise
    return mine


def is_data_descriptor(kind: type, name: str) -> bool:
    """True when the class says what setting and deleting `name` does (a property, a slot)."""
    if getattr(kind, name, _MISSING) is _MISSING:
        return False
    for base in kind.__mro__:
        if name in base.__dict__:
            what = type(base.__dict__[name])
            return hasattr(what, "__set__") or hasattr(what, "__delete__")
    return False


# `object.__setattr__` and `__delattr__` refuse an object whose type has its own in C.
_object_set: Callable[[object, str, Any], None] = object.__setattr__ if accelerator is None else accelerator.generic_set
_object_delete: Callable[[object, str], None] = object.__delattr__ if accelerator is None else accelerator.generic_set


@double
class LocalOps:
    """What every access to an attribute does. `local` adds the rest."""

    __slots__ = ("__weakref__", "_local_attributes")

    _local_attributes: Attributes

    def __getattribute__(self, name: str) -> Any:
        try:
            # `known_task` without its frame: 38 % of the row `local` in pure Python.
            return _attributes_of(self)[getcurrent()._greening_task.known_ident][name]  # type: ignore[attr-defined]  # ours
        except (AttributeError, KeyError, RuntimeError):
            pass
        mine = attributes(self, _attributes_of(self))
        if name in mine:
            return mine[name]
        return mine if name == "__dict__" else _object_get(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            mine = _attributes_of(self)[getcurrent()._greening_task.known_ident]  # type: ignore[attr-defined]  # ours
        except (AttributeError, KeyError, RuntimeError):
            mine = attributes(self, _attributes_of(self))
        if name == "__dict__":
            raise AttributeError(f"{type(self).__name__!r} object attribute '__dict__' is read-only")
        if name not in mine and is_data_descriptor(type(self), name):
            _object_set(self, name, value)
        else:
            mine[name] = value

    def __delattr__(self, name: str) -> None:
        mine = attributes(self, _attributes_of(self))
        if name == "__dict__":
            raise AttributeError(f"{type(self).__name__!r} object attribute '__dict__' is read-only")
        if name not in mine or is_data_descriptor(type(self), name):
            _object_delete(self, name)
        else:
            del mine[name]


class local(LocalOps):
    """Attributes per green thread. Interface and rules of `threading.local`.

    A subclass's `__init__` runs again, with the same arguments, in every thread that touches the object; `__slots__` of
    a subclass are shared between threads. The values are freed when their thread ends or the object is freed. Foreign
    greenlets, and OS threads, have their own, too. Thread-safety: complete.
    """

    __slots__ = ()

    def __new__(cls, /, *args: Any, **kwargs: Any) -> "local":
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        self = object.__new__(cls)
        everybodys = Attributes(args, kwargs)
        _object_set(self, "_local_attributes", everybodys)
        # `type.__call__` runs `__init__` in the thread that makes the object: the first look-up must not run it again.
        everybodys.enter()
        return self


# Reads the slot without `__getattribute__`.
_attributes_of: Callable[[LocalOps], Attributes] = LocalOps.__dict__["_local_attributes"].__get__


def present(of: local) -> dict[str, Any] | None:
    """What `of` has in the running thread, by name; None: nothing yet. Unlike a look at an attribute, it makes nothing.

    Thread-safety: complete.
    """
    try:
        ident = getcurrent()._greening_task.known_ident  # type: ignore[attr-defined]  # ours
    except (AttributeError, RuntimeError):
        ident = get_ident() if _on_os_thread() else current().ident
    return _attributes_of(of).get(ident)
