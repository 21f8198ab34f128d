"""PyMySQL, which is green without a plug-in, on a real MariaDB."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.ext.servers import Server

pytest.importorskip("pymysql")
pytestmark = pytest.mark.slow  # every one runs programs, and a server

Run = Callable[..., Any]

BEGIN = """
import sys
from time import monotonic
import pymysql
from greening import GreenletExit, GreenPool, Timeout, sleep, spawn

def connect():
    return pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", database="test", ssl_disabled=True)

def ask(connection, text="SELECT 1", *args):
    with connection.cursor() as cursor:
        cursor.execute(text, args)
        return cursor.fetchone()[-1]

first = connect()
assert ask(first) == 1
beat()
"""


@pytest.mark.parametrize("before", ["", "import pymysql"], ids=["first", "late"])
def test_many_queries_take_the_time_of_one(run_green: Run, mariadb: Server, before: str) -> None:
    run_green(
        BEGIN
        + """
begin = monotonic()
got = list(GreenPool().imap(lambda n: ask(connect(), "SELECT SLEEP(0.4), %s", n), range(20)))
assert got == list(range(20))
assert monotonic() - begin < 4, monotonic() - begin  # one by one: 8
""",
        str(mariadb.port),
        before=before,
    )


def test_an_interrupted_query_closes_its_connection(run_green: Run, mariadb: Server) -> None:
    run_green(
        BEGIN
        + """
for end in (lambda thread: thread.kill(), lambda thread: sleep(0.2)):
    connection = connect()

    def limited():
        with Timeout(0.1):
            ask(connection, "SELECT SLEEP(30)")

    thread = spawn(limited)
    sleep(0.05)
    end(thread)
    try:
        thread.wait()
        raise AssertionError("it was not interrupted")
    except (GreenletExit, Timeout):
        pass
    assert not connection.open
    connection.ping(reconnect=True)
    assert ask(connection, "SELECT 'own'") == "own"
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
def ended():
    try:
        ask(first, "SELECT SLEEP(30)")
    except pymysql.OperationalError as error:
        return error.args[0]

busy = spawn(ended)
sleep(0.1)
restart()
assert busy.wait() in (1053, 1927, 2006, 2013), busy.wait()
first.ping(reconnect=True)
assert ask(first) == 1
""",
        str(mariadb.port),
    )
