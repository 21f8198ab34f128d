"""`scripts/bench --ext`: its rows, and the servers that they ask."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.ext import servers

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def bench() -> Iterator[Callable[[str], Any]]:
    """Imports a module of scripts/benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        yield lambda name: import_module(f"benchmarks.{name}")


def test_each_row_of_clients_has_a_loop_and_a_server(bench: Callable[[str], Any]) -> None:
    rows = [row for row in bench("ext_rows").EXT if row.family == "driver"]
    assert {row.options["loop"] for row in rows} == set(bench("inside.driver").CONNECT)
    assert all(callable(getattr(servers, row.options["server"])) for row in rows)
    assert all(row.marks["gevent"] == 0.9 for row in rows)


def test_the_option_chooses_them(bench: Callable[[str], Any]) -> None:
    parse = bench("options").parse
    assert [row.name for row in parse(["--ext", "--rows", "p*"]).rows] == ["pymysql", "psycopg"]
    assert all(row.family != "driver" for row in parse([]).rows)
    with pytest.raises(SystemExit):
        parse(["--rows", "pymysql"])
