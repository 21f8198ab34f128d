"""sqlite3 under greening: several writers, on a real file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # every one runs a program

Run = Callable[..., Any]

BEGIN = """
import sqlite3
from time import monotonic
from greening import GreenPool, Timeout, sleep, spawn
from tests.ext.interruptions import interrupted, raised

PATH = "things.db"

def connect(**options):
    return sqlite3.connect(PATH, **options)

def numbers():
    return [n for n, in connect().execute("SELECT n FROM things ORDER BY n")]

connect().execute("CREATE TABLE IF NOT EXISTS things (n INTEGER PRIMARY KEY)")
holder = connect()

def hold(seconds):
    '''Have the database locked for a while.'''
    holder.execute("BEGIN EXCLUSIVE")
    thread = spawn(sleep, seconds)
    thread.link(lambda _: holder.rollback())
    return thread

beat()
"""


def test_the_example_of_the_page(run_page: Run, tmp_path: Path) -> None:
    assert run_page("sqlite3", f"PATH = {str(tmp_path / 'page.db')!r}").stdout == "10\n"


@pytest.mark.parametrize("before", ["", "import sqlite3\nfrom sqlite3 import connect as early"], ids=["first", "late"])
def test_writers_wait_for_each_other_and_lose_nothing(run_green: Run, before: str) -> None:
    run_green(
        BEGIN
        + """
connect = globals().get("early") and (lambda: early(PATH)) or connect

def write(n):
    with connect() as connection:
        connection.execute("INSERT INTO things VALUES (?)", (n,))
        sleep(0.02)

list(GreenPool().imap(write, range(20)))
assert numbers() == list(range(20))
""",
        before=before,
    )


def test_whatever_writes_waits_and_then_has_done_all_of_it(run_green: Run) -> None:
    run_green(
        BEGIN
        + """
def many(cursor, first):
    cursor.executemany("INSERT INTO things VALUES (?)", ((n,) for n in range(first, first + 3)))
    assert cursor.rowcount == 3

hold(0.1)
connection = connect()
many(connection.cursor(), 0)
connection.commit()
free = connect(isolation_level=None)  # each row by itself
hold(0.1)
many(free.cursor(), 10)
hold(0.1)
script = "CREATE TABLE others (t); INSERT INTO others VALUES ('a;b'); INSERT INTO things VALUES (20); SELECT 1"
assert connection.executescript(script).connection is connection
assert not connection.in_transaction and connection.isolation_level == ""
assert connect().execute("SELECT t FROM others").fetchall() == [("a;b",)]
hold(0.1)
connection.executescript("BEGIN; INSERT INTO things VALUES (30); COMMIT;")
assert numbers() == [0, 1, 2, 10, 11, 12, 20, 30]
reader = connect()
rows = reader.execute("SELECT n FROM things")
next(rows)  # has the lock of a reader
spawn(lambda: (sleep(0.1), rows.close()))
connection.execute("INSERT INTO things VALUES (40)")
connection.commit()  # waits for the reader
assert numbers()[-1] == 40
""",
        timeout=60,
    )


def test_executemany_goes_on_where_it_had_to_wait(run_green: Run) -> None:
    run_green(
        BEGIN
        + """
free = connect(isolation_level=None)
holding = []

def rows():
    for n in range(6):
        if n == 3:
            holding.append(hold(0.1))
        yield (n,)

cursor = free.cursor()
cursor.executemany("INSERT INTO things VALUES (?)", rows())
assert numbers() == list(range(6)) and cursor.rowcount == 6, cursor.rowcount
"""
    )


def test_the_wait_ends_with_the_timeout_of_the_connection_or_with_an_interruption(run_green: Run) -> None:
    run_green(
        BEGIN
        + """
held = hold(3)
insert = "INSERT INTO things VALUES (1)"
begin = monotonic()
assert "locked" in str(raised(sqlite3.OperationalError, connect(timeout=0.2).execute, insert))
assert 0.2 <= monotonic() - begin < 2
raised(sqlite3.OperationalError, connect(timeout=0).execute, insert)
interrupted(lambda: connect().execute(insert))
victim = spawn(connect().execute, insert)
sleep(0.05)
victim.kill()
assert raised(greening.GreenletExit, victim.wait) is not None
held.kill()
sleep(0)
holder.rollback()
connection = connect()
connection.execute(insert)
connection.commit()
assert numbers() == [1]
"""
    )


def test_a_transaction_that_has_read_does_not_wait_in_vain(run_green: Run) -> None:
    run_green(
        BEGIN
        + """
reader = connect(timeout=30)
reader.execute("BEGIN")
reader.execute("SELECT * FROM things").fetchall()
holder.execute("BEGIN IMMEDIATE")
begin = monotonic()
raised(sqlite3.OperationalError, reader.execute, "INSERT INTO things VALUES (1)")
assert monotonic() - begin < 10
reader.rollback()
spawn(lambda: (sleep(0.1), holder.rollback()))
reader.execute("INSERT INTO things VALUES (1)")
reader.commit()
assert numbers() == [1]
"""
    )


@pytest.mark.parametrize(
    "first",
    ["SAVEPOINT inner", "SELECT 1", "PRAGMA foreign_keys", "-- comment\n/* two */ SAVEPOINT inner"],
    ids=["savepoint", "select", "pragma", "comment"],
)
def test_a_transaction_that_has_not_read_yet_waits(run_green: Run, first: str) -> None:
    run_green(
        BEGIN
        + """
import sys
writer = connect(isolation_level=None)
writer.execute("BEGIN")
writer.execute(sys.argv[1])
hold(0.1)
writer.execute("INSERT INTO things VALUES (1)")
writer.execute("-- the end\\ncommit")
assert numbers() == [1]
""",
        first,
    )


def test_what_tells_whether_a_statement_has_read_changes_nothing(run_green: Run) -> None:
    run_green(
        BEGIN
        + """
connection = connect(isolation_level=None)
connection.row_factory = sqlite3.Row
connection.text_factory = bytes
connection.execute("BEGIN")
connection.executemany("WITH given AS (SELECT ? AS n) INSERT INTO things SELECT n FROM given", [(1,), (2,)])
found = connection.execute("SELECT n, 'x' AS x FROM things WHERE n > :least", {"least": 1})
assert [tuple(row) for row in found] == [(2, b"x")] and found.description[0][0] == "n"
assert connection.execute("WITH given AS (SELECT n FROM things) SELECT count(*) FROM given").fetchone()[0] == 2
connection.execute("COMMIT")
assert numbers() == [1, 2]
"""
    )


def test_blobs_wait_and_a_backup_lets_others_run(run_green: Run) -> None:
    run_green(
        BEGIN
        + """
holder.execute("CREATE TABLE blobs (content)")
holder.execute("INSERT INTO blobs VALUES (zeroblob(100000))")
holder.commit()
seen = []

hold(0.1)
with connect().blobopen("blobs", "content", 1) as blob:
    assert len(blob) == 100000
hold(0.1)
copy = sqlite3.connect(":memory:")
connect().backup(copy, pages=1, progress=lambda *step: seen.append(step), sleep=0.01)
assert copy.execute("SELECT length(content) FROM blobs").fetchone() == (100000,)
assert 5 < len(seen), "it saw the locked database, and then a page at a time"
holder.execute("BEGIN EXCLUSIVE")
with Timeout(0.1, False):
    connect().backup(copy)
    raise AssertionError("a database that is locked was copied")
raised(TypeError, lambda: connect().backup(copy, progress=1))
"""
    )


def test_an_error_in_the_block_of_a_connection_rolls_back(run_green: Run) -> None:
    run_green(
        BEGIN
        + """
def fail():
    with holder:
        holder.execute("INSERT INTO things VALUES (1)")
        raise KeyError

raised(KeyError, fail)
assert numbers() == [] and not holder.in_transaction
"""
    )


def test_classes_are_the_programs_own_and_unpatch_takes_all_back(run_green: Run) -> None:
    run_green(
        BEGIN
        + """
class Own(sqlite3.Connection):
    def cursor(self):
        return super().cursor(OwnCursor)

    def execute(self, sql, *parameters):
        seen.append(sql)
        return super().execute(sql, *parameters)

class OwnCursor(sqlite3.Cursor):
    def execute(self, sql, *parameters):
        seen.append("by cursor")
        return super().execute(sql, *parameters)

seen = []

own = connect(factory=Own)
assert isinstance(own, Own) and type(own).__name__ == "Own"
hold(0.1)
assert isinstance(own.execute("INSERT INTO things VALUES (1)"), OwnCursor)
assert seen == ["INSERT INTO things VALUES (1)", "by cursor"]
own.commit()
assert isinstance(connect().cursor(OwnCursor), OwnCursor)
assert connect(factory=lambda *args, **kwargs: "mine") == "mine"
greening.monkey.unpatch()
assert type(sqlite3.connect(PATH)) is type(sqlite3.dbapi2.connect(PATH)) is sqlite3.Connection
"""
    )
