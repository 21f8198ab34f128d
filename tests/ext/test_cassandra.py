"""cassandra-driver against a stand-in for a cluster of one: no wheel and no package carries Cassandra."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("cassandra.io.libevreactor", reason="needs cassandra-driver with libev", exc_type=ImportError)

pytestmark = pytest.mark.slow  # each is a program

Run = Callable[..., Any]

CLUSTER = """
import time
from cassandra.cluster import Cluster
from tests.ext import stubs
PORT = stubs.start(stubs.cql)
OPTIONS = {"protocol_version": 4, "schema_metadata_enabled": False, "token_metadata_enabled": False}
"""
CONNECTED = (
    CLUSTER
    + """
session = Cluster(["127.0.0.1"], port=PORT, **OPTIONS).connect()
beat()
def ask(query):
    return session.execute(query).one()[0]
"""
)


def test_the_example_of_the_page(run_page: Run) -> None:
    done = run_page("cassandra", before=f"import greening\ngreening.monkey_patch()\n{CLUSTER}\nHOST = '127.0.0.1'\n")
    assert done.stdout == f"{[str(number) for number in range(10)]}\n"


@pytest.mark.parametrize("before", ["", "import cassandra.cluster"], ids=["after the patch", "before the patch"])
def test_queries_that_wait_take_the_time_of_one(run_green: Run, before: str) -> None:
    run_green(
        CONNECTED
        + """
begin = time.monotonic()
answers = list(greening.GreenPool().imap(ask, [f"slow {number}" for number in range(30)]))
assert answers == [str(number) for number in range(30)]
assert time.monotonic() - begin < 1.5  # one after the other it would be 3
""",
        before=before,
    )


def test_a_timeout_and_a_kill_leave_the_session_usable(run_green: Run) -> None:
    run_green(
        CONNECTED
        + """
with greening.Timeout(0.01, False):
    ask("slow 1")
reader = greening.spawn(ask, "slow 2")
reader.quiet = True
greening.sleep(0.01)
reader.kill()
assert [ask(f"select {number}") for number in range(20)] == [str(number) for number in range(20)]
"""
    )


def test_a_host_that_is_not_there_is_a_clear_error(run_green: Run) -> None:
    run_green(
        CLUSTER
        + """
import socket
from cassandra.cluster import NoHostAvailable
with socket.create_server(("127.0.0.1", 0)) as deaf:
    port = deaf.getsockname()[1]
    beat()
    try:
        Cluster(["127.0.0.1"], port=port, connect_timeout=0.5).connect()
        raise SystemExit("no error")
    except NoHostAvailable as error:
        assert "timed out" in str(error).lower(), error
"""
    )


def test_unpatch_gives_the_module_its_thread_back(run_program: Run) -> None:
    run_program(
        """
import threading, greening
from cassandra.io import libevreactor
greening.monkey_patch()
assert libevreactor.Thread is not threading.Thread
greening.unpatch()
assert libevreactor.Thread is threading.Thread
"""
    )
