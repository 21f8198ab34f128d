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
]
BY_THEMSELVES = [
    Row("amqp_consumer", "amqp", "rabbitmq"),  # of its plug-in, too
    Row("mysql_connector_tls", "mysql.connector.pooling", "mariadb"),  # of its plug-in: by luck without
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
    Row("urllib3", "urllib3"),
    Row("httpx", "httpx"),
    Row("elasticsearch", "elasticsearch"),
    Row("ldap3", "ldap3"),
    Row("paramiko", "paramiko"),
]

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


def url_of(row: Row, request: pytest.FixtureRequest) -> str:
    pytest.importorskip(row.module)
    return str(request.getfixturevalue(row.server).url) if row.server else ""


def name_of(row: Row) -> str:
    return row.client


@pytest.mark.parametrize("row", BY_PLUGIN + BY_THEMSELVES, ids=name_of)
def test_no_answer_is_that_of_another_question_and_no_place_is_lost(
    row: Row, request: pytest.FixtureRequest, run_green: Run
) -> None:
    url = url_of(row, request)
    env = {"PSYCOPG_IMPL": "python"}
    done = run_green(STORM, row.client, url, INTERRUPTIONS, timeout=280, env=env)
    print(done.stdout)


@pytest.mark.parametrize("row", BY_PLUGIN, ids=name_of)
def test_without_the_plugin_there_are_wrong_answers(row: Row, request: pytest.FixtureRequest, run_green: Run) -> None:
    url = url_of(row, request)
    done = run_green(STORM, row.client, url, "1000", check=False, env={"GREENING_PLUGINS": "-all"}, timeout=100)
    assert done.returncode == 1
    assert "wrong answers" in done.stderr or "errors in a row" in done.stderr or "no answer in" in done.stderr
