"""Clients for `tests/ext/interruptions.py`: for each a function that makes lanes. Loaded by programs of the tests.

Each is called with the address of its server and returns what asks, and a function that takes every permit of the pool
there is, or None. The answer to a question repeats its tag, or its last three digits.
"""

import importlib
import select
import selectors
import socket
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import greening
from tests.ext import stubs
from tests.ext.interruptions import Ask

LANES = 6
SMALL = 1000  # tags that servers know beforehand


class Client(NamedTuple):
    """What asks, for each lane, and a function that takes all places of the pool at once."""

    lanes: list[Ask]
    take_all: Callable[[], Iterable[object]] | None = None

    def check(self) -> None:
        """Raise AssertionError if a place of the pool is lost."""
        if self.take_all is not None:
            assert len(list(self.take_all())) == LANES


def host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url if "//" in url else f"//{url}")
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port


def same(tag: int, answer: Any) -> object:
    """The tag, if the answer is its last three digits, else the answer."""
    return tag if int(answer) == tag % SMALL else answer


def each_with(connect: Callable[[], Any], ask: Callable[[Any, int], object]) -> Client:
    """Lanes of which each has a connection of its own, and makes a new one after an error."""

    def lane() -> Ask:
        connections: list[Any] = []

        def ask_on(tag: int) -> object:
            try:
                if not connections:
                    connections.append(connect())
                return ask(connections[0], tag)
            except Exception:
                connections.clear()
                raise

        return ask_on

    return Client([lane() for _ in range(LANES)])


# -- memcached ---------------------------------------------------------------------------------------------------------


def pymemcache(url: str) -> Client:
    base: Any = importlib.import_module("pymemcache.client.base")
    base.Client(host_and_port(url)).set_many({f"n{number}": str(number) for number in range(SMALL)})
    return each_with(
        lambda: base.Client(host_and_port(url)), lambda client, tag: same(tag, client.incr(f"n{tag % SMALL}", 0))
    )


def pymemcache_pool(url: str) -> Client:
    pymemcache(url)
    base: Any = importlib.import_module("pymemcache.client.base")
    client = base.PooledClient(host_and_port(url), max_pool_size=LANES)
    lanes: list[Ask] = [lambda tag: same(tag, client.incr(f"n{tag % SMALL}", 0))] * LANES
    return Client(lanes, lambda: [client.client_pool.get() for _ in range(LANES)])


def pymemcache_hash(url: str) -> Client:
    pymemcache(url)
    hashed: Any = importlib.import_module("pymemcache.client.hash")
    client = hashed.HashClient([host_and_port(url)], use_pooling=True, max_pool_size=LANES, retry_attempts=0)
    lanes: list[Ask] = [lambda tag: same(tag, client.incr(f"n{tag % SMALL}", 0))] * LANES
    return Client(lanes, lambda: [next(iter(client.clients.values())).client_pool.get() for _ in range(LANES)])


def memcache(url: str) -> Client:
    pymemcache(url)
    module: Any = importlib.import_module("memcache")
    return each_with(lambda: module.Client([url]), lambda client, tag: same(tag, client.incr(f"n{tag % SMALL}", 0)))


# -- Redis and Valkey --------------------------------------------------------------------------------------------------


def redis(url: str) -> Client:
    module: Any = importlib.import_module("redis")
    return each_with(lambda: module.Redis.from_url(url), lambda client, tag: int(client.echo(str(tag))))


def redis_pool(url: str) -> Client:
    module: Any = importlib.import_module("redis")
    pool = module.BlockingConnectionPool.from_url(url, max_connections=LANES, timeout=5)
    client = module.Redis(connection_pool=pool)
    lanes: list[Ask] = [lambda tag: int(client.echo(str(tag)))] * LANES
    return Client(lanes, lambda: [pool.get_connection() for _ in range(LANES)])


def redis_pipeline(url: str) -> Client:
    module: Any = importlib.import_module("redis")

    def ask(client: Any, tag: int) -> object:
        pipeline = client.pipeline()
        pipeline.echo("first")
        pipeline.echo(str(tag))
        return int(pipeline.execute()[1])

    return each_with(lambda: module.Redis.from_url(url), ask)


def valkey(url: str) -> Client:
    module: Any = importlib.import_module("valkey")
    return each_with(lambda: module.Valkey.from_url(url), lambda client, tag: int(client.echo(str(tag))))


def redis_sentinel(url: str) -> Client:
    return _sentinel("redis", url)


def valkey_sentinel(url: str) -> Client:
    return _sentinel("valkey", url)


def _sentinel(name: str, url: str) -> Client:
    sentinel: Any = importlib.import_module(f"{name}.sentinel")

    class Sentinel(sentinel.Sentinel):  # type: ignore[misc]  # its class is not known to mypy
        def discover_master(self, service_name: str) -> tuple[str, int]:
            return host_and_port(url)

    return each_with(
        lambda: Sentinel([host_and_port(url)]).master_for("name"), lambda client, tag: int(client.echo(str(tag)))
    )


# -- SQL ---------------------------------------------------------------------------------------------------------------


def select_tag(connection: Any, tag: int) -> object:
    cursor = connection.cursor()
    cursor.execute("select %s", (tag,))
    answer: object = cursor.fetchone()[0]
    cursor.close()
    return answer


def pymysql(url: str) -> Client:
    module: Any = importlib.import_module("pymysql")
    host, port = host_and_port(url)
    return each_with(lambda: module.connect(host=host, port=port, user="root", ssl_disabled=True), select_tag)


def mysql_connector(url: str) -> Client:
    return _mysql_connector(url, ssl_disabled=True)


def mysql_connector_tls(url: str) -> Client:
    return _mysql_connector(url, ssl_disabled=False)


def _mysql_connector(url: str, **how: Any) -> Client:
    module: Any = importlib.import_module("mysql.connector")
    host, port = host_and_port(url)
    return each_with(lambda: module.connect(host=host, port=port, user="root", use_pure=True, **how), select_tag)


def mysql_connector_pool(url: str) -> Client:
    pooling: Any = importlib.import_module("mysql.connector.pooling")
    host, port = host_and_port(url)
    how = {"host": host, "port": port, "user": "root", "use_pure": True, "ssl_disabled": True}
    pool = pooling.MySQLConnectionPool(pool_name="pool", pool_size=LANES, **how)

    def ask(tag: int) -> object:
        connection = pool.get_connection()
        try:
            return select_tag(connection, tag)
        finally:
            connection.close()

    return Client([ask] * LANES, lambda: [pool.get_connection() for _ in range(LANES)])


def psycopg_pure(url: str) -> Client:
    """PSYCOPG_IMPL=python is set by the test."""
    module: Any = importlib.import_module("psycopg")
    return each_with(
        lambda: module.connect(url, autocommit=True),
        lambda connection, tag: connection.execute("select %s::int", (tag,)).fetchone()[0],
    )


def pg8000(url: str) -> Client:
    module: Any = importlib.import_module("pg8000.native")
    parts = urlsplit(url)
    return each_with(
        lambda: module.Connection("postgres", host=parts.hostname, port=parts.port, database="postgres"),
        lambda connection, tag: connection.run("select cast(:tag as int)", tag=tag)[0][0],
    )


def psycopg(url: str) -> Client:
    """Its implementation in C, which waits by the plug-in."""
    return psycopg_pure(url)


def psycopg_pool(url: str) -> Client:
    module: Any = importlib.import_module("psycopg_pool")
    pool = module.ConnectionPool(url, min_size=LANES, max_size=LANES, open=True, timeout=10)
    pool.wait()

    def ask(tag: int) -> object:
        with pool.connection() as connection:
            answer: object = connection.execute("select %s::int", (tag,)).fetchone()[0]
            return answer

    return Client([ask] * (2 * LANES), lambda: [pool.getconn(timeout=10) for _ in range(LANES)])


def psycopg2(url: str) -> Client:
    module: Any = importlib.import_module("psycopg2")
    return each_with(lambda: module.connect(url), select_tag)


def mysqlclient(url: str, **how: Any) -> Client:
    module: Any = importlib.import_module("MySQLdb")
    host, port = host_and_port(url)
    return each_with(lambda: module.connect(host=host, port=port, user="root", **how), select_tag)


def mysqlclient_tls(url: str) -> Client:
    return mysqlclient(url, ssl_mode="REQUIRED")


# -- AMQP --------------------------------------------------------------------------------------------------------------


def pika(url: str) -> Client:
    module: Any = importlib.import_module("pika")
    host, port = host_and_port(url)

    def connect() -> Any:
        connection = module.BlockingConnection(module.ConnectionParameters(host, port))
        return connection.channel(), connection

    def ask(connection: Any, tag: int) -> object:
        name = connection[0].queue_declare(f"q{tag % SMALL}", auto_delete=True).method.queue
        return same(tag, name[1:])

    return each_with(connect, ask)


def amqp(url: str) -> Client:
    module: Any = importlib.import_module("amqp")
    host, port = host_and_port(url)

    def connect() -> Any:
        connection = module.Connection(f"{host}:{port}", "guest", "guest")
        connection.connect()
        return connection.channel(), connection

    def ask(connection: Any, tag: int) -> object:
        return same(tag, connection[0].queue_declare(f"q{tag % SMALL}", auto_delete=True).queue[1:])

    return each_with(connect, ask)


def amqp_consumer(url: str) -> Client:
    """Large messages come by themselves; the wait for them is interrupted, and none may be lost or torn."""
    module: Any = importlib.import_module("amqp")
    host, port = host_and_port(url)

    def lane() -> Ask:
        connection = module.Connection(f"{host}:{port}", "guest", "guest")
        connection.connect()
        channel = connection.channel()
        queue = channel.queue_declare(exclusive=True).queue
        came: list[int] = []
        state = {"sent": 0, "taken": 0}

        def take(message: Any) -> None:
            first, _, rest = message.body.partition(" ")
            assert len(rest) == 300_000
            came.append(int(first))

        channel.basic_consume(queue, no_ack=True, callback=take)
        sending = module.Connection(f"{host}:{port}", "guest", "guest")
        sending.connect()
        out = sending.channel()

        def ask(tag: int) -> object:
            if state["sent"] == state["taken"]:
                out.basic_publish(module.Message(f"{state['sent']} " + "x" * 300_000), routing_key=queue)
                state["sent"] += 1
            while len(came) <= state["taken"]:
                connection.drain_events()
            right = came[state["taken"]] == state["taken"]
            state["taken"] += 1
            return tag if right else came

        return ask

    return Client([lane() for _ in range(2)])


def kombu(url: str) -> Client:
    module: Any = importlib.import_module("kombu")
    pool = module.Connection(url).Pool(LANES)

    def ask(tag: int) -> object:
        with pool.acquire(block=True, timeout=5) as connection:
            return same(tag, connection.default_channel.queue_declare(f"q{tag % SMALL}", auto_delete=True).queue[1:])

    return Client([ask] * LANES, lambda: [pool.acquire(block=True, timeout=5) for _ in range(LANES)])


# -- With servers in the program itself --------------------------------------------------------------------------------


def pymongo(_: str) -> Client:
    module: Any = importlib.import_module("pymongo")
    client = module.MongoClient(f"mongodb://127.0.0.1:{stubs.start(stubs.mongo)}", maxPoolSize=3)

    def usable() -> list[object]:
        (server,) = client._topology._servers.values()
        return [True] * LANES if (server.pool.active_sockets, server.pool.requests) == (0, 0) else []

    return Client([lambda tag: client.admin.command({"echo": tag})["echo"]] * LANES, usable)


def requests(_: str) -> Client:
    module: Any = importlib.import_module("requests")
    url = f"http://127.0.0.1:{stubs.start(stubs.http)}"
    return each_with(module.Session, lambda session, tag: int(session.get(f"{url}/{tag}").json()["_id"]))


def urllib3(_: str) -> Client:
    """Three places. Not one may be lost, and not one too many may be given back, which ends in a FullPoolError."""
    module: Any = importlib.import_module("urllib3")
    pool = module.HTTPConnectionPool("127.0.0.1", stubs.start(stubs.http), maxsize=3, block=True)

    def ask(tag: int) -> object:
        try:
            return int(pool.request("GET", f"/{tag}").json()["_id"])
        except module.exceptions.FullPoolError as error:
            return error

    lanes: list[Ask] = [ask] * LANES
    return Client(lanes, lambda: [pool.pool.get_nowait() for _ in range(pool.pool.qsize())] * (LANES // 3))


def httpx(_: str) -> Client:
    module: Any = importlib.import_module("httpx")
    limits = module.Limits(max_connections=3)
    client = module.Client(base_url=f"http://127.0.0.1:{stubs.start(stubs.http)}", limits=limits, trust_env=False)
    pool = client._transport._pool

    def usable() -> list[object]:
        return [True] * LANES if all(each.is_available() or each.is_closed() for each in pool._connections) else []

    return Client([lambda tag: int(client.get(f"/{tag}").json()["_id"])] * LANES, usable)


def elasticsearch(_: str) -> Client:
    module: Any = importlib.import_module("elasticsearch")
    client = module.Elasticsearch(f"http://127.0.0.1:{stubs.start(stubs.http)}", connections_per_node=3)
    return Client([lambda tag: int(client.get(index="index", id=str(tag))["_id"])] * LANES)


def ldap3(_: str) -> Client:
    module: Any = importlib.import_module("ldap3")
    server = module.Server("127.0.0.1", stubs.start(stubs.ldap), get_info=module.NONE)

    def ask(connection: Any, tag: int) -> object:
        connection.search(f"cn={tag}", "(objectClass=*)", module.BASE)
        return int(connection.response[0]["dn"].removeprefix("cn=")) if connection.response else "nothing"

    return each_with(lambda: module.Connection(server, auto_bind=True), ask)


def paramiko(_: str) -> Client:
    module: Any = importlib.import_module("paramiko")
    port = stubs.start(stubs.ssh())

    def connect() -> Any:
        client = module.SSHClient()
        client.set_missing_host_key_policy(module.AutoAddPolicy())
        client.connect("127.0.0.1", port, "user", "password", look_for_keys=False, allow_agent=False)
        return client

    return each_with(connect, lambda client, tag: int(client.exec_command(str(tag))[1].read()))


def cassandra(_: str) -> Client:
    cluster: Any = importlib.import_module("cassandra.cluster")
    port = stubs.start(stubs.cql)
    how = {"protocol_version": 4, "schema_metadata_enabled": False, "token_metadata_enabled": False}
    session = cluster.Cluster(["127.0.0.1"], port=port, **how).connect()
    return Client([lambda tag: int(session.execute(f"select {tag}").one()[0])] * LANES)


# -- Of the standard library -------------------------------------------------------------------------------------------


def smtplib(_: str) -> Client:
    module: Any = importlib.import_module("smtplib")
    port = stubs.start(stubs.lines("220"))
    return each_with(lambda: module.SMTP("127.0.0.1", port), lambda smtp, tag: int(smtp.docmd("VRFY", str(tag))[1]))


def ftplib(_: str) -> Client:
    module: Any = importlib.import_module("ftplib")
    port = stubs.start(stubs.lines("220"))

    def connect() -> Any:
        ftp = module.FTP()
        ftp.connect("127.0.0.1", port)
        return ftp

    return each_with(connect, lambda ftp, tag: int(ftp.sendcmd(f"SITE {tag}").split()[1]))


def poplib(_: str) -> Client:
    module: Any = importlib.import_module("poplib")
    port = stubs.start(stubs.lines("+OK"))
    return each_with(lambda: module.POP3("127.0.0.1", port), lambda pop, tag: int(pop.dele(tag).split()[1]))


def imaplib(_: str) -> Client:
    module: Any = importlib.import_module("imaplib")
    port = stubs.start(stubs.imap)

    def connect() -> Any:
        client = module.IMAP4("127.0.0.1", port)
        client.login("user", "password")
        client.select()
        return client

    return each_with(connect, lambda client, tag: int(client.search(None, "UID", str(tag))[1][0]))


class _Echo:
    def echo(self, tag: int) -> int:
        greening.sleep(0)
        return tag


def managers(_: str) -> Client:
    module: Any = importlib.import_module("multiprocessing.managers")
    module.BaseManager.register("Echo", _Echo)
    server = module.BaseManager(("127.0.0.1", 0), b"key").get_server()
    greening.spawn(server.serve_forever)
    greening.sleep(0.01)
    manager = module.BaseManager(server.address, b"key")
    manager.connect()
    proxy = manager.Echo()
    return Client([proxy.echo] * LANES)


# -- Which only `interrupted="abort"` and `exchange` help --------------------------------------------------------------


def multiprocessing(_: str) -> Client:
    """The protocol of managers' proxies: questions and answers on one connection."""
    module: Any = importlib.import_module("multiprocessing.connection")
    listener = module.Listener(("127.0.0.1", 0))

    def serve(connection: Any) -> None:
        try:
            while True:
                question = connection.recv()
                greening.sleep(0)
                connection.send(question)
        except (EOFError, OSError):
            connection.close()

    def accept() -> None:
        while True:
            greening.spawn(serve, listener.accept())

    greening.spawn(accept)

    def ask(connection: Any, tag: int) -> object:
        connection.send(tag)
        return connection.recv()

    return each_with(lambda: module.Client(listener.address), ask)


def _line_client(wait: Callable[[Any], object], guarded: bool) -> Client:
    port = stubs.start(stubs.lines("+OK"))

    def read_line(sock: Any) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            wait(sock)
            data = sock.recv(1000)
            if not data:
                raise ConnectionError("the connection has ended")
            line += data
        return line

    def connect() -> Any:
        sock = socket.create_connection(("127.0.0.1", port))
        read_line(sock)
        return sock

    def ask(sock: Any, tag: int) -> object:
        with greening.exchange(sock) if guarded else nullcontext():
            sock.sendall(f"question {tag}\n".encode())
            return int(read_line(sock).split()[1])

    return each_with(connect, ask)


def by_recv(_: str) -> Client:
    return _line_client(lambda sock: None, guarded=False)


def by_select(_: str) -> Client:
    return _line_client(lambda sock: select.select([sock], [], []), guarded=False)


def by_selectors(_: str) -> Client:
    def wait(sock: Any) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            selector.select()

    return _line_client(wait, guarded=False)


def by_exchange(_: str) -> Client:
    return _line_client(lambda sock: None, guarded=True)
