"""Questions to a real server from many green threads at once, with the stdlib patched."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

Loop = Callable[[int], None]

WIDTH = 100  # connections, each asked again and again


def prepare(style: str, module: str, name: str, port: str) -> Loop:
    """Patch the process, connect, and return the loop of questions through the library `name`."""
    adapter: Any = importlib.import_module(f"benchmarks.inside.{style}")
    adapter.patch(module)
    ask_of = CONNECT[name](int(port))
    askers = [ask_of() for _ in range(WIDTH)]

    def one(work: tuple[Callable[[], Any], int]) -> None:
        ask, times = work
        for _ in range(times):
            ask()

    def loop(n: int) -> None:
        shares = [n // WIDTH + (position < n % WIDTH) for position in range(WIDTH)]
        adapter.fetch_all(module, one, list(zip(askers, shares, strict=True)), WIDTH)

    return loop


Ask = Callable[[], Any]


def _redis(port: int) -> Callable[[], Ask]:
    library: Any = importlib.import_module("redis")

    def connect() -> Ask:
        client = library.Redis(port=port, single_connection_client=True)
        client.set("key", "value")
        return lambda: client.get("key")

    return connect


def _pymysql(port: int) -> Callable[[], Ask]:
    library: Any = importlib.import_module("pymysql")

    def connect() -> Ask:
        cursor = library.connect(host="127.0.0.1", port=port, user="root", ssl_disabled=True).cursor()
        return lambda: (cursor.execute("SELECT 1"), cursor.fetchone())

    return connect


def _psycopg(port: int) -> Callable[[], Ask]:
    library: Any = importlib.import_module("psycopg")

    def connect() -> Ask:
        connection = library.connect(host="127.0.0.1", port=port, user="postgres", autocommit=True)
        cursor = connection.cursor()
        return lambda: cursor.execute("SELECT 1").fetchone()

    return connect


CONNECT = {"redis": _redis, "pymysql": _pymysql, "psycopg": _psycopg}
