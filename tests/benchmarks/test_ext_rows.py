"""`scripts/bench --ext`: rows of their own, which the other rows do not contain, and the servers that they ask."""

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


@pytest.fixture
def names(bench: Callable[[str], Any]) -> Callable[..., list[str]]:
    """The rows that options choose."""
    return lambda *options: [row.name for row in bench("options").parse([*options]).rows]


def test_each_row_of_clients_has_a_loop_and_a_server(bench: Callable[[str], Any]) -> None:
    rows = [row for row in bench("ext_rows").EXT if row.family == "driver"]
    assert {row.options["loop"] for row in rows} == set(bench("inside.driver").CONNECT)
    assert all(callable(getattr(servers, row.options["server"])) for row in rows)
    assert all(row.marks["gevent"] == 0.9 for row in rows)


def test_the_option_measures_its_rows_and_no_others(names: Callable[..., list[str]]) -> None:
    assert {"redis", "celery-naps", "celery-late", "celery-empty"} <= set(names("--ext"))
    assert not set(names("--ext")) & set(names())


def test_its_rows_are_chosen_by_name_and_by_family(names: Callable[..., list[str]]) -> None:
    assert names("--ext", "--rows", "p*") == ["pymysql", "psycopg"]
    assert names("--ext", "--rows", "celery") == ["celery-naps", "celery-late", "celery-empty"]


@pytest.mark.parametrize("options", [("--ext", "--rows", "echo-1"), ("--rows", "pymysql")])
def test_rows_of_the_other_list_are_refused(
    names: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit):
        names(*options)
    assert f"no row is called '{options[-1]}'; there are: " in capsys.readouterr().err


def test_every_row_has_a_family_and_a_peer(bench: Callable[[str], Any]) -> None:
    families, peers = bench("families.table").FAMILIES, bench("peers").PEERS
    for row in bench("ext_rows").EXT:
        assert row.family in families
        assert {"greening", "gevent"} <= {peer.name for peer in peers if row.family in peer.families}
