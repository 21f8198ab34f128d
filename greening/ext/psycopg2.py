"""psycopg2: it waits in libpq, where no patch reaches; this makes it wait in the hub instead.

Facts:
- psycopg2 has a hook for coroutine libraries, one callback for the whole process. libpq then works without blocking,
  and the callback waits for its descriptor. When the callback raises, psycopg2 closes the connection. So a Timeout or a
  kill leaves no half-read answer behind.
- In this mode libpq leaves `connect_timeout` to the callback, and looks names up in a call that blocks.
- libpq tries no further host after one that has refused a password. A second try could lock the account.
- COPY and large objects cannot work in this mode: psycopg2 refuses them.
- While the callback waits, psycopg2 holds a mutex of the connection. Of its methods, those of cursors look whether an
  operation is under way, but commit, rollback, close and others lock the mutex: called by another green thread of the
  same OS thread, they would never return, and nothing would run any more.
Decisions: `connect` becomes attempts by address, with the limit for each (see `libpq_attempts`). Connections and
cursors are of subclasses, made with the program's own classes: what would lock the mutex raises what the methods of
cursors raise, `close` ends the operation first, and COPY says what to do. `blocking` is for those who need it all the
same.

The query itself goes on in the server, until the server notices; `client_connection_check_interval` and
`statement_timeout` are its settings for that.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from types import ModuleType
from typing import Any

from greening._core.current import current
from greening._core.poller import IN, OUT
from greening._core.waiting import forget_fd, wait_fd
from greening.ext.classes import subclasses_on
from greening.ext.libpq_attempts import attempts
from greening.monkey import patch_module
from greening.patcher.spec import Patch, Undo
from greening.sync.lock import Lock

_READ, _WRITE, _OK = 1, 2, 0  # psycopg2.extensions.POLL_*
_SETUP = 0  # psycopg2.extensions.STATUS_SETUP
_LEAST = 2  # seconds: libpq takes a connect_timeout of 1 for this

_CURSOR_COPIES = ("copy_expert", "copy_from", "copy_to")
_LOCKING = (
    "commit rollback reset set_session set_isolation_level set_client_encoding "
    "tpc_begin tpc_prepare tpc_commit tpc_rollback tpc_recover"
).split()
_LOCKING_ATTRIBUTES = ("autocommit", "isolation_level", "readonly", "deferrable")  # set_session, when they are set

_one_at_a_time = Lock()
_nothing = nullcontext()


def install(module: ModuleType) -> None:
    """The plug-in. `module`: psycopg2, just imported."""
    extensions: Any = module.extensions

    def set_callback(undo: Undo) -> None:
        if extensions.get_wait_callback() is None:  # the program's own goes first
            extensions.set_wait_callback(wait_for_libpq)
            undo.add(take_back)

    def take_back() -> None:
        if extensions.get_wait_callback() is wait_for_libpq:
            extensions.set_wait_callback(None)

    replaces = {"_connect": _green_connect(module)}
    patch_module(Patch(target=module.__name__, flag="psycopg", replaces=replaces, after=set_callback), module)


def wait_for_libpq(connection: Any) -> None:
    """Park until the operation of a psycopg2 connection is complete. For `psycopg2.extensions.set_wait_callback`.

    Raises:
        psycopg2.OperationalError: it is being connected, and its `connect_timeout` (seconds) is over.
        psycopg2.InterfaceError: another green thread has closed it.
    Source: psycopg2's documentation, "Support for coroutine libraries".
    """
    with _operation_of(connection):
        deadline = None
        poll = _polling_setup(connection) if connection.status == _SETUP else connection.poll
        if connection.status == _SETUP and (limit := _connect_timeout(connection)) > 0:
            deadline = current().hub.now() + limit
        while (state := poll()) != _OK:
            if state not in (_READ, _WRITE):
                raise connection.OperationalError(f"psycopg2 reports an unknown state: {state!r}")
            left = None if deadline is None else max(0.0, deadline - current().hub.now())
            try:
                ready = wait_fd(connection.fileno(), IN if state == _READ else OUT, left)
            except OSError as error:
                raise connection.InterfaceError("connection closed by another green thread meanwhile") from error
            if not ready:
                raise connection.OperationalError(f"connection to server failed: timeout expired ({limit} s)")


def _polling_setup(connection: Any) -> Callable[[], Any]:
    """`connection.poll`, whose error has `refused_password` set if the server has asked for one, and got it."""

    def poll() -> Any:
        try:
            return connection.poll()
        except connection.OperationalError as error:
            error.refused_password = connection.info.used_password
            raise

    return poll


def _connect_timeout(connection: Any) -> int:
    """Seconds; 0: no limit."""
    with suppress(Exception):  # what libpq cannot tell, or is no number, is no limit
        limit = int(connection.info.dsn_parameters.get("connect_timeout") or 0)
        return max(limit, _LEAST) if limit > 0 else 0
    return 0


@contextmanager
def blocking() -> Iterator[None]:
    """`with blocking():` psycopg2 waits in C again, and everything waits with it: for COPY and large objects.

    One block at a time has it; others wait for it. What a file object of COPY does may be green, and then lets other
    green threads run: their queries block, too, until the block ends.
    """
    extensions: Any = sys.modules["psycopg2.extensions"]
    with _one_at_a_time:
        callback = extensions.get_wait_callback()
        extensions.set_wait_callback(None)
        try:
            yield
        finally:
            extensions.set_wait_callback(callback)


def _green_connect(module: Any) -> Callable[..., Any]:
    """What takes the place of `psycopg2._connect`, which `psycopg2.connect` calls."""
    connect, extensions = module._connect, module.extensions
    green_class = _classes_of(module)

    def _connect(dsn: str, connection_factory: Any = None, **asynchronous: Any) -> Any:
        factory = extensions.connection if connection_factory is None else connection_factory
        if any(asynchronous.values()):  # the program waits for it
            return connect(dsn, connection_factory=connection_factory, **asynchronous)
        try:
            params = extensions.parse_dsn(dsn)
            found = attempts(params, os.environ)
        except (OSError, ValueError) as error:
            raise module.OperationalError(f"no host of the connection string can be used: {error}") from error
        wish = params.get("target_session_attrs") or os.environ.get("PGTARGETSESSIONATTRS") or "any"
        errors = []
        for one in found:
            try:
                return connect(dsn if one == params else extensions.make_dsn(**one), green_class(factory))
            except module.OperationalError as error:
                errors.append(error)
                if wish == "any" and getattr(error, "refused_password", False):
                    break
        if len(errors) == 1:
            raise errors[0]
        raise type(errors[-1])("\n".join(map(str, errors)))

    return _connect


def _classes_of(module: Any) -> Callable[[Any], Any]:
    """A function that gives the green subclass of a class of connections. Other factories it gives back."""
    extensions = module.extensions
    base: Any = extensions.connection
    copies = {name: _refusing(name, module, extensions.cursor) for name in _CURSOR_COPIES}
    green_cursor = subclasses_on(type("cursor", (extensions.cursor,), copies))

    def close(self: Any) -> None:
        """Close it. A green thread that is in the middle of an operation on it gets an InterfaceError."""
        operation = _operation_of(self)
        if not self.closed and operation.locked():
            forget_fd(self.fileno())
            with operation:  # psycopg2 closes what fails
                pass
        base.close(self)

    def cursor(self: Any, name: Any = None, cursor_factory: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As psycopg2's."""
        factory = cursor_factory or self.cursor_factory or extensions.cursor
        if isinstance(factory, type) and issubclass(factory, extensions.cursor):
            factory = green_cursor(factory)
        return base.cursor(self, name, factory, *args, **kwargs)

    def __exit__(self: Any, error: type[BaseException] | None, value: Any, trace: Any) -> Any:
        if error is not None and self.closed:
            return False  # a rollback would raise, in the place of the Timeout that has closed it
        return base.__exit__(self, error, value, trace)

    members: dict[str, Any] = {"__exit__": __exit__, "close": close, "cursor": cursor}
    members["lobject"] = _refusing("lobject", module, base)
    members.update((name, _locking(name, module, base)) for name in _LOCKING if hasattr(base, name))
    members.update((name, _locking_attribute(name, module, base)) for name in _LOCKING_ATTRIBUTES)
    green_connection = subclasses_on(type("connection", (base,), members))

    def green_class(factory: Any) -> Any:
        known = isinstance(factory, type) and issubclass(factory, base)
        return green_connection(factory) if known else factory

    return green_class


def _operation_of(connection: Any) -> Any:
    """The lock that is held while libpq is waited for. A connection without a dictionary has none."""
    try:
        known = vars(connection)
    except TypeError:
        return _nothing
    return known.get("operation") or known.setdefault("operation", Lock())


def _refuse_while_busy(connection: Any, name: str, module: Any) -> None:
    if _operation_of(connection).locked():
        raise module.ProgrammingError(
            f"{name} cannot be used while another green thread is in the middle of an operation on this connection"
        )


def _locking(name: str, module: Any, kind: Any) -> Callable[..., Any]:
    """A method that locks psycopg2's mutex."""
    method = getattr(kind, name)

    @wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_while_busy(self, name, module)
        return method(self, *args, **kwargs)

    return guarded


def _locking_attribute(name: str, module: Any, kind: Any) -> property:
    attribute = getattr(kind, name)

    def guarded(self: Any, value: Any) -> None:
        _refuse_while_busy(self, f"setting {name}", module)
        attribute.__set__(self, value)

    return property(attribute.__get__, guarded, None, attribute.__doc__)


def _refusing(name: str, module: Any, kind: Any) -> Callable[..., Any]:
    """A method that psycopg2 can only do while it waits in C."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if module.extensions.get_wait_callback() is not None:
            raise module.ProgrammingError(
                f"{name} of psycopg2 can only wait in C, which holds up all green threads. What to do: psycopg 3, "
                f"whose COPY is green; or `with greening.ext.psycopg2.blocking():` around it, if they can wait"
            )
        return getattr(kind, name)(self, *args, **kwargs)

    method.__name__ = name
    return method
