"""mysqlclient (MySQLdb): it waits in a C library; this makes it wait in the hub, or in a native thread.

Facts:
- `send_query`, the descriptor and `read_query_result` take a query apart: between the two the hub can wait.
- All else is one call that blocks: to connect, to read further rows and results, to ping. Such a call can be ended by
  shutting its socket down, and only when it has returned the connection may be touched again.
- The answer to a query that was interrupted comes all the same, and the next query would take it for its own.
Decisions: queries wait by the descriptor, and what follows is read at once if it is there as a whole (`mysql_packets`);
else in a native thread. COMMIT, ROLLBACK and autocommit are queries. A kill or a Timeout shuts the connection down.
"""

import _socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

from greening._core.greenthread import spawn
from greening._core.poller import IN
from greening._core.shield import shield
from greening._core.waiting import wait_fd
from greening._originals import get_ident, raw_socket
from greening.ext.classes import patch_methods
from greening.ext.mysql_packets import is_whole
from greening.net.exchange import shut_down
from greening.sync.lock import Lock
from greening.threads.native import execute

_BIG = 65536  # bytes: a query that is longer may have to wait until the server takes it
_IN_THREADS = (
    "discard_result ping select_db set_character_set set_sql_mode change_user kill shutdown stat "
    "dump_debug_info set_server_option show_warnings"
).split()
_LOST = 2013  # CR_SERVER_LOST
_OUT_OF_SYNC = 2014  # CR_COMMANDS_OUT_OF_SYNC


class _State:
    """What is known of a connection.

    Attributes:
        broken: an interruption has closed it; to close it, or its cursors, once more is no error.
        native: the ident of the native thread that is inside one of its methods; what that calls may block.
        operation: is held while a green thread is in the middle of something.
        read_timeout: seconds; None: no limit.
        whole: what the server has said has been received, or is at hand.
    """

    __slots__ = ("broken", "native", "operation", "read_timeout", "whole")

    def __init__(self) -> None:
        self.broken = False
        self.native = 0
        self.operation = Lock()
        self.read_timeout: float | None = None
        self.whole = True

    def may_block(self) -> bool:
        """Whether the caller is that native thread."""
        return self.native == get_ident()

    def natively(self, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """In a native thread: call a method of the connection."""
        self.native = get_ident()
        try:
            return method(*args, **kwargs)
        finally:
            self.native = 0


def _state_of(connection: Any) -> _State:
    state: _State = vars(connection).setdefault("greening_state", _State())
    return state


def install(module: ModuleType) -> None:
    """The plug-in of `MySQLdb.connections`."""
    connections: Any = module
    kind = connections.Connection
    methods = {name: _in_thread(getattr(kind, name)) for name in _IN_THREADS if hasattr(kind, name)}
    methods |= _queries(connections) | {"__init__": _init(kind), "close": _close(connections)}
    methods |= {"store_result": _unless_whole(kind.store_result), "next_result": _next_result(kind.next_result)}
    patch_methods(module, {"Connection": methods})


def install_cursors(module: ModuleType) -> None:
    """The plug-in of `MySQLdb.cursors`: cursors that read their rows from the server one by one."""
    cursors: Any = module
    fetch, discard = cursors.BaseCursor._fetch_row, cursors.BaseCursor._discard

    def streams(cursor: Any) -> bool:
        """Whether it may have to wait for the server."""
        by_row = isinstance(cursor, cursors.CursorUseResultMixIn) and vars(cursor).get("_result") is not None
        if not by_row or cursor.connection is None:
            return False
        state = _state_of(cursor.connection)
        return not state.may_block() and not state.whole

    @wraps(fetch)
    def _fetch_row(self: Any, size: int = 1) -> Any:
        if not streams(self) or (size == 1 and _peek(self.connection.fileno(), 1)):
            return fetch(self, size)
        with _operation(self.connection):
            return _natively(self.connection, fetch, self, size)

    @wraps(discard)
    def _discard(self: Any) -> None:
        if self.connection is not None and _state_of(self.connection).broken:
            # An error here would take the place of the Timeout that a `with cursor` is left with.
            vars(self).update(_result=None, _rows=None)
        elif streams(self):
            with _operation(self.connection):
                _natively(self.connection, discard, self)
        else:
            discard(self)

    patch_methods(module, {"BaseCursor": {"_fetch_row": _fetch_row, "_discard": _discard}})


def _peek(fd: int, size: int) -> bytes:
    """What has come for a descriptor, up to `size` bytes. It stays there."""
    sock = raw_socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, fd)
    try:
        return sock.recv(size, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except OSError:
        return b""
    finally:
        sock.detach()


@contextmanager
def _operation(connection: Any) -> Iterator[_State]:
    """One green thread at a time. Raises ProgrammingError: another one is in the middle of something."""
    state = _state_of(connection)
    if not state.operation.acquire(False):
        raise connection.ProgrammingError(
            _OUT_OF_SYNC,
            "Commands out of sync: another green thread is in the middle of an operation on this connection",
        )
    try:
        yield state
    finally:
        state.operation.release()


def _natively(connection: Any, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method in a native thread. An interruption ends the call by shutting the connection down."""
    state = _state_of(connection)
    fd = connection.fileno()

    def call() -> tuple[Any, Exception | None]:
        try:
            return execute(state.natively, method, args, kwargs), None
        except Exception as error:  # noqa: BLE001  # raised by what waits
            return None, error

    thread = spawn(call)
    try:
        result, error = thread.wait()
    except BaseException:
        with shield():
            shut_down(fd)
            thread.wait()
            _raw_close(connection)
        raise
    if error is not None:
        raise error
    return result


def _raw_close(connection: Any) -> None:
    """Close it though its operation is under way: nothing waits in it any more."""
    _state_of(connection).broken = True
    try:
        sys.modules["MySQLdb._mysql"].connection.close(connection)
    except Exception:  # noqa: BLE001  # it is closed already
        pass


def _in_thread(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def green(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _state_of(self).may_block():
            return method(self, *args, **kwargs)
        with _operation(self):
            return _natively(self, method, self, *args, **kwargs)

    return green


def _next_result(method: Callable[..., int]) -> Callable[..., int]:
    @wraps(method)
    def next_result(self: Any) -> int:
        state = _state_of(self)
        if state.may_block():
            return method(self)
        with _operation(self):
            more = getattr(self, "more_results", None)  # since 2.3
            if state.whole or (more is not None and not more()):
                return method(self)
            result: int = _natively(self, method, self)
            state.whole = result < 0
            return result

    return next_result


def _unless_whole(method: Callable[..., Any]) -> Callable[..., Any]:
    """`store_result`: in a native thread if rows may still be on their way."""

    @wraps(method)
    def store_result(self: Any) -> Any:
        state = _state_of(self)
        if state.may_block() or state.whole:
            return method(self)
        with _operation(self):
            return _natively(self, method, self)

    return store_result


def _queries(connections: Any) -> dict[str, Callable[..., Any]]:
    """The methods that are a query."""
    kind, raw = connections.Connection, connections._mysql.connection
    original, raw_autocommit = kind.query, raw.autocommit

    @wraps(original)
    def query(self: Any, query: Any) -> None:
        state = _state_of(self)
        if state.may_block():
            original(self, query)
            return
        query = bytes(query) if isinstance(query, bytearray) else query
        with _operation(self):
            state.whole = False
            if len(query) > _BIG:
                _natively(self, raw.send_query, self, query)
            else:
                raw.send_query(self, query)
            if _answer_came(self, state):
                raw.read_query_result(self)
            else:
                _natively(self, raw.read_query_result, self)

    def _answer_came(self: Any, state: _State) -> bool:
        """Wait for the answer. Returns: whether it is there as a whole."""
        fd = raw.fileno(self)
        try:
            ready = wait_fd(fd, IN, state.read_timeout)
        except BaseException:  # its answer is still to come, and nobody may take it for that of the next
            shut_down(fd)
            _raw_close(self)
            raise
        if not ready:
            shut_down(fd)
            _raw_close(self)
            raise connections.OperationalError(_LOST, f"no answer within the read_timeout of {state.read_timeout} s")
        state.whole = is_whole(_peek(fd, _BIG))
        return state.whole

    @wraps(kind.commit)
    def commit(self: Any) -> None:
        kind.query(self, b"COMMIT")

    @wraps(kind.rollback)
    def rollback(self: Any) -> None:
        kind.query(self, b"ROLLBACK")

    @wraps(kind.autocommit)
    def autocommit(self: Any, on: Any) -> None:
        if _state_of(self).may_block():
            raw_autocommit(self, bool(on))
        elif self.get_autocommit() != bool(on):
            kind.query(self, b"SET autocommit = %d" % bool(on))

    return {"query": query, "commit": commit, "rollback": rollback, "autocommit": autocommit}


def _init(kind: Any) -> Callable[..., None]:
    original = kind.__init__

    @wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        state = _state_of(self)
        state.read_timeout = kwargs.get("read_timeout") or None

        # A kill leaves at once; the thread connects to the end, and then nobody has the connection.
        execute(state.natively, original, (self, *args), kwargs)

    return __init__


def _close(connections: Any) -> Callable[[Any], None]:
    original = connections.Connection.close

    @wraps(original)
    def close(self: Any) -> None:
        """Close it. A green thread that is in the middle of an operation on it gets an OperationalError."""
        state = _state_of(self)
        if state.broken:
            return
        if state.operation.locked() and not state.may_block():
            shut_down(self.fileno())
            with state.operation:
                pass
        original(self)

    return close
