"""psycopg 3 in C and in Python, and psycopg_pool, under greening, on a real PostgreSQL."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.ext.servers import Server

pytest.importorskip("psycopg")
pytest.importorskip("psycopg_pool")
pytestmark = pytest.mark.slow  # every one runs programs, and a server

Run = Callable[..., Any]

BEGIN = """
import sys, warnings
from time import monotonic
import psycopg, psycopg_pool
from greening import GreenPool, Timeout, sleep, spawn
from tests.ext.interruptions import interrupted

URL = sys.argv[1]

def connect(**options):
    return psycopg.connect(URL, autocommit=True, **options)

def ask(connection, text="SELECT 1", *args):
    return connection.execute(text, args).fetchone()[-1]

first = connect()
assert ask(first) == 1
beat()
"""


@pytest.fixture(params=["binary", "python"])
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    """Which implementation of psycopg runs."""
    if request.param == "binary":
        pytest.importorskip("psycopg_binary")
    return {"PSYCOPG_IMPL": request.param}


def test_the_example_of_the_page(run_page: Run, postgres: Server) -> None:
    assert run_page("psycopg", f"DSN = {postgres.url!r}").stdout == f"{list(range(10))}\n"


def test_many_queries_take_the_time_of_one(run_green: Run, postgres: Server, env: dict[str, str]) -> None:
    run_green(
        BEGIN
        + """
begin = monotonic()
got = list(GreenPool().imap(lambda n: ask(connect(), "SELECT pg_sleep(0.4), %s::int", n), range(20)))
assert got == list(range(20))
assert monotonic() - begin < 4, monotonic() - begin  # one by one: 8
""",
        postgres.url,
        env=env,
    )


def test_it_is_green_when_it_was_imported_before_the_patch(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
begin = monotonic()
asked = [spawn(ask, early(URL), "SELECT pg_sleep(0.4), 1") for _ in range(20)]
assert [thread.wait() for thread in asked] == [1] * 20
assert monotonic() - begin < 4
greening.monkey.unpatch()
assert psycopg.waiting.wait is psycopg.waiting.wait_c
assert psycopg_pool.pool.CLIENT_EXCEPTIONS is Exception
""",
        postgres.url,
        before="import psycopg_pool\nfrom psycopg import connect as early",
        env={"PSYCOPG_IMPL": "binary"},
    )


def test_an_interrupted_query_is_cancelled_and_its_connection_goes_on(
    run_green: Run, postgres: Server, env: dict[str, str]
) -> None:
    run_green(
        BEGIN
        + """
import random
chance = random.Random(7)
for number in range(100):
    interrupted(ask, first, "SELECT pg_sleep(30), 'late'", after=chance.random() * 0.02)
    if first.closed:
        first = connect()
    assert ask(first, "SELECT %s", str(number)) == str(number)
    victim = spawn(ask, first, "SELECT pg_sleep(30), 'late'")
    sleep(chance.random() * 0.01)
    victim.kill()
    if first.closed:
        first = connect()
    assert ask(first, "SELECT %s", str(number)) == str(number)
text = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(30)%%' AND state = 'active' AND pid <> %s"
assert ask(first, text, first.info.backend_pid) == 0
""",
        postgres.url,
        env=env,
    )


def test_an_interrupted_copy_and_pipeline_leave_nothing_half_read(
    run_green: Run, postgres: Server, env: dict[str, str]
) -> None:
    run_green(
        BEGIN
        + """
def copy(connection):
    with connection.cursor().copy("COPY (SELECT n, pg_sleep(0.01) FROM generate_series(1, 10000) n) TO STDOUT") as rows:
        for _ in rows:
            pass

def pipeline(connection):
    with connection.pipeline():
        for _ in range(3):
            connection.execute("SELECT pg_sleep(10)")

def fetch(connection):
    with connection.transaction(), connection.cursor("named") as cursor:
        cursor.execute("SELECT pg_sleep(0.02) FROM generate_series(1, 10000)")
        for _ in cursor:
            pass

for work in (copy, pipeline, fetch):
    for after in (0.01, 0.05, 0.1):
        connection = connect()
        interrupted(work, connection, after=after)
        if not connection.closed:
            assert ask(connection, "SELECT 'own'") == "own", work
""",
        postgres.url,
        env=env,
    )


def test_a_stream_and_a_copy_that_are_interrupted_leave_their_connection_usable(
    run_green: Run, postgres: Server, env: dict[str, str]
) -> None:
    run_green(
        BEGIN
        + """
SLOW = "SELECT n, pg_sleep(0.01) FROM generate_series(1, 10000) n"

def stream(connection):
    for _ in connection.cursor().stream(SLOW):
        pass

def copy_out(connection):
    with connection.cursor().copy(f"COPY ({SLOW}) TO STDOUT") as rows:
        for _ in rows:
            pass

def copy_in(connection):
    with connection.cursor().copy("COPY numbers FROM STDIN") as rows:
        while True:
            rows.write("1\\n" * 10000)

connection = connect()
connection.execute("CREATE TEMPORARY TABLE numbers (number int)")
for work in (stream, copy_out, copy_in):
    for after in (0.0005, 0.02, 0.1):
        interrupted(work, connection, after=after)
        assert not connection.closed, (work, after)
        assert ask(connection, "SELECT count(*) FROM numbers") == 0, (work, after)
""",
        postgres.url,
        env=env,
    )


def test_a_server_that_does_not_answer_holds_a_kill_up_for_a_second(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
import socket
from threading import Thread
listener = socket.create_server(("127.0.0.1", 0))
server = socket.create_connection(("127.0.0.1", psycopg.conninfo.conninfo_to_dict(URL)["port"]))
deaf = False

def pass_on(source, target):
    while data := source.recv(65536):
        if not deaf:
            target.sendall(data)

def relay():
    client, _ = listener.accept()
    Thread(target=pass_on, args=(client, server), daemon=True).start()
    Thread(target=pass_on, args=(server, client), daemon=True).start()

Thread(target=relay, daemon=True).start()
behind = psycopg.connect(URL, host="127.0.0.1", port=listener.getsockname()[1], autocommit=True)
assert ask(behind) == 1
deaf = True
begin = monotonic()
interrupted(ask, behind)
assert behind.closed
assert 1 <= monotonic() - begin < 10
""",
        postgres.url,
    )


def test_a_pool_loses_no_connection_of_waiters_and_holders_that_are_interrupted(
    run_green: Run, postgres: Server
) -> None:
    run_green(
        BEGIN
        + """
import logging, random
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
chance = random.Random(11)
for pool_class in (psycopg_pool.ConnectionPool, psycopg_pool.NullConnectionPool):
    smallest = 3 if pool_class is psycopg_pool.ConnectionPool else 0
    with pool_class(URL, min_size=smallest, max_size=3, open=True) as pool:
        wrong = []

        def borrow(tag):
            with Timeout(chance.random() * 0.05, False):
                with pool.connection() as connection:
                    text = "SELECT pg_sleep(%s), %s::text"
                    got = connection.execute(text, (chance.random() * 0.02, tag)).fetchone()[1]
                    if got != tag:
                        wrong.append((got, tag))

        for round in range(10):
            threads = [spawn(borrow, str(n)) for n in range(30)]
            for thread in chance.sample(threads, 10):
                sleep(chance.random() * 0.005)
                thread.kill()
            for thread in threads:
                try:
                    thread.wait()
                except greening.GreenletExit:
                    pass
        assert not wrong, wrong

        def hold(n):
            with pool.connection(timeout=20) as connection:
                return connection.execute("SELECT pg_sleep(0.1), %s::int", (n,)).fetchone()[1]

        assert sorted(GreenPool().imap(hold, range(9))) == list(range(9))
        together = greening.Event()
        inside = []

        def stay():
            with pool.connection(timeout=20):
                inside.append(1)
                if len(inside) == 3:
                    together.send()
                together.wait()

        for thread in [spawn(stay) for _ in range(3)]:  # all three places are there at once
            thread.wait()
""",
        postgres.url,
        tolerance=0.5,  # 30 threads that wake up at once, and 30 new connections
    )


def test_a_waiter_that_times_out_costs_the_pool_nothing(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
with psycopg_pool.ConnectionPool(URL, min_size=1, max_size=1, open=True) as pool:
    for _ in range(5):
        with pool.connection():
            interrupted(pool.getconn)
            victim = spawn(pool.getconn)
            sleep(0.01)
            victim.kill()
        with pool.connection(timeout=20) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert pool.get_stats()["requests_waiting"] == 0
""",
        postgres.url,
    )


def test_closing_wakes_who_waits(run_green: Run, postgres: Server, env: dict[str, str]) -> None:
    run_green(
        BEGIN
        + """
def ended():
    try:
        ask(first, "SELECT pg_sleep(30)")
    except psycopg.OperationalError as error:
        return str(error)

busy = spawn(ended)
sleep(0.1)
first.close()
assert "another green thread" in busy.wait()
""",
        postgres.url,
        env=env,
    )


def test_notifications_arrive_and_end_in_time(run_green: Run, postgres: Server, env: dict[str, str]) -> None:
    run_green(
        BEGIN
        + """
first.execute("LISTEN news")
spawn(lambda: connect().execute("NOTIFY news, 'now'"))
assert [each.payload for each in first.notifies(timeout=20, stop_after=1)] == ["now"]
begin = monotonic()
assert list(first.notifies(timeout=0.2)) == []
assert 0.2 <= monotonic() - begin < 10
""",
        postgres.url,
        env=env,
    )


def test_a_restart_of_the_server_is_an_error_and_the_pool_recovers(
    run_green: Run, postgres: Server, restart_of: Callable[[Server], str], env: dict[str, str]
) -> None:
    run_green(
        BEGIN
        + restart_of(postgres)
        + """
import logging
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
check = psycopg_pool.ConnectionPool.check_connection
with psycopg_pool.ConnectionPool(URL, min_size=2, open=True, check=check) as pool:
    def ended():
        try:
            ask(first, "SELECT pg_sleep(30)")
        except psycopg.OperationalError as error:
            return str(error)

    busy = spawn(ended)
    sleep(0.1)
    restart()
    assert "terminating connection" in busy.wait(), busy.wait()
    with pool.connection(timeout=30) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
""",
        postgres.url,
        env=env,
    )


def test_asynchronous_connections_serve_many_green_threads(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
from greening import aio

async def ask(n):
    async with await psycopg.AsyncConnection.connect(URL) as connection:
        return (await (await connection.execute("SELECT pg_sleep(0.4), %s::int", (n,))).fetchone())[1]

begin = monotonic()
assert list(GreenPool().imap(lambda n: aio.run(ask(n)), range(10))) == list(range(10))
assert monotonic() - begin < 3
""",
        postgres.url,
    )
