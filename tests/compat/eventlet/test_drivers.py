"""What makes database drivers cooperative, on drivers that are made up: the real ones need servers."""

import os
import types
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import get_native_id
from greening.compat.eventlet import drivers


class Libpq:
    """As psycopg2's connection: `poll` says what it waits for."""

    class OperationalError(Exception):
        pass

    def __init__(self, fd: int, *states: int) -> None:
        self.fd = fd
        self.states = list(states)

    def poll(self) -> int:
        return self.states.pop(0)

    def fileno(self) -> int:
        return self.fd


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_libpq_is_waited_for_by_its_descriptor(pipe: tuple[int, int]) -> None:
    drivers.wait_for_libpq(Libpq(pipe[1], 2, 0))
    thread = spawn(drivers.wait_for_libpq, Libpq(pipe[0], 1, 1, 0))
    sleep(0)
    assert not thread.dead
    os.write(pipe[1], b"x")
    thread.wait()


def test_a_database_that_does_not_answer_in_time_is_an_error(pipe: tuple[int, int]) -> None:
    with pytest.raises(TimeoutError, match="not answered within"):
        drivers.wait_for_libpq(Libpq(pipe[0], 1), timeout=0.001)


def test_an_unknown_state_is_an_error_of_the_driver(pipe: tuple[int, int]) -> None:
    with pytest.raises(Libpq.OperationalError, match="7"):
        drivers.wait_for_libpq(Libpq(pipe[0], 7))


def test_connections_are_made_and_used_in_native_threads() -> None:
    class Cursor:
        def execute(self) -> int:
            return get_native_id()

    class Connection:
        def __init__(self, host: str) -> None:
            self.host, self.made_in = host, get_native_id()

        def cursor(self) -> Cursor:
            return Cursor()

    module: Any = types.SimpleNamespace(connections=types.SimpleNamespace(Connection=Connection))
    names = drivers.connections_in_threads(module)
    assert set(names) == {"Connection", "Connect", "connect"}
    connection = names["connect"]("db")
    assert connection.host == "db"
    assert connection.made_in != get_native_id()
    assert connection.cursor().execute() != get_native_id()


MYSQL = """
import sys
from pathlib import Path
Path("MySQLdb").mkdir()
Path("MySQLdb/__init__.py").write_text("from MySQLdb import connections\\nfrom MySQLdb.connections import Connection\\n"
                                       "connect = Connect = Connection\\npi = 3\\n")
Path("MySQLdb/connections.py").write_text("class Connection:\\n    def cursor(self): return self\\n")
sys.path.insert(0, "")
from greening.compat.eventlet import install
install()
import eventlet
from eventlet.green import MySQLdb as green
import MySQLdb
assert green.pi == 3 and type(green.connect()) is not MySQLdb.Connection
assert type(MySQLdb.connect()) is MySQLdb.connections.Connection
"""


@pytest.mark.slow
def test_the_flag_of_mysqldb_means_its_plug_in(run_program) -> None:
    run_program("""
from pathlib import Path
Path("MySQLdb.py").touch()
import sys
sys.path.insert(0, "")
from greening.compat.eventlet import install
install()
import eventlet, greening.debug
eventlet.monkey_patch(MySQLdb=True)
assert eventlet.patcher.is_monkey_patched("MySQLdb") and not eventlet.patcher.is_monkey_patched("os")
assert greening.debug.info()["plug-ins"].partition("waiting: ")[2] == "MySQLdb.connections, MySQLdb.cursors"
""")


@pytest.mark.slow
def test_green_mysqldb_leaves_mysqldb_alone(run_program) -> None:
    run_program(MYSQL)
