"""`db_pool`, with sqlite3, and with a module whose connections only count.

What eventlet does as well is in tests/sync/agreed/connections.py.
"""

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greening
from greening import tpool
from greening.compat.eventlet.db_pool import (
    BaseConnectionPool,
    ConnectionPool,
    ConnectTimeout,
    DatabaseConnector,
    RawConnectionPool,
    TpooledConnectionPool,
)

STEPS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=40)


class Database:
    """A database module. Every connection is open, or closed once."""

    def __init__(self) -> None:
        self.open: list[Connection] = []
        self.closed = greening.Event()

    def connect(self) -> "Connection":
        greening.sleep(0)
        return Connection(self)


class Connection:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.autocommit = False
        database.open.append(self)

    def rollback(self) -> None:
        greening.sleep(0)

    def close(self) -> None:
        self.database.open.remove(self)
        if not self.database.open and not self.database.closed.ready():
            self.database.closed.send()


def opened(
    path: Path, pool_class: type[BaseConnectionPool] = TpooledConnectionPool, **how: object
) -> BaseConnectionPool:
    pool = pool_class(sqlite3, database=path / "data.db", check_same_thread=False, **how)
    with pool.item() as connection:
        connection.execute("create table if not exists notes (text)")
        connection.commit()
    return pool


def count_of(pool: BaseConnectionPool) -> int:
    with pool.item() as connection:
        return connection.cursor().execute("select count(*) from notes").fetchone()[0]


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 3))
def test_no_connection_and_no_place_is_lost_under_kills_closes_and_failures(steps, size) -> None:
    database, threads = Database(), []
    pool = RawConnectionPool(database, max_size=size)

    def borrow(how: int) -> None:
        with pool.item(cleanup=(lambda connection: 1 // 0) if how == 0 else cleanup_in_two_turns) as connection:
            greening.sleep(0)
            if how == 1:
                connection.close()

    def cleanup_in_two_turns(connection: Connection) -> None:
        greening.sleep(0)
        connection.rollback()

    for what, which in steps:
        if what <= 2:
            threads.append(greening.spawn(borrow, which % 4))
        elif what == 3 and threads:
            threads[which % len(threads)].kill()
        else:
            greening.sleep(0)
    for thread in threads:
        thread.kill()
        with suppress(greening.GreenletExit):
            thread.wait()  # one that is killed may still clean its connection
    greening.sleep(0)  # what is thrown away is closed by a green thread of its own
    assert pool.waiting() == 0
    assert pool.current_size == len(pool.free_items) <= size
    pool.clear()
    assert (pool.current_size, database.open) == (0, [])


@pytest.mark.parametrize("pool_class", [TpooledConnectionPool, RawConnectionPool])
def test_what_was_not_committed_is_rolled_back(tmp_path: Path, pool_class: type[BaseConnectionPool]) -> None:
    pool = opened(tmp_path, pool_class, max_size=1)
    for commit in (False, True):
        with pool.item() as connection:
            connection.execute("insert into notes values ('x')")
            if commit:
                connection.commit()
    assert count_of(pool) == 1
    pool.clear()


def test_many_green_threads_share_few_connections(tmp_path: Path) -> None:
    pool = opened(tmp_path, max_size=3)

    def write(number: int) -> None:
        with pool.item() as connection:
            connection.cursor().execute("insert into notes values (?)", (number,))
            connection.commit()

    workers = greening.GreenPool(20)
    for number in range(20):
        workers.spawn(write, number)
    workers.waitall()
    assert (count_of(pool), pool.current_size <= 3) == (20, True)
    pool.clear()


def test_a_statement_in_a_native_thread_lets_others_run(tmp_path: Path) -> None:
    pool = opened(tmp_path)
    ticks: list[int] = []
    may_go_on = threading.Event()

    def waits_for_a_tick(value: int) -> int:
        may_go_on.wait(10)
        return value

    with pool.item() as connection:
        connection.create_function("waits", 1, waits_for_a_tick)
        greening.spawn(lambda: (ticks.append(1), may_go_on.set()))
        assert connection.execute("select waits(7)").fetchone() == (7,)
    assert ticks == [1]
    pool.clear()


def test_a_connection_is_closed_when_it_has_been_idle_for_too_long() -> None:
    database = Database()
    pool = RawConnectionPool(database, max_idle=0.01)
    pool.get().close()
    assert len(pool.free_items) == 1
    assert database.closed.wait(10) is None
    assert (database.open, len(pool.free_items), pool.current_size) == ([], 0, 0)


def test_a_connection_that_is_too_old_is_not_lent_again() -> None:
    database = Database()
    pool = RawConnectionPool(database, max_age=60)
    lent = pool.get()
    old = lent._base
    lent.close()
    last_used, created_at, connection = pool.free_items.pop()
    pool.free_items.append((last_used, created_at - 60, connection))
    assert pool.get()._base is not old
    assert database.closed.ready() or greening.sleep(0) is None
    assert len(database.open) == 1


def test_a_dropped_pool_is_not_kept_alive_by_its_timer() -> None:
    pool = RawConnectionPool(Database())
    pool.get().close()
    timer = pool._expiration
    alive = greening.Event()
    weakref.finalize(pool, alive.send)
    del pool
    assert alive.ready()
    timer.cancel()


def test_a_connection_that_is_given_back_twice_counts_once() -> None:
    pool = RawConnectionPool(Database(), max_size=1)
    lent = pool.get()
    lent.close()
    lent.close()
    pool.put(lent)
    assert (pool.current_size, pool.free()) == (1, 1)
    pool.clear()


@pytest.mark.parametrize("by_block", [False, True])
def test_a_connection_that_was_destroyed_frees_its_place_when_it_is_given_back(by_block: bool) -> None:
    pool = RawConnectionPool(Database(), max_size=1)
    if by_block:
        with pytest.raises(greening.Timeout), pool.item() as lent:
            lent._destroy()
            raise greening.Timeout
    else:
        lent = pool.get()
        lent._destroy()
        assert pool.free() == 0
        pool.put(lent)
    assert (pool.free(), pool.current_size) == (1, 0)
    pool.put(lent)
    assert pool.free() == 1


def test_a_broken_connection_frees_its_place_for_a_waiter() -> None:
    pool, got = RawConnectionPool(Database(), max_size=1), []
    pool.get()
    waiter = greening.spawn(lambda: got.append(pool.get()))
    greening.sleep(0)
    pool.put(None)
    waiter.wait()
    assert (len(got), pool.current_size) == (1, 1)


def test_a_borrower_that_is_killed_while_its_connection_is_cleaned_loses_no_place() -> None:
    cleaning = greening.Event()

    def clean(connection: Connection) -> None:
        cleaning.send()
        greening.sleep(60)

    database = Database()
    pool = RawConnectionPool(database, max_size=1, cleanup=clean)
    borrower = greening.spawn(lambda: pool.get().close())
    cleaning.wait()
    borrower.kill()
    assert (pool.free(), pool.current_size, database.open) == (1, 0, [])


@pytest.mark.parametrize("how", [greening.GreenletExit(), greening.Timeout(None)])
def test_a_connection_in_the_middle_of_a_statement_is_closed(how: BaseException) -> None:
    database = Database()
    pool = RawConnectionPool(database, max_size=1)
    with pytest.raises(type(how)), pool.item():
        raise how
    greening.sleep(0)
    assert (database.open, pool.current_size) == ([], 0)


def test_a_connection_whose_block_fails_or_is_left_early_is_lent_again() -> None:
    database = Database()
    pool = RawConnectionPool(database, max_size=1)

    def rows() -> Iterator[int]:
        with pool.item():
            yield 1

    with pytest.raises(ZeroDivisionError), pool.item():
        _ = 1 // 0
    reader = rows()
    next(reader)
    reader.close()
    assert (len(database.open), pool.free(), pool.current_size) == (1, 1, 1)
    pool.clear()


def test_a_smaller_pool_closes_what_it_has_no_place_for() -> None:
    database = Database()
    pool = RawConnectionPool(database, max_size=2)
    lent = [pool.get(), pool.get()]
    pool.resize(1)
    for connection in lent:
        connection.close()
    assert (len(database.open), pool.current_size) == (1, 1)
    pool.clear()


def test_an_error_of_close_is_logged_and_the_connection_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    connection = SimpleNamespace(close=lambda: 1 // 0)
    pool = RawConnectionPool(SimpleNamespace(connect=lambda: connection), max_age=0)
    pool.get().close()
    assert "ZeroDivisionError" in caplog.text
    assert pool.current_size == 0


def test_a_connection_that_a_native_thread_opens_too_late_is_closed() -> None:
    may_connect, closed = threading.Event(), greening.Event()

    def connect() -> object:
        may_connect.wait(10)
        return SimpleNamespace(close=closed.send)

    pool = TpooledConnectionPool(SimpleNamespace(connect=connect), connect_timeout=0.01)
    with pytest.raises(ConnectTimeout):
        pool.get()
    may_connect.set()
    closed.wait(10)
    assert closed.ready()
    assert pool.free() == pool.max_size


def test_a_base_pool_says_which_class_to_use() -> None:
    with pytest.raises(NotImplementedError, match="BaseConnectionPool: use TpooledConnectionPool or Raw"):
        BaseConnectionPool(Database()).get()


def test_the_default_pool_uses_native_threads() -> None:
    assert ConnectionPool is TpooledConnectionPool
    connector = DatabaseConnector(SimpleNamespace(connect=lambda **how: SimpleNamespace(**how)), {"default": {}})
    pool = connector.get("host", "name")
    lent = pool.get()
    assert isinstance(lent._base, tpool.Proxy)
    assert (lent.host, lent.db) == ("host", "name")


def test_a_host_without_credentials_is_named() -> None:
    with pytest.raises(KeyError, match="there are no credentials for 'db9', and none for 'default'"):
        DatabaseConnector(Database(), {}).get("db9", "name")
