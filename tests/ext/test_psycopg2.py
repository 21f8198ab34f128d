"""psycopg2 under greening, on a real PostgreSQL."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.ext.servers import Server

pytest.importorskip("psycopg2")
pytestmark = pytest.mark.slow  # every one runs programs, and a server

Run = Callable[..., Any]

BEGIN = """
import sys
from time import monotonic
import psycopg2, psycopg2.extras, psycopg2.pool
from greening import GreenPool, Timeout, sleep, spawn

URL = sys.argv[1]

def connect(**options):
    return psycopg2.connect(URL, **options)

def ask(connection, text="SELECT 1", *args):
    cursor = connection.cursor()
    cursor.execute(text, args)
    return cursor.fetchone()[-1]

first = connect()
assert ask(first) == 1
beat()
"""


def test_the_example_of_the_page(run_page: Run, postgres: Server) -> None:
    assert run_page("psycopg2", f"DSN = {postgres.url!r}").stdout == f"{list(range(10))}\n"


def test_many_queries_take_the_time_of_one(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
begin = monotonic()
got = list(GreenPool().imap(lambda n: ask(connect(), "SELECT pg_sleep(0.4), %s", n), range(20)))
assert got == list(range(20))
assert monotonic() - begin < 4, monotonic() - begin  # one by one: 8
""",
        postgres.url,
    )


def test_it_is_green_when_it_was_imported_before_the_patch(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
begin = monotonic()
list(GreenPool().imap(lambda n: early(URL).cursor().execute("SELECT pg_sleep(0.4)"), range(20)))
assert monotonic() - begin < 4
greening.monkey.unpatch()
assert psycopg2.extensions.get_wait_callback() is None
assert type(connect()) is psycopg2.extensions.connection
""",
        postgres.url,
        before="from psycopg2 import connect as early",
    )


def test_an_interrupted_query_closes_its_connection_and_the_pool_loses_none(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
pool = psycopg2.pool.ThreadedConnectionPool(0, 3, URL)

def borrow(seconds, tag):
    connection = pool.getconn()
    try:
        return ask(connection, "SELECT pg_sleep(%s), %s", seconds, tag)
    finally:
        pool.putconn(connection)

for round in range(5):
    killed = [spawn(borrow, 30, n) for n in range(3)]
    sleep(0.05)
    for thread in killed:
        thread.kill()
    try:
        with Timeout(0.02):
            borrow(30, "late")
        raise AssertionError("it was not interrupted")
    except Timeout:
        pass
    assert [borrow(0, tag) for tag in "abc"] == ["a", "b", "c"]

connection = connect()
try:
    with Timeout(0.05):
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)")
except Timeout:
    pass
assert connection.closed
""",
        postgres.url,
    )


def test_what_would_stop_the_process_raises_while_a_query_is_under_way(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
busy = spawn(ask, first, "SELECT pg_sleep(0.3), 'whole'")
sleep(0.1)
calls = [first.commit, first.rollback, first.reset, first.tpc_recover, lambda: first.__exit__(None, None, None)]
calls += [lambda: first.set_session(readonly=True), lambda: first.set_client_encoding("LATIN1")]
calls += [lambda: first.set_isolation_level(0), lambda: setattr(first, "autocommit", True)]
for call in calls:
    try:
        call()
        raise AssertionError("it did not raise")
    except psycopg2.ProgrammingError as error:
        assert "another green thread" in str(error), error
assert busy.wait() == "whole"
first.commit()
first.autocommit = True
assert first.autocommit is True

def ended():
    try:
        ask(first, "SELECT pg_sleep(30)")
    except psycopg2.InterfaceError as error:
        return str(error)

busy = spawn(ended)
sleep(0.1)
first.close()
assert "another green thread" in busy.wait()
""",
        postgres.url,
    )


def test_classes_are_the_programs_own(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
class Own(psycopg2.extensions.connection):
    def commit(self):
        self.committed = True
        super().commit()

with connect(connection_factory=Own, cursor_factory=psycopg2.extras.RealDictCursor) as own:
    cursor = own.cursor()
    assert isinstance(own, Own) and isinstance(cursor, psycopg2.extras.RealDictCursor)
    cursor.execute("SELECT 1 AS one")
    assert cursor.fetchone() == {"one": 1}
assert own.committed
assert own.cursor("named", scrollable=True, withhold=True).name == "named"
assert connect(connection_factory=lambda dsn: Own(dsn)).__class__ is Own
for kind in (psycopg2.extras.NamedTupleConnection, psycopg2.extras.DictConnection, psycopg2.extras.LoggingConnection):
    other = connect(connection_factory=kind)
    if kind is psycopg2.extras.LoggingConnection:
        other.initialize(sys.stderr)
    assert isinstance(other, kind) and ask(other) == 1
    try:
        other.cursor().copy_to(sys.stdout, "pg_class")
        raise AssertionError("it did not raise")
    except psycopg2.ProgrammingError as error:
        assert "blocking()" in str(error), error
assert type(first).__name__ == "connection" and type(first).__module__ == "psycopg2.extensions"
""",
        postgres.url,
    )


def test_copy_and_large_objects_say_what_to_do(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
import io
from greening.ext.psycopg2 import blocking
text = io.StringIO()
cursor = first.cursor()
for call in (lambda: cursor.copy_expert("COPY (SELECT 7) TO STDOUT", text), lambda: first.lobject()):
    try:
        call()
        raise AssertionError("it did not raise")
    except psycopg2.ProgrammingError as error:
        assert "psycopg 3" in str(error) and "blocking()" in str(error), error
with blocking():
    cursor.copy_expert("COPY (SELECT 7) TO STDOUT", text)
    first.lobject().close()
assert text.getvalue() == "7\\n"
assert psycopg2.extensions.get_wait_callback() is not None
""",
        postgres.url,
    )


def test_connect_timeout_holds_and_the_next_host_is_tried(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
import socket
deaf = socket.create_server(("127.0.0.1", 0))
port = deaf.getsockname()[1]
begin = monotonic()
try:
    psycopg2.connect(host="127.0.0.1", port=port, connect_timeout=1)
    raise AssertionError("it did not raise")
except psycopg2.OperationalError as error:
    assert "timeout expired" in str(error), error
assert 1 < monotonic() - begin < 20
ports = f"{port},{psycopg2.extensions.parse_dsn(URL)['port']}"
found = connect(host="127.0.0.1,localhost", port=ports, connect_timeout=1)
assert ask(found) == 1 and found.info.host == "localhost"
try:
    psycopg2.connect(host="no-such-host.invalid")
    raise AssertionError("it did not raise")
except psycopg2.OperationalError as error:
    assert 'could not translate host name "no-such-host.invalid"' in str(error)
""",
        postgres.url,
    )


def test_a_password_that_is_refused_is_not_tried_on_the_next_host(run_green: Run) -> None:
    run_green(
        """
import psycopg2, socket
from greening import spawn

REFUSAL = b"SFATAL\\0C28P01\\0Mwrong password\\0\\0"
passwords = []

def serve(listener):
    while True:
        connection, _ = listener.accept()
        connection.recv(8192)  # the parameters
        connection.sendall(b"R\\0\\0\\0\\x08\\0\\0\\0\\x03")  # in clear text
        passwords.append(connection.recv(8192)[5:-1])
        connection.sendall(b"E" + (4 + len(REFUSAL)).to_bytes(4) + REFUSAL)

servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
for server in servers:
    spawn(serve, server)
beat()
where = {"host": "127.0.0.1,127.0.0.1", "port": ",".join(str(server.getsockname()[1]) for server in servers)}
plain = {"user": "me", "password": "secret", "sslmode": "disable", "gssencmode": "disable"}
for wish, times in ("any", 1), ("read-write", 2):
    passwords.clear()
    try:
        psycopg2.connect(**where, **plain, target_session_attrs=wish)
        raise AssertionError("it did not raise")
    except psycopg2.OperationalError as error:
        assert str(error).count("wrong password") == times, error
    assert passwords == [b"secret"] * times
"""
    )


def test_a_restart_of_the_server_is_an_error_and_then_all_is_well(
    run_green: Run, postgres: Server, restart_of: Callable[[Server], str]
) -> None:
    run_green(
        BEGIN
        + restart_of(postgres)
        + """
def ended():
    try:
        ask(first, "SELECT pg_sleep(30)")
    except psycopg2.OperationalError as error:
        return str(error)

busy = spawn(ended)
sleep(0.1)
restart()
assert "terminating connection" in busy.wait()
assert first.closed
assert ask(connect()) == 1
""",
        postgres.url,
    )


def test_a_callback_of_the_program_is_left_alone(run_program: Run) -> None:
    run_program(
        """
import psycopg2.extensions
mine = lambda connection: None
psycopg2.extensions.set_wait_callback(mine)
import greening
greening.monkey_patch()
assert psycopg2.extensions.get_wait_callback() is mine
greening.monkey.unpatch()
assert psycopg2.extensions.get_wait_callback() is mine
"""
    )
