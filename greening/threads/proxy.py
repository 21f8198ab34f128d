"""`tpool.Proxy`: an object whose methods run in native threads. A file of its own, because `wrapt` is heavy.

Calls, iteration, `with`, and item access go to a thread. What is asked often and needs only memory is answered on the
spot: attributes, `len`, `bool`, `==`, `hash`, `repr`, `str`, arithmetic.
"""

import copy
from collections.abc import Callable, Collection
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from wrapt import ObjectProxy

from greening.threads.native import execute

if TYPE_CHECKING:
    _AnyProxy = ObjectProxy[Any]
else:
    _AnyProxy = ObjectProxy  # wrapt 1 does not let itself be subscribed

Types = type | Collection[type]


class Proxy(_AnyProxy):
    """Stands for an object with methods that may block: a call runs in a native thread, the calling green thread parks.

    It is an instance of the object's class for `isinstance`; the object itself is `__wrapped__`. A call with the
    keyword `nonblocking=True`, which the method does not get, is made on the spot. The object must not depend on which
    thread uses it (`sqlite3` with `check_same_thread`), nor use green threads itself.

    Args:
        obj: any object: an instance, a module, a function.
        autowrap: a type or types: results and attributes of these come as proxies, too.
        autowrap_names: names of attributes and methods whose values and results come as proxies; "__call__" for the
            results of calling the object itself.
    """

    def __init__(self, obj: Any, autowrap: Types = (), autowrap_names: Collection[str] = ()) -> None:
        super().__init__(obj)
        self._self_autowrap = autowrap if isinstance(autowrap, type) else tuple(autowrap)
        self._self_names = frozenset(autowrap_names)

    @property
    def _obj(self) -> Any:
        """The object, by eventlet's name."""
        return self.__wrapped__

    def __getattr__(self, name: str) -> Any:
        if name == "next" and not hasattr(self.__wrapped__, name):  # eventlet's name
            return self.__next__
        value = getattr(self.__wrapped__, name)
        always = name in self._self_names
        if callable(value):
            return _Method(value, self._self_autowrap, always)
        return _wrapped(value, self._self_autowrap, always)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _call(self.__wrapped__, self._self_autowrap, "__call__" in self._self_names, args, kwargs)

    # What the interpreter looks up on the type, and what may block

    def _self_run(self, func: Callable[..., Any], *args: Any) -> Any:
        """A call for the object, not by it; the object itself comes out as this proxy."""
        result = execute(func, *args)
        return self if result is self.__wrapped__ else _wrapped(result, self._self_autowrap, False)

    def __getitem__(self, key: Any) -> Any:
        return self._self_run(self.__wrapped__.__getitem__, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        execute(self.__wrapped__.__setitem__, key, value)

    def __delitem__(self, key: Any) -> None:
        execute(self.__wrapped__.__delitem__, key)

    def __contains__(self, item: Any) -> bool:
        return execute(lambda: item in self.__wrapped__)

    def __iter__(self) -> Any:
        iterator = execute(iter, self.__wrapped__)
        return self if iterator is self.__wrapped__ else Proxy(iterator, self._self_autowrap)

    def __next__(self) -> Any:
        return self._self_run(next, self.__wrapped__)

    def __enter__(self) -> Any:
        return self._self_run(self.__wrapped__.__enter__)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        return execute(self.__wrapped__.__exit__, kind, error, trace)

    def __copy__(self) -> Any:
        return Proxy(execute(copy.copy, self.__wrapped__), self._self_autowrap, self._self_names)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return Proxy(execute(copy.deepcopy, self.__wrapped__, memo), self._self_autowrap, self._self_names)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


class _Method(_AnyProxy):
    """A callable attribute of a proxied object; it keeps its name, signature and documentation."""

    def __init__(self, func: Callable[..., Any], autowrap: type | tuple[type, ...], always: bool) -> None:
        super().__init__(func)
        self._self_autowrap = autowrap
        self._self_always = always

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _call(self.__wrapped__, self._self_autowrap, self._self_always, args, kwargs)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def _call(
    func: Callable[..., Any],
    autowrap: type | tuple[type, ...],
    always: bool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    if kwargs.pop("nonblocking", False):
        result = func(*args, **kwargs)
    else:
        result = execute(partial(func, *args, **kwargs))  # `meth` may be among the keywords
    return _wrapped(result, autowrap, always)


def _wrapped(value: Any, autowrap: type | tuple[type, ...], always: bool) -> Any:
    if type(value) is not Proxy and (always or isinstance(value, autowrap)):
        return Proxy(value, autowrap)
    return value
