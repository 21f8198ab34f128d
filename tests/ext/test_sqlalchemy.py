"""SQLAlchemy's pool and its asyncio engines under greening, on a real PostgreSQL."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.ext.servers import Server

pytest.importorskip("sqlalchemy")
pytestmark = pytest.mark.slow  # every one runs programs, and a server

Run = Callable[..., Any]

BEGIN = """
import random, sys
from time import monotonic
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from greening import GreenletExit, GreenPool, Timeout, sleep, spawn

URL = sys.argv[1]

def engine_of(size, **options):
    return create_engine(URL, pool_size=size, max_overflow=0, pool_timeout=60, **options)

def ask(engine, seconds, tag):
    with engine.connect() as connection:
        return connection.execute(text("SELECT pg_sleep(:s), CAST(:t AS text)"), {"s": seconds, "t": tag}).one()[1]

warm = engine_of(1)
assert ask(warm, 0, "warm") == "warm"
warm.dispose()
beat()
"""


@pytest.fixture(params=["psycopg", "psycopg2"])
def url(request: pytest.FixtureRequest, postgres: Server) -> str:
    """Of an engine with each of the drivers that wait in C."""
    pytest.importorskip(request.param)
    return postgres.url.replace("postgresql:", f"postgresql+{request.param}:")


def test_the_example_of_the_page(run_page: Run, postgres: Server) -> None:
    pytest.importorskip("psycopg")
    url = postgres.url.replace("postgresql:", "postgresql+psycopg:")
    assert run_page("sqlalchemy", f"URL = {url!r}").stdout == f"{sum(range(500))}\n"


def test_five_hundred_green_threads_share_twenty_connections(run_green: Run, url: str) -> None:
    run_green(
        BEGIN
        + """
engine = engine_of(20)
begin = monotonic()
got = list(GreenPool(500).imap(lambda n: ask(engine, 0.01, str(n)), range(500)))
assert got == [str(n) for n in range(500)]
assert engine.pool.checkedout() == 0 and engine.pool.checkedin() == 20
""",
        url,
        tolerance=0.5,  # 500 green threads begin at once, and twenty connections are made
    )


def test_an_engine_from_before_the_patch_is_green(run_green: Run, url: str) -> None:
    run_green(
        BEGIN
        + """
begin = monotonic()
assert sorted(GreenPool().imap(lambda n: ask(early, 0.4, str(n)), range(9))) == [str(n) for n in range(9)]
assert monotonic() - begin < 2.5, monotonic() - begin  # one by one: 3.6
""",
        url,
        before=f"from sqlalchemy import create_engine\nearly = create_engine({url!r}, pool_size=9)\n"
        "early.connect().close()",
    )


def test_interruptions_lose_no_place_and_mix_no_answers_up(run_green: Run, url: str) -> None:
    run_green(
        BEGIN
        + """
chance = random.Random(17)
engine = engine_of(3)
wrong = []

def borrow(tag):
    with Timeout(chance.random() * 0.1, False):
        got = ask(engine, chance.random() * 0.03, tag)
        if got != tag:
            wrong.append((got, tag))

for round in range(5):
    threads = [spawn(borrow, str(n)) for n in range(30)]
    for thread in chance.sample(threads, 10):
        sleep(chance.random() * 0.01)
        thread.kill()
    for thread in threads:
        try:
            thread.wait()
        except GreenletExit:
            pass
assert not wrong, wrong
assert engine.pool.checkedout() == 0, engine.pool.status()
assert sorted(GreenPool().imap(lambda n: ask(engine, 0.05, str(n)), range(9))) == [str(n) for n in range(9)]
""",
        url,
        tolerance=0.5,  # connections are made anew, many at once
    )


def test_a_restart_of_the_server_is_an_error_and_the_pool_recovers(
    run_green: Run, url: str, postgres: Server, restart_of: Callable[[Server], str]
) -> None:
    run_green(
        BEGIN
        + restart_of(postgres)
        + """
engine = engine_of(2, pool_pre_ping=True)

def ended():
    try:
        ask(engine, 30, "late")
    except DBAPIError as error:
        return error

busy = spawn(ended)
sleep(0.1)
restart()
assert busy.wait().connection_invalidated
assert ask(engine, 0, "again") == "again"
""",
        url,
    )


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_asyncio_engines_in_many_green_threads(run_green: Run, postgres: Server, driver: str) -> None:
    pytest.importorskip(driver)
    run_green(
        BEGIN
        + f"""
from greening import aio
from sqlalchemy.ext.asyncio import create_async_engine

async def ask_async(n):
    engine = create_async_engine(URL.replace("+psycopg:", "+{driver}:"), pool_size=2)
    async with engine.connect() as connection:
        got = (await connection.execute(text("SELECT pg_sleep(0.4), CAST(:n AS int)"), {{"n": n}})).one()[1]
    await engine.dispose()
    return got

beat()
begin = monotonic()
assert list(GreenPool().imap(lambda n: aio.run(ask_async(n)), range(10))) == list(range(10))
assert monotonic() - begin < 3, monotonic() - begin
""",
        postgres.url.replace("postgresql:", "postgresql+psycopg:"),
        tolerance=0.6,  # ten loops and ten engines are made at once
    )
