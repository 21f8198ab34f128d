"""Clients whose exchanges do not bear an interruption: what makes a Timeout or a kill in the middle harmless to them.

Facts, each seen with a real server:
- pymemcache and python-memcached clean up in `except Exception`. After a Timeout or a kill, which are none, the late
  answer is taken for that of the next command; a pool of pymemcache loses the place of the interrupted client for good.
- py-amqp takes the late answer to a method for that of the next one, and forgets the head of a frame whose body is
  still to come. A consumer that waits for messages in `drain_events` loses nothing.
- mysql-connector-python goes on reading in the middle of the earlier result.
- pg8000 takes the late result of one query for that of the next one.
- ldap3 takes the middle of an answer for the beginning of one, and may wait for ever for the rest of it.
- urllib3 puts a place into its pool that it has not taken out, when the wait for one is interrupted: later ones fail.
- httpcore, and so httpx, assigns a connection that is still to be opened to a request that waits. If that one is
  interrupted then, nothing opens it, and its place is lost. It gives places back under a lock, for which it may have
  to wait.
- redis-py and valkey-py disconnect when an answer does not come in one piece, except on connections that Sentinel
  manages.
Decisions: what keeps no state besides its connection closes it, and the next command connects anew. py-amqp puts the
beginning of a frame back, so that a Timeout around `drain_events` costs nothing. Its connection is collected when an
interruption strikes in a method that waits for its answer, or in a frame that is half sent. The connections of
mysql-connector, pg8000 and ldap3 are aborted (see `greening.exchange`), and the pool gets them back.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from operator import attrgetter
from types import ModuleType
from typing import Any

from greening._core.shield import shield
from greening._originals import raw_socket
from greening.ext.classes import Method, Methods, after_error, patch_methods
from greening.net.exchange import abort_if_interrupted, watch


def _closing(method: Method, close: str) -> Method:
    """The method; an error that leaves it calls the object's method `close`."""
    return after_error(method, lambda client, _: getattr(client, close)())


def connecting(method: Method, sock: str) -> Method:
    """The method, which connects; the socket in the attribute `sock` is aborted when an exchange is interrupted."""

    @wraps(method)
    def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        made = attrgetter(sock)(self)
        if isinstance(made, raw_socket):  # not what a test puts in its place
            abort_if_interrupted(made)
        return result

    return connect


# -- memcached ---------------------------------------------------------------------------------------------------------


def pymemcache_client(module: ModuleType) -> None:
    """The plug-in of pymemcache.client.base: a command that is interrupted closes the connection."""
    client: Any = module.Client
    commands = ("_fetch_cmd", "_misc_cmd", "_store_cmd")
    patch_methods(module, {"Client": {name: _closing(getattr(client, name), "close") for name in commands}})


def pymemcache_pool(module: ModuleType) -> None:
    """The plug-in of pymemcache.pool: a client whose user is interrupted leaves its pool."""
    get_and_release: Method = module.ObjectPool.get_and_release

    @contextmanager
    @wraps(get_and_release)
    def destroying(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        borrowed: Any = None
        try:
            with get_and_release(self, *args, **kwargs) as borrowed:
                yield borrowed
        except Exception:
            raise  # the pool has done what it does then
        except BaseException:
            if borrowed is not None:
                self.destroy(borrowed)
            raise

    patch_methods(module, {"ObjectPool": {"get_and_release": destroying}})


def memcache(module: ModuleType) -> None:
    """The plug-in of memcache, which is python-memcached: a command that is interrupted closes the connection."""
    host: Any = module._Host
    steps = ("expect", "readline", "recv", "send_cmd", "send_cmds")
    patch_methods(module, {"_Host": {name: _closing(getattr(host, name), "close_socket") for name in steps}})


# -- Redis and Valkey --------------------------------------------------------------------------------------------------


def sentinel(module: ModuleType) -> None:
    """The plug-in of redis.sentinel and valkey.sentinel: connections disconnect by default, as others do."""
    read_response: Method = module.SentinelManagedConnection.read_response

    @wraps(read_response)
    def disconnecting(self: Any, *args: Any, disconnect_on_error: bool = True, **kwargs: Any) -> Any:
        return read_response(self, *args, disconnect_on_error=disconnect_on_error, **kwargs)

    patch_methods(module, {"SentinelManagedConnection": {"read_response": disconnecting}})


# -- MySQL -------------------------------------------------------------------------------------------------------------


def mysql_connector(module: ModuleType) -> None:
    """The plug-in of mysql.connector.network: interrupted connections are aborted. `reconnect()` makes them anew."""
    names = ("MySQLTCPSocket", "MySQLUnixSocket")
    opens = {name: connecting(getattr(module, name).open_connection, "sock") for name in names}
    patch_methods(module, {name: {"open_connection": opening} for name, opening in opens.items()})


def mysql_pool(module: ModuleType) -> None:
    """The plug-in of mysql.connector.pooling: a connection that is taken out, or given back, is not lost on the way."""
    pool: Any = module.MySQLConnectionPool
    add_connection, get_connection = pool.add_connection, pool.get_connection
    lock: Any = module.CONNECTION_POOL_LOCK  # a re-entrant one, which `get_connection` holds while it connects

    @wraps(add_connection)
    def giving_back(self: Any, cnx: Any = None) -> Any:
        if cnx is None:
            return add_connection(self)
        with shield():
            return add_connection(self, cnx)

    @wraps(get_connection)
    def taking_out(self: Any) -> Any:
        with lock:
            waiting = self._cnx_queue.queue
            first = waiting[0] if waiting else None
            try:
                return get_connection(self)
            except BaseException:
                if first is not None and all(each is not first for each in waiting):
                    self._queue_connection(first)
                raise

    patch_methods(module, {"MySQLConnectionPool": {"add_connection": giving_back, "get_connection": taking_out}})


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def pg8000(module: ModuleType) -> None:
    """The plug-in of pg8000.core: interrupted connections are aborted."""
    patch_methods(module, {"CoreConnection": {"__init__": connecting(module.CoreConnection.__init__, "_usock")}})


# -- LDAP --------------------------------------------------------------------------------------------------------------


def ldap3(module: ModuleType) -> None:
    """The plug-in of ldap3.strategy.base: interrupted connections are aborted. `open()` makes them anew."""
    opening = connecting(module.BaseStrategy._open_socket, "connection.socket")
    patch_methods(module, {"BaseStrategy": {"_open_socket": opening}})


# -- HTTP --------------------------------------------------------------------------------------------------------------


def urllib3(module: ModuleType) -> None:
    """The plug-in of urllib3.connectionpool: a wait for a place that is interrupted gives none back."""
    pool: Any = module.HTTPConnectionPool
    get_conn, put_conn = pool._get_conn, pool._put_conn

    @wraps(get_conn)
    def getting(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return get_conn(self, *args, **kwargs)
        except BaseException as error:
            error.__dict__["_greening_has_no_place"] = True
            raise

    @wraps(put_conn)
    def putting(self: Any, conn: Any) -> Any:
        error = sys.exc_info()[1]  # what leaves `urlopen`
        if conn is None and error is not None and error.__dict__.pop("_greening_has_no_place", False):
            return None
        return put_conn(self, conn)

    patch_methods(module, {"HTTPConnectionPool": {"_get_conn": getting, "_put_conn": putting}})


def httpcore(module: ModuleType) -> None:
    """The plug-in of httpcore._sync.connection_pool: a connection that nobody is going to open leaves the pool."""
    assign: Method = module.ConnectionPool._assign_requests_to_connections

    @wraps(assign)
    def assigning(self: Any) -> Any:
        inside = map(_inside, self._connections)
        unopened = [connection for connection in inside if connection is not None and connection._connection is None]
        if unopened:
            wanted = {id(_inside(request.connection)) for request in self._requests}
            for connection in unopened:
                if id(connection) not in wanted:
                    connection._connect_failed = True  # the pool drops it, as if it had been tried
        return assign(self)

    patch_methods(module, {"ConnectionPool": {"_assign_requests_to_connections": assigning}})


def _inside(connection: Any) -> Any:
    """What is to be opened: the connection itself, or that inside the connection to a proxy. None: there is none."""
    while connection is not None and not hasattr(connection, "_connect_failed"):
        connection = getattr(connection, "_connection", None)
    return connection


def httpcore_lock(module: ModuleType) -> None:
    """The plug-in of httpcore._synchronization: nobody is interrupted in the lock of a pool, or in the wait for it."""
    lock: Any = module.ThreadLock
    enter_lock, leave_lock = lock.__enter__, lock.__exit__

    @wraps(enter_lock)
    def enter(self: Any) -> Any:
        block = shield(late=True)
        block.__enter__()
        try:
            entered = enter_lock(self)
        except BaseException as error:
            block.__exit__(type(error), error, None)
            raise
        self._greening_block = block  # that of the lock's owner
        return entered

    @wraps(leave_lock)
    def leave(self: Any, *error: Any) -> Any:
        block = self._greening_block
        try:
            return leave_lock(self, *error)
        finally:
            block.__exit__(None, None, None)

    patch_methods(module, {"ThreadLock": {"__enter__": enter, "__exit__": leave}})


# -- AMQP --------------------------------------------------------------------------------------------------------------


def amqp_transport(module: ModuleType) -> None:
    """The plug-in of amqp.transport: the beginning of a frame whose rest is interrupted is read again."""
    base: Any = module._AbstractTransport
    read_frame: Method = base.read_frame

    @wraps(read_frame)
    def resumable(self: Any, *args: Any, **kwargs: Any) -> Any:
        parts = self._greening_parts = []
        try:
            return read_frame(self, *args, **kwargs)
        except (OSError, module.UnexpectedFrame):
            raise  # py-amqp has put it back, if it goes on
        except BaseException:
            self._read_buffer = b"".join(parts) + self._read_buffer
            raise

    def remembering(read: Method) -> Method:
        @wraps(read)
        def remember(self: Any, *args: Any, **kwargs: Any) -> Any:
            part = read(self, *args, **kwargs)
            self._greening_parts.append(part)
            return part

        return remember

    methods: Methods = {"_AbstractTransport": {"read_frame": resumable}}
    for name in ("SSLTransport", "TCPTransport"):
        methods[name] = {"_read": remembering(getattr(module, name)._read)}
    patch_methods(module, methods)


def amqp_channel(module: ModuleType) -> None:
    """The plug-in of amqp.abstract_channel: a method that is interrupted leaves a connection that is collected."""
    channel: Any = module.AbstractChannel
    names = ("send_method", "wait")
    patch_methods(module, {"AbstractChannel": {name: _whole(getattr(channel, name)) for name in names}})


def _whole(method: Method) -> Method:
    @wraps(method)
    def whole(self: Any, *args: Any, **kwargs: Any) -> Any:
        connection = self.connection
        sock = None if connection is None or not connection.connected else connection.transport.sock
        if sock is None or sock.fileno() < 0:
            return method(self, *args, **kwargs)  # it raises the right error
        watched = watch(sock)
        try:
            with watched:
                return method(self, *args, **kwargs)
        finally:
            if watched.aborted:
                connection.collect()

    return whole


def amqp_connection(module: ModuleType) -> None:
    """The plug-in of amqp.connection: a handshake that fails in any way leaves no connection behind."""
    patch_methods(module, {"Connection": {"connect": _closing(module.Connection.connect, "collect")}})
