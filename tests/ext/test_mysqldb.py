"""mysqlclient under greening, on a real MariaDB."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.ext.servers import Server

pytest.importorskip("MySQLdb")
pytestmark = pytest.mark.slow  # every one runs programs, and a server

Run = Callable[..., Any]

BEGIN = """
import sys
from time import monotonic
import MySQLdb, MySQLdb.cursors
from greening import GreenPool, Timeout, sleep, spawn
from tests.ext.interruptions import interrupted, raised

OPTIONS = {"host": "127.0.0.1", "port": int(sys.argv[1]), "user": "root", "database": "test"}

def connect(**options):
    return MySQLdb.connect(**OPTIONS, **options)

def ask(connection, text="SELECT 1", *args, cursor=None):
    cursor = connection.cursor(cursor)
    cursor.execute(text, args or None)
    return cursor.fetchall()[-1][-1]

def in_blocks(connection, call):
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        call(connection)

first = connect()
assert ask(first) == 1
beat()
"""
SLOW_ROWS = "SELECT SLEEP(0.02), seq FROM seq_1_to_"


def test_the_example_of_the_page(run_page: Run, mariadb: Server) -> None:
    options = f"OPTIONS = dict(host='127.0.0.1', port={mariadb.port}, user='root', database='test')"
    assert run_page("mysqldb", options).stdout == f"{list(range(10))}\n"


def test_many_queries_take_the_time_of_one(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + """
begin = monotonic()
got = list(GreenPool().imap(lambda n: ask(connect(), "SELECT SLEEP(0.4), %s", n), range(30)))
assert got == list(range(30))
assert monotonic() - begin < 5, monotonic() - begin  # one by one: 12
""",
        str(mariadb.port),
    )


def test_it_is_green_when_it_was_imported_and_connected_before_the_patch(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + """
begin = monotonic()
waiting = spawn(ask, early, "SELECT SLEEP(0.5), 'early'")
assert ask(first, "SELECT SLEEP(0.5), 'late'") == "late"
assert waiting.wait() == "early"
assert heartbeat.longest < 0.2
greening.monkey.unpatch()
assert MySQLdb.connections.Connection.query.__module__ == "MySQLdb.connections"
assert ask(connect()) == 1
""",
        str(mariadb.port),
        before=f"import MySQLdb\nearly = MySQLdb.connect(host='127.0.0.1', port={mariadb.port}, user='root')",
    )


def test_what_comes_late_or_in_masses_holds_nobody_up(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + f"""
SLOW_ROWS = {SLOW_ROWS!r}
for kind in (MySQLdb.cursors.Cursor, MySQLdb.cursors.SSCursor):
    assert ask(first, SLOW_ROWS + "20", cursor=kind) == 20
    assert ask(first, "SELECT REPEAT('x', 100), seq FROM seq_1_to_30000", cursor=kind) == 30000
    cursor = first.cursor(kind)
    cursor.execute(SLOW_ROWS + "20")
    cursor.close()  # throws rows away
cursor = first.cursor()
cursor.execute("SELECT 1; SELECT SLEEP(0.4), 2; SELECT 3")
assert cursor.fetchall() == ((1,),)
assert cursor.nextset() and cursor.fetchall() == ((0, 2),)
assert cursor.nextset() and cursor.fetchall() == ((3,),)
assert cursor.nextset() is None
cursor.execute("SELECT LENGTH(%s)", ("x" * 3000000,))
assert cursor.fetchone() == (3000000,)
""",
        str(mariadb.port),
        tolerance=0.4,  # 30,000 rows become objects in one go
    )


def test_many_encrypted_queries_take_the_time_of_one(run_green: Run, mariadb_tls: Server) -> None:
    run_green(
        BEGIN.replace('"user": "root"', '"user": "root", "ssl_mode": "REQUIRED"')
        + """
assert ask(first, "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'")
connections = [connect() for _ in range(20)]
heartbeat.reset()
begin = monotonic()
asked = [spawn(ask, connection, "SELECT SLEEP(0.3), 'own'") for connection in connections]
assert [thread.wait() for thread in asked] == ["own"] * 20
assert monotonic() - begin < 4  # one after the other it would be 6
assert len(ask(connections[0], "SELECT REPEAT('x', 3000000)")) == 3000000
victim = spawn(ask, connections[0], "SELECT SLEEP(30), 'old'")
sleep(0.05)
victim.kill()
raised(MySQLdb.OperationalError, ask, connections[0])
""",
        str(mariadb_tls.port),
    )


def test_transactions_and_the_rest_of_the_interface(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + """
cursor = first.cursor()
cursor.execute("CREATE OR REPLACE TABLE things (n INT PRIMARY KEY)")
other = connect()
cursor.execute("INSERT INTO things VALUES (1)")
assert ask(other, "SELECT COUNT(*) FROM things") == 0
first.commit()
other.rollback()
assert ask(other, "SELECT COUNT(*) FROM things") == 1
cursor.executemany("INSERT INTO things VALUES (%s)", [(n,) for n in range(2, 50)])
first.rollback()
other.commit()
assert ask(other, "SELECT COUNT(*) FROM things") == 1
first.autocommit(True)
assert first.get_autocommit() and ask(first, "SELECT @@autocommit") == 1
first.autocommit(False)
assert not first.get_autocommit()
assert raised(MySQLdb.IntegrityError, cursor.execute, "INSERT INTO things VALUES (1)").args[0] == 1062
assert raised(MySQLdb.ProgrammingError, cursor.execute, "SELEC").args[0] == 1064
first.ping()
first.select_db("mysql")
assert ask(first, "SELECT DATABASE()") == "mysql"
first.set_character_set("utf8mb4")
assert "Uptime" in first.stat()
cursor.execute("SELECT 1 / 0")
assert first.show_warnings()
""",
        str(mariadb.port),
    )


def test_an_interrupted_call_closes_the_connection(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + f"""
SLOW_ROWS = {SLOW_ROWS!r}
import random
chance = random.Random(5)
calls = [
    lambda c: ask(c, "SELECT SLEEP(30)"),
    lambda c: ask(c, SLOW_ROWS + "1000"),
    lambda c: ask(c, SLOW_ROWS + "1000", cursor=MySQLdb.cursors.SSCursor),
    lambda c: (lambda cursor: (cursor.execute("SELECT 1; SELECT SLEEP(30)"), cursor.nextset()))(c.cursor()),
]
for call in calls * 3:
    connection = connect()
    begin = monotonic()
    interrupted(call, connection, after=chance.random() * 0.1)
    connection.close()
    connection = connect()
    interrupted(in_blocks, connection, call, after=chance.random() * 0.1)
    assert monotonic() - begin < 10
    assert not connection.open
    raised(MySQLdb.OperationalError, ask, connection)
    connection = connect()
    victim = spawn(call, connection)
    sleep(chance.random() * 0.1)
    victim.kill()
    raised(greening.GreenletExit, victim.wait)
    raised(MySQLdb.OperationalError, ask, connection)
""",
        str(mariadb.port),
    )


def test_random_interruptions_mix_no_answers_up(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + """
import random
chance = random.Random(3)
answered = 0
for number in range(500):
    try:
        with Timeout(chance.random() * 0.004):
            assert ask(first, "SELECT SLEEP(0.0005), %s", str(number)) == str(number)
            answered += 1
    except (Timeout, MySQLdb.OperationalError):
        first = connect()
assert answered
""",
        str(mariadb.port),
    )


def test_one_connection_serves_one_green_thread_at_a_time(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + """
ended = spawn(raised, MySQLdb.OperationalError, ask, first, "SELECT SLEEP(30)")
sleep(0.1)
for call in (first.commit, first.ping, lambda: ask(first), lambda: first.select_db("mysql")):
    assert raised(MySQLdb.ProgrammingError, call).args[0] == 2014
first.close()
assert ended.wait().args[0] == 2013
other = connect()
ended = spawn(raised, MySQLdb.OperationalError, ask, other, "SELECT SLEEP(0.2) FROM seq_1_to_100")
sleep(0.3)  # a native thread reads rows
other.close()
ended.wait()
""",
        str(mariadb.port),
    )


def test_limits_hold(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + """
import socket
deaf = socket.create_server(("127.0.0.1", 0))
begin = monotonic()
address = {"host": "127.0.0.1", "port": deaf.getsockname()[1], "user": "root"}
raised(MySQLdb.OperationalError, lambda: MySQLdb.connect(**address, connect_timeout=1))
interrupted(lambda: MySQLdb.connect(**address))
impatient = connect(read_timeout=1)
assert "read_timeout" in str(raised(MySQLdb.OperationalError, ask, impatient, "SELECT SLEEP(30)"))
assert not impatient.open
assert monotonic() - begin < 20
deaf.close()
""",
        str(mariadb.port),
    )


def test_a_restart_of_the_server_is_an_error_and_then_all_is_well(
    run_green: Run, mariadb: Server, restart_of: Callable[[Server], str]
) -> None:
    run_green(
        BEGIN
        + restart_of(mariadb)
        + """
ended = spawn(raised, MySQLdb.OperationalError, ask, first, "SELECT SLEEP(30)")
sleep(0.1)
restart()
assert ended.wait().args[0] in (2006, 2013, 1927, 1053), ended.wait()
assert ask(connect()) == 1
""",
        str(mariadb.port),
    )
