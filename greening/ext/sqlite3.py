"""sqlite3: a database that is locked is waited for in the hub, not in C.

Facts:
- SQLite waits for a lock by sleeping in C, for `timeout` seconds. If a green thread of the same OS thread holds the
  lock, it cannot give it back meanwhile: everything stands still, and then the statement fails.
- A statement that fails with SQLITE_BUSY has done nothing, and can be repeated. SQLite itself does not wait where that
  cannot help: in a transaction that has read already, it fails at once. BEGIN, SAVEPOINT, `SELECT 1` and many PRAGMAs
  read nothing of the database. EXPLAIN tells which statements do.
- Methods of a connection, `__exit__` and `executescript` do in C what other methods would do.
- `backup` sleeps in C while its source is locked, and goes on until it is not.
Decisions: connections have no timeout in C. Statements and commits are repeated, with pauses, until the program's
`timeout` is over; inside a transaction that has read, only commits are. `executescript` runs its statements one by
one. `backup` sleeps in the callback that tells of its progress. Connections and cursors are of subclasses, made with
the program's own classes.

What a statement computes or reads from the disk is not waiting: it holds everything up, and belongs into `tpool`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from types import ModuleType, TracebackType
from typing import Any

from greening._core.current import current
from greening._core.waiting import sleep
from greening.ext.classes import subclasses_on
from greening.monkey import patch_module
from greening.patcher.spec import Patch

_ERROR = 1
_BUSY = 5
_BUSY_RECOVERY = 261  # another process repairs it. To wait does not help against SQLITE_BUSY_SNAPSHOT.
_LOCKED = 6  # by another connection that shares its cache
_DEFAULT_TIMEOUT = 5.0  # seconds, as in sqlite3.connect
_NAP, _LONGEST_NAP = 0.001, 0.025  # seconds
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)
_MAY_READ_ONLY = {"SELECT", "WITH", "VALUES", "PRAGMA"}
_POSITIONS = ("timeout", "detect_types", "isolation_level", "check_same_thread", "factory", "cached_statements", "uri")


def install(module: ModuleType) -> None:
    """The plug-in."""
    dbapi: Any = module
    original, green_class = dbapi.connect, _classes_of(dbapi)

    @wraps(original)
    def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
        given = dict(zip(_POSITIONS, args, strict=False)) | kwargs
        factory = given.get("factory", dbapi.Connection)
        if not (isinstance(factory, type) and issubclass(factory, dbapi.Connection)):
            return original(database, *args, **kwargs)
        ours = {"timeout": 0.0, "factory": green_class(factory)}
        positional = [ours.get(name, value) for name, value in zip(_POSITIONS, args, strict=False)]
        kwargs |= {name: value for name, value in ours.items() if name not in _POSITIONS[: len(args)]}
        connection = original(database, *positional, *args[len(_POSITIONS) :], **kwargs)
        connection.patience = float(given.get("timeout", _DEFAULT_TIMEOUT))
        return connection

    patch_module(Patch(module.__name__, "sqlite3", {"connect": connect}), module)


def _patiently(dbapi: Any, connection: Any, call: Callable[[], Any]) -> Any:
    """Repeat a call while the database is locked, until the connection's patience is at an end."""
    deadline, nap = current().hub.now() + connection.patience, _NAP
    while True:
        try:
            return call()
        except dbapi.OperationalError as error:
            if not _may_pass(error):
                raise
            left = deadline - current().hub.now()
            if left <= 0:
                raise
        sleep(min(nap, left))
        nap = min(2 * nap, _LONGEST_NAP)


def _may_pass(error: Any) -> bool:
    """Whether it is an error that the end of another transaction would cure."""
    code = error.sqlite_errorcode
    # blobopen says so when it was the schema that could not be read.
    return code in (_BUSY, _BUSY_RECOVERY) or (code == _ERROR and str(error) == "database is locked")


class _Rest:
    """Parameters of executemany. Iterated anew, it goes on with those that a statement has failed with."""

    def __init__(self, parameters: Iterable[Any]) -> None:
        self._parameters = iter(parameters)
        self._last: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        yield from self._last
        for item in self._parameters:
            self._last = [item]
            yield item


def _classes_of(dbapi: Any) -> Callable[[type], type]:
    """A function that gives the green subclass of a class of connections."""
    base: Any = dbapi.Connection
    green_cursor = subclasses_on(type("Cursor", (dbapi.Cursor,), _cursor_methods(dbapi, dbapi.Cursor)))

    def cursor(self: Any, factory: Any = dbapi.Cursor) -> Any:
        green = isinstance(factory, type) and issubclass(factory, dbapi.Cursor)
        return base.cursor(self, green_cursor(factory) if green else factory)

    def commit(self: Any) -> None:
        _patiently(dbapi, self, lambda: base.commit(self))
        self.has_read = False

    def rollback(self: Any) -> None:
        base.rollback(self)
        self.has_read = False

    def __exit__(self: Any, error: type[BaseException] | None, value: Any, trace: TracebackType | None) -> None:
        if error is not None:
            self.rollback()
            return
        try:
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def by_cursor(name: str) -> Callable[..., Any]:
        @wraps(getattr(base, name))
        def method(self: Any, *args: Any) -> Any:
            return getattr(self.cursor(), name)(*args)

        return method

    @wraps(base.blobopen)
    def blobopen(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _patiently(dbapi, self, lambda: base.blobopen(self, *args, **kwargs))

    members: dict[str, Any] = {"cursor": cursor, "commit": commit, "rollback": rollback, "__exit__": __exit__}
    members |= {"blobopen": blobopen, "backup": _green_backup(base)}
    members |= {name: by_cursor(name) for name in ("execute", "executemany", "executescript")}
    # patience: seconds. has_read: a statement of the transaction that is under way has read from the database.
    return subclasses_on(type("Connection", (base,), {**members, "patience": _DEFAULT_TIMEOUT, "has_read": False}))


def _green_backup(base: Any) -> Callable[..., None]:
    @wraps(base.backup)
    def backup(self: Any, target: Any, *, progress: Any = None, **kwargs: Any) -> None:
        pause = float(kwargs.pop("sleep", 0.25))

        def tell(status: int, remaining: int, total: int) -> None:
            if progress is not None:
                progress(status, remaining, total)
            sleep(pause if status & 0xFF in (_BUSY, _LOCKED) else 0)

        as_given = progress is not None and not callable(progress)  # an error of sqlite3's
        base.backup(self, target, progress=progress if as_given else tell, sleep=0.0, **kwargs)

    return backup


def _cursor_methods(dbapi: Any, base: Any) -> dict[str, Any]:
    def run(connection: Any, sql: str, call: Callable[[], Any], *parameters: Any) -> Any:
        if not connection.in_transaction:
            connection.has_read = False
        word = _first_word(sql)
        waits = not connection.has_read or word in ("COMMIT", "END")
        result = _patiently(dbapi, connection, call) if waits else call()
        if not connection.has_read and word in _MAY_READ_ONLY and connection.in_transaction:
            connection.has_read = _reads(dbapi, connection, sql, parameters)
        return result

    def execute(self: Any, sql: str, *parameters: Any) -> Any:
        self.rows_before = 0
        return run(self.connection, sql, lambda: base.execute(self, sql, *parameters), *parameters)

    def executemany(self: Any, sql: str, parameters: Iterable[Any]) -> Any:
        rest = _Rest(parameters)
        before = self.connection.total_changes

        def attempt() -> Any:
            self.rows_before = self.connection.total_changes - before  # by earlier attempts
            return base.executemany(self, sql, iter(rest))

        return run(self.connection, sql, attempt)

    def executescript(self: Any, sql_script: str) -> Any:
        connection = self.connection
        legacy = getattr(connection, "autocommit", _legacy(dbapi)) == _legacy(dbapi)
        level = connection.isolation_level
        if legacy and connection.in_transaction:
            connection.commit()
        if legacy and level is not None:
            connection.isolation_level = None  # or there would be a BEGIN before INSERT
        try:
            for statement in _statements(dbapi, sql_script):
                self.execute(statement)
                base.fetchall(self)
        finally:
            if legacy and level is not None:
                connection.isolation_level = level
        return self

    def rowcount(self: Any) -> int:
        count: int = base.rowcount.__get__(self)
        return count + self.rows_before if count >= 0 else count

    methods = {"execute": execute, "executemany": executemany, "executescript": executescript}
    return {**methods, "rowcount": property(rowcount), "rows_before": 0}


def _first_word(sql: str) -> str:
    """The first word of a statement, in capitals. Comments are passed over."""
    found = _FIRST_WORD.match(sql)
    return found[1].upper() if found else ""


def _reads(dbapi: Any, connection: Any, sql: str, parameters: Any) -> bool:
    """Whether a statement takes the lock of readers. One that writes takes another one.

    Source: SQLite's documentation, "EXPLAIN", and opcode "Transaction".
    """
    steps = dbapi.Cursor(connection)
    try:
        dbapi.Cursor.execute(steps, f"EXPLAIN {sql}", *parameters)
        return any(name in ("Transaction", b"Transaction") and not writes for _, name, _, writes, *_ in steps)
    except dbapi.Error:  # it has none of the parameters of executemany, for one
        return True
    finally:
        steps.close()


def _legacy(dbapi: Any) -> Any:
    """The value of `Connection.autocommit` by which sqlite3 begins transactions itself (Python 3.12)."""
    return getattr(dbapi, "LEGACY_TRANSACTION_CONTROL", -1)


def _statements(dbapi: Any, script: str) -> Iterator[str]:
    begin = 0
    end = script.find(";") + 1
    while end:
        if dbapi.complete_statement(script[begin:end]):
            yield script[begin:end]
            begin = end
        end = script.find(";", end) + 1
    if script[begin:].strip():
        yield script[begin:]
