"""Every client of docs/integrations/interrupted.md, in a storm of Timeouts and kills, against its real server.

GREENING_INTERRUPTIONS says how many there are for each; the table holds for 10,000.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.slow  # each is a program with a server

INTERRUPTIONS = os.environ.get("GREENING_INTERRUPTIONS", "200")
Run = Callable[..., Any]


class Row(NamedTuple):
    """A client of the table.

    Attributes:
        client: a function of clients.py.
        module: what it needs.
        server: a fixture; "": its server is in the program.
    """

    client: str
    module: str
    server: str = ""


BY_PLUGIN = [
    Row("pymemcache", "pymemcache.client.hash", "memcached"),
    Row("pymemcache_pool", "pymemcache.client.hash", "memcached"),
    Row("pymemcache_hash", "pymemcache.client.hash", "memcached"),
    Row("memcache", "memcache", "memcached"),
    Row("redis_sentinel", "redis.sentinel", "redis"),
    Row("valkey_sentinel", "valkey.sentinel", "valkey"),
    Row("mysql_connector", "mysql.connector.pooling", "mariadb"),
    Row("mysql_connector_pool", "mysql.connector.pooling", "mariadb"),
    Row("amqp", "amqp", "rabbitmq"),
    Row("pg8000", "pg8000", "postgres"),
    Row("urllib3", "urllib3"),
    Row("httpx", "httpx"),
    *(Row(name, name) for name in "smtplib ftplib poplib imaplib".split()),
    Row("managers", "multiprocessing.managers"),
]
BY_THEMSELVES = [
    Row("amqp_consumer", "amqp", "rabbitmq"),  # of its plug-in, too
    Row("mysql_connector_tls", "mysql.connector.pooling", "mariadb_tls"),  # of its plug-in: by luck without
    Row("redis", "redis", "redis"),
    Row("redis_pool", "redis", "redis"),
    Row("redis_pipeline", "redis", "redis"),
    Row("valkey", "valkey", "valkey"),
    Row("pymysql", "pymysql", "mariadb"),
    Row("psycopg_pure", "psycopg", "postgres"),
    Row("pika", "pika", "rabbitmq"),
    Row("kombu", "kombu", "rabbitmq"),
    Row("pymongo", "pymongo"),
    Row("requests", "requests"),
    Row("elasticsearch", "elasticsearch"),
    Row("ldap3", "ldap3"),  # of its plug-in: a wait for ever now and then without
    Row("paramiko", "paramiko"),
    Row("cassandra", "cassandra"),
    Row("by_exchange", "socket"),  # a client that says `with greening.exchange(sock)`
]
BY_PLUGINS_OF_THEIR_OWN = [
    Row("psycopg", "psycopg_binary", "postgres"),
    Row("psycopg_pool", "psycopg_pool", "postgres"),
    Row("psycopg2", "psycopg2", "postgres"),
    Row("mysqlclient", "MySQLdb", "mariadb"),
    Row("mysqlclient_tls", "MySQLdb", "mariadb_tls"),
]
BY_ABORT = [Row(name, "socket") for name in "multiprocessing by_recv by_select by_selectors".split()]

STORM = """
import os, sys
from tests.ext import clients
from tests.ext.interruptions import storm
name, url, interruptions = sys.argv[1:]
client = getattr(clients, name)(url)
beat()
report = storm(client.lanes, int(interruptions))
print(name, report)
report.check()
client.check()
"""


# A lane without its plug-in may get no answer at all: it need not be waited for so long.
WITHOUT = STORM.replace("int(interruptions))", "int(interruptions), limit=3)")


def url_of(row: Row, request: pytest.FixtureRequest) -> str:
    pytest.importorskip(row.module)
    return str(request.getfixturevalue(row.server).url) if row.server else ""


def name_of(row: Row) -> str:
    return row.client


@pytest.mark.parametrize("row", BY_PLUGIN + BY_THEMSELVES + BY_PLUGINS_OF_THEIR_OWN, ids=name_of)
def test_no_answer_is_that_of_another_question_and_no_place_is_lost(
    row: Row, request: pytest.FixtureRequest, run_green: Run
) -> None:
    url = url_of(row, request)
    env = {"PSYCOPG_IMPL": "python"} if row.client == "psycopg_pure" else {}
    done = run_green(STORM, row.client, url, INTERRUPTIONS, timeout=280, env=env)
    print(done.stdout)


@pytest.mark.parametrize("row", BY_PLUGIN, ids=name_of)
def test_without_the_plugin_there_are_wrong_answers(row: Row, request: pytest.FixtureRequest, run_green: Run) -> None:
    url = url_of(row, request)
    # An interruption in the few microseconds that matter is chance: a busy machine has had none in a thousand.
    for _ in range(5):
        done = run_green(WITHOUT, row.client, url, "1000", check=False, env={"GREENING_PLUGINS": "-all"}, timeout=100)
        if done.returncode:
            break
    assert done.returncode == 1
    assert "AssertionError" in done.stderr


@pytest.mark.parametrize("row", BY_ABORT, ids=name_of)
def test_a_client_of_any_kind_is_safe_where_interrupted_connections_are_aborted(row: Row, run_green: Run) -> None:
    patch = 'greening.monkey_patch(interrupted="abort")'
    run_green(f"{patch}\n{STORM}", row.client, "", INTERRUPTIONS, timeout=280)


@pytest.mark.parametrize("row", BY_ABORT, ids=name_of)
def test_without_it_there_are_wrong_answers(row: Row, run_green: Run) -> None:
    done = run_green(WITHOUT, row.client, "", "1000", check=False, timeout=100)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr


PAUSED = """
import os, signal, sys
from tests.ext import clients
name, url, group = sys.argv[1:]
client = getattr(clients, name)(url)
by_timeout, by_kill = client.lanes[:2]
assert by_timeout(1) == 1 and by_kill(2) == 2
os.killpg(int(group), signal.SIGSTOP)  # no answer can come now
try:
    with greening.Timeout(0.05, False):
        by_timeout(3)
    asking = greening.spawn(by_kill, 4)
    asking.quiet = True
    greening.sleep(0.05)
    asking.kill()
finally:
    os.killpg(int(group), signal.SIGCONT)
for ask in (by_timeout, by_kill):
    for tag in range(5, 100):
        try:
            answer = ask(tag)
        except Exception as error:
            assert tag < 10, error
        else:
            assert answer == tag, (tag, answer)
client.check()
"""


@pytest.mark.parametrize("row", [row for row in BY_PLUGIN if row.server], ids=name_of)
def test_an_answer_that_comes_after_a_timeout_or_a_kill_is_nobodys(
    row: Row, request: pytest.FixtureRequest, run_green: Run
) -> None:
    url = url_of(row, request)
    run_green(PAUSED, row.client, url, str(request.getfixturevalue(row.server).process.pid))


@pytest.mark.parametrize("row", BY_PLUGIN, ids=name_of)
def test_it_may_be_imported_before_the_patch(row: Row, request: pytest.FixtureRequest, run_green: Run) -> None:
    run_green(STORM, row.client, url_of(row, request), "100", before=f"import {row.module}", timeout=100)


def test_half_an_answer_of_ldap_is_not_the_beginning_of_the_next_one(run_green: Run) -> None:
    pytest.importorskip("ldap3")
    run_green(
        """
import ldap3
from tests.ext import stubs
whole = stubs.ldap
def half(sock, address):
    class Half:
        def __getattr__(self, name):
            return getattr(sock, name)
        def __enter__(self):
            return self
        def __exit__(self, *error):
            sock.close()
        def sendall(self, data, sent=[]):
            sent.append(data)
            if len(sent) <= 3:  # the answer to the bind, in two pieces, and half of the entry
                sock.sendall(data)
    whole(Half(), address)
server = ldap3.Server("127.0.0.1", stubs.start(half), get_info=ldap3.NONE)
connection = ldap3.Connection(server, auto_bind=True)
beat()
with greening.Timeout(0.1, False):
    connection.search("cn=1", "(objectClass=*)", ldap3.BASE)
with greening.Timeout(10):
    try:
        connection.search("cn=2", "(objectClass=*)", ldap3.BASE)
        raise SystemExit("no error")
    except ldap3.core.exceptions.LDAPSocketSendError as error:
        assert "this connection was aborted" in str(error), error
"""
    )


RESTART = """
import sys
from tests.ext import clients
client = getattr(clients, sys.argv[1])(sys.argv[2])
ask = client.lanes[0]
beat()
assert ask(1) == 1
restart()
errors = []
for tag in range(2, 100):
    try:
        assert ask(tag) == tag
        break
    except AssertionError:
        raise
    except Exception as error:
        errors.append(error)
        greening.sleep(0.1)
else:
    raise errors[-1]
assert all(str(error) for error in errors)
"""


@pytest.mark.parametrize("client", ["redis_sentinel", "valkey_sentinel", "mysql_connector", "amqp", "pika", "kombu"])
def test_a_restart_of_the_server_is_an_error_at_most_and_then_it_works(
    client: str, request: pytest.FixtureRequest, run_green: Run, restart_of: Callable[[Any], str]
) -> None:
    (row,) = (row for row in BY_PLUGIN + BY_THEMSELVES if row.client == client)
    url = url_of(row, request)
    restart = restart_of(request.getfixturevalue(row.server))
    run_green(restart + RESTART, client, url, timeout=100)


SLOW = """
import sys, time
from tests.ext import clients
import mysql.connector, pymysql
host, port = clients.host_and_port(sys.argv[1])
beat()
def ask(module, **how):
    connection = module.connect(host=host, port=port, user="root", ssl_disabled=True, **how)
    cursor = connection.cursor()
    cursor.execute("select sleep(0.5)")
    cursor.fetchall()
    connection.close()
begin = time.monotonic()
asking = [greening.spawn(ask, pymysql) for _ in range(8)]
asking += [greening.spawn(ask, mysql.connector, use_pure=True) for _ in range(8)]
for thread in asking:
    thread.wait()
assert time.monotonic() - begin < 4  # one after the other it would be 8
"""


def test_slow_queries_take_the_time_of_one(request: pytest.FixtureRequest, run_green: Run) -> None:
    pytest.importorskip("pymysql")
    pytest.importorskip("mysql.connector")
    run_green(SLOW, request.getfixturevalue("mariadb").url)


def test_the_example_of_the_page(run_page: Run) -> None:
    assert run_page("interrupted").stdout == "b'answer to 2'\n"
