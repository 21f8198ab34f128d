"""What a pool of connections lends, and how one is opened in a native thread: the parts of `eventlet.db_pool`."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

from greening._core.greenthread import spawn_n
from greening.threads.native import execute


class Giver(Protocol):
    """A pool, as its connections know it."""

    def put(self, conn: Any) -> None:
        """Take a connection back."""


class GenericConnectionWrapper:
    """Stands for a connection: public attributes and methods are the connection's.

    Difference from eventlet: every public attribute can be read and set; there, only 33 methods, and to set
    `autocommit` had no effect on the connection.
    """

    def __init__(self, baseconn: Any) -> None:
        self._base = baseconn

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if "_base" not in vars(self):
            raise AttributeError(f"{name!r}: this connection was given back to its pool; get another one")
        return getattr(self._base, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            setattr(self._base, name, value)

    def __enter__(self) -> Any:
        return self._base.__enter__()

    def __exit__(self, exc: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> Any:
        return self._base.__exit__(exc, value, tb)

    def __repr__(self) -> str:
        return repr(vars(self).get("_base"))


class PooledConnectionWrapper(GenericConnectionWrapper):
    """A borrowed connection. `close()` gives it back; it is false from then on, and refuses to be used."""

    def __init__(self, baseconn: Any, pool: Giver) -> None:
        super().__init__(baseconn)
        self._pool: Giver | None = pool
        # Until it is given back, the pool keeps its place: also when a program has destroyed it before.
        self._lent = True
        self._db_pool_created_at = 0.0

    def __bool__(self) -> bool:
        return bool(vars(self).get("_base"))

    def _destroy(self) -> None:
        self._pool = None
        vars(self).pop("_base", None)

    def close(self) -> None:
        """Give the connection back to the pool. Again: nothing happens."""
        if self._pool is not None:
            self._pool.put(self)


class Opening:
    """A connection that a native thread opens for a green thread that may not wait to the end: then it is closed."""

    def __init__(self, open_it: Callable[[], Any]) -> None:
        self._open_it = open_it
        self._opened: list[Any] = []
        # Whoever pops it first decides: the thread, that the connection is delivered; or the one that gives up.
        self._undecided = [True]

    def run(self) -> Any:
        """In the native thread."""
        connection = self._open_it()
        self._opened.append(connection)
        if not self._decide():
            connection.close()
        return connection

    def give_up(self) -> None:
        """In the green thread."""
        if not self._decide():
            for connection in self._opened:
                spawn_n(execute, connection.close)

    def _decide(self) -> bool:
        try:
            return self._undecided.pop()
        except IndexError:
            return False
