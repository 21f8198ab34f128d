"""`eventlet.db_pool`: connections to databases, of any DB-API module, lent and taken back.

A connection that has been idle for too long, or is too old, is closed: by a timer, and before the next one is lent.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Protocol
from weakref import ref

from greening._core.critical import guard, uninterruptible
from greening._core.greenthread import GreenThread, spawn_after, spawn_n
from greening._originals import monotonic
from greening.compat.db_connection import GenericConnectionWrapper, Opening, PooledConnectionWrapper
from greening.compat.eventlet.pools import Pool
from greening.threads.native import execute
from greening.threads.proxy import Proxy
from greening.timeout import Timeout

_log = logging.getLogger(__name__)
_MISSING: Final[Any] = object()

Cleanup = Callable[[Any], object]


class DatabaseModule(Protocol):
    """Any module of PEP 249."""

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Open a connection."""


class ConnectTimeout(Exception):
    """A connection could not be opened within `connect_timeout`."""


class Pooled(NamedTuple):
    """A connection while the pool has it. Times are monotonic, in seconds."""

    last_used: float
    created_at: float
    connection: Any


def cleanup_rollback(conn: Any) -> None:
    """Roll back what the borrower had begun and not committed."""
    conn.rollback()


class BaseConnectionPool(Pool[Any]):
    """Lends connections. Use one of its subclasses below.

        pool = ConnectionPool(psycopg2, max_size=10, host="db", dbname="orders")
        with pool.item() as connection:
            connection.cursor().execute("select 1")

    Args:
        db_module: has `connect(*args, **kwargs)`.
        min_size, max_size: connections opened at once; connections that exist at once, at most.
        max_idle: seconds after which an unused connection is closed; 0: when it is given back.
        max_age: seconds after which a connection is not lent again; 0: when it is given back.
        connect_timeout: seconds for opening a connection.
        cleanup: called with a connection that is given back; None: nothing is. If it raises, the connection is closed.
        args, kwargs: for `db_module.connect`.
    Difference from eventlet: no connection is lost, and no place, when a borrower is killed at any point; one given
    back twice counts once; `item()` closes one whose borrower was killed or timed out. A dropped pool leaves its
    connections to their own finalisers (call `clear`): a finaliser may run where nothing can wait for a server.
    """

    def __init__(
        self,
        db_module: DatabaseModule,
        min_size: int = 0,
        max_size: int = 4,
        max_idle: float = 10,
        max_age: float = 30,
        connect_timeout: float | None = 5,
        cleanup: Cleanup | None = cleanup_rollback,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._db_module = db_module
        self._args = args
        self._kwargs = kwargs
        self.max_idle = max_idle
        self.max_age = max_age
        self.connect_timeout = connect_timeout
        self.cleanup = cleanup
        self._expiration: GreenThread[None] | None = None
        super().__init__(min_size=min_size, max_size=max_size, order_as_stack=True)

    def create(self) -> Any:
        """Open a connection. A subclass may return a connection, or a `Pooled`."""
        connection = self.connect(self._db_module, self.connect_timeout, *self._args, **self._kwargs)
        now = monotonic()
        return Pooled(now, now, connection)

    @classmethod
    def connect(cls, db_module: DatabaseModule, connect_timeout: float | None, *args: Any, **kw: Any) -> Any:
        """Open a connection within `connect_timeout` seconds.

        Raises:
            ConnectTimeout: it took longer.
        """
        raise NotImplementedError(
            f"{cls.__name__}: use TpooledConnectionPool or RawConnectionPool, or override connect"
        )

    # Lending

    def get(self) -> PooledConnectionWrapper:
        """Borrow a connection. Park while all are lent.

        Raises:
            ConnectTimeout: a new one could not be opened in time. Whatever `connect` raises.
        """
        for expired in self._take_expired():
            spawn_n(self._safe_close, expired, True)
        item = super().get()
        if isinstance(item, tuple):
            _last_used, created_at, connection = item
        else:
            created_at, connection = monotonic(), item
        wrapper = PooledConnectionWrapper(connection, self)
        wrapper._db_pool_created_at = created_at
        return wrapper

    def put(self, conn: Any, cleanup: Cleanup | None = _MISSING) -> None:
        """Give a connection back; the wrapper cannot be used any more.

        Args:
            conn: what `get` returned. Anything else stands for a connection that is broken: its place is free.
            cleanup: instead of the pool's. None: as it is.
        """
        if isinstance(conn, PooledConnectionWrapper) and not conn._lent:
            return
        created_at = getattr(conn, "_db_pool_created_at", 0.0)
        connection = self._unwrap_connection(conn)
        now = monotonic()
        usable = False
        try:
            if connection is not None and self._is_expired(now, now, created_at):
                self._safe_close(connection)
            elif connection is not None:
                usable = self._clean(connection, self.cleanup if cleanup is _MISSING else cleanup)
        finally:
            if usable:
                super().put(Pooled(monotonic(), created_at, connection))
            else:
                self.give_up_place()
            self._schedule_expiration()

    def _clean(self, connection: Any, cleanup: Cleanup | None) -> bool:
        """Whether the connection can be lent again. If not, it is closed."""
        clean = False
        try:
            if cleanup is not None:
                cleanup(connection)
            clean = True
        except Exception as error:  # noqa: BLE001  # whatever it was, the connection is of no use
            _log.warning("cleanup %r of %r failed, so the connection is closed: %r", cleanup, connection, error)
        finally:
            if not clean:
                self._safe_close(connection, quiet=True)
        return clean

    @contextmanager
    def item(self, cleanup: Cleanup | None = _MISSING) -> Iterator[PooledConnectionWrapper]:
        """Borrow a connection for a `with` block. `cleanup` as for `put`.

        A block that is left by a kill or a Timeout may have been in the middle of a statement, whose answer the next
        borrower would read: such a connection is closed.
        """
        conn = self.get()
        try:
            yield conn
        except (Exception, GeneratorExit):
            self.put(conn, cleanup=cleanup)
            raise
        except BaseException:
            self._throw_away(conn)
            raise
        else:
            self.put(conn, cleanup=cleanup)

    def _throw_away(self, conn: PooledConnectionWrapper) -> None:
        if not conn._lent:
            return
        connection = self._unwrap_connection(conn)
        if connection is not None:
            # Not here: it may have to wait for the statement, and the borrower is to end.
            spawn_n(self._safe_close, connection, True)
        self.give_up_place()

    def discard(self, item: Any) -> None:
        """Close a connection that the pool has no place for since it was made smaller."""
        self._safe_close(self._connection_of(item))

    def clear(self) -> None:
        """Close all connections that are not lent."""
        if self._expiration is not None:
            self._expiration.cancel()
            self._expiration = None
        for connection in self._take_free(lambda item: True):
            self._safe_close(connection, quiet=True)

    def _unwrap_connection(self, conn: Any) -> Any:
        """The connection in a wrapper, which is emptied. None: it is no wrapper, or is empty."""
        base = vars(conn).get("_base") if isinstance(conn, GenericConnectionWrapper) else None
        if isinstance(conn, PooledConnectionWrapper):
            conn._lent = False
            conn._destroy()
        return base

    @staticmethod
    def _connection_of(item: Any) -> Any:
        return item[2] if isinstance(item, tuple) else item

    def _safe_close(self, conn: Any, quiet: bool = False) -> None:
        """Close a connection, which may wait; log an error, unless `quiet`. What has no `close` is left alone."""
        if not hasattr(conn, "close"):
            return
        try:
            conn.close()
        except Exception as error:  # noqa: BLE001  # it was to be thrown away
            if not quiet:
                _log.warning("closing %r failed: %r", conn, error)

    # Expiry

    def _is_expired(self, now: float, last_used: float, created_at: float) -> bool:
        return (
            self.max_idle <= 0
            or self.max_age <= 0
            or now - last_used >= self.max_idle
            or now - created_at >= self.max_age
        )

    def _take_expired(self) -> list[Any]:
        now = monotonic()
        return self._take_free(lambda item: isinstance(item, tuple) and self._is_expired(now, item[0], item[1]))

    @uninterruptible
    def _take_free(self, chosen: Callable[[Any], bool]) -> list[Any]:
        """Connections of the chosen items; the pool has them no more, and their places are free."""
        with guard:
            taken = [item for item in self.free_items if chosen(item)]
            if taken:
                self.free_items = deque(item for item in self.free_items if item not in taken)
            for _ in taken:
                self.give_up_place()
        return [self._connection_of(item) for item in taken]

    def _schedule_expiration(self) -> None:
        """Set the timer for the first connection that will expire. There is one timer at most."""
        times = [item[:2] for item in list(self.free_items) if isinstance(item, tuple)]
        if self._expiration is not None or not times:
            return
        due = min(min(last_used + self.max_idle, created_at + self.max_age) for last_used, created_at in times)
        # A weak reference: the timer keeps no pool alive.
        self._expiration = spawn_after(max(due - monotonic(), 0), _expire, ref(self))

    def _run_expiration(self) -> None:
        self._expiration = None
        for connection in self._take_expired():
            self._safe_close(connection, quiet=True)
        self._schedule_expiration()


def _expire(of: "ref[BaseConnectionPool]") -> None:
    pool = of()
    if pool is not None:
        pool._run_expiration()


class TpooledConnectionPool(BaseConnectionPool):
    """Connections that are opened and used in native threads, as `tpool.Proxy`: for modules that are written in C.

    A connection is used in different threads one after another: `sqlite3` needs `check_same_thread=False`.
    """

    @classmethod
    def connect(cls, db_module: DatabaseModule, connect_timeout: float | None, *args: Any, **kw: Any) -> Any:
        """As in the base class. A connection that is opened too late is closed."""
        opening = Opening(lambda: db_module.connect(*args, **kw))
        timer = Timeout(connect_timeout, ConnectTimeout())
        try:
            connection = execute(opening.run)
        except BaseException:
            opening.give_up()
            raise
        finally:
            timer.cancel()
        return Proxy(connection, autowrap_names=("cursor",))


class RawConnectionPool(BaseConnectionPool):
    """Connections as `db_module.connect` returns them: for modules in Python, which are green under `monkey_patch`."""

    @classmethod
    def connect(cls, db_module: DatabaseModule, connect_timeout: float | None, *args: Any, **kw: Any) -> Any:
        """As in the base class."""
        timer = Timeout(connect_timeout, ConnectTimeout())
        try:
            return db_module.connect(*args, **kw)
        finally:
            timer.cancel()


ConnectionPool = TpooledConnectionPool


class DatabaseConnector:
    """A pool for each host and database, made when it is first asked for.

    Args:
        module: as `db_module` of the pools.
        credentials: the name of a host, or "default", -> the arguments of `connect` for it.
        conn_pool: the class of the pools; None: `ConnectionPool`.
        args, kwargs: for the class.
    """

    def __init__(
        self,
        module: DatabaseModule,
        credentials: Mapping[str, Mapping[str, Any]],
        conn_pool: Callable[..., BaseConnectionPool] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._conn_pool_class = conn_pool if conn_pool is not None else ConnectionPool
        self._module = module
        self._args = args
        self._kwargs = kwargs
        self._credentials = credentials
        self._databases: dict[tuple[str, str], BaseConnectionPool] = {}

    def credentials_for(self, host: str) -> Mapping[str, Any] | None:
        """The arguments of `connect` for this host, or the default ones; None: there are neither."""
        return self._credentials.get(host, self._credentials.get("default"))

    def get(self, host: str, dbname: str) -> BaseConnectionPool:
        """The pool of connections to `dbname` at `host`; `connect` gets them as `db` and `host`.

        Raises:
            KeyError: there are no credentials for the host, nor default ones.
        """
        key = (host, dbname)
        if key not in self._databases:
            credentials = self.credentials_for(host)
            if credentials is None:
                raise KeyError(f"there are no credentials for {host!r}, and none for 'default'")
            arguments = {**self._kwargs, "db": dbname, "host": host, **credentials}
            self._databases[key] = self._conn_pool_class(self._module, *self._args, **arguments)
        return self._databases[key]
