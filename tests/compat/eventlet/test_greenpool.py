"""eventlet.greenpool: DEBUG is read, set and put back by programs that want silence for a while."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from greening._core.greenthread import spawn
from greening.compat.eventlet import debug, greenpool
from greening.pool.greenpool import GreenPool
from greening.testing import settle


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    seen: list[Any] = []
    monkeypatch.setattr("threading.excepthook", lambda args: seen.append(args.exc_type))
    yield seen
    debug.hub_exceptions(True)


def fail(size: int = 2) -> None:
    """One worker fails in a green thread of its own, or, of a pool of 1, in its caller's."""
    pool = greenpool.GreenPool(size)
    pool.spawn_n(pool.spawn_n, divmod, 1, 0)
    pool.waitall()


@pytest.mark.parametrize("size", [1, 2])
def test_workers_that_fail_are_reported_while_debug_is_true(size: int, reports: list[Any]) -> None:
    before = greenpool.DEBUG
    assert before is True
    fail(size)
    greenpool.DEBUG = False
    fail(size)
    assert greenpool.DEBUG is False
    greenpool.DEBUG = before
    fail(size)
    assert reports == [ZeroDivisionError] * 2


def test_hub_exceptions_sets_it_too(reports: list[Any]) -> None:
    debug.hub_exceptions(False)
    assert greenpool.DEBUG is False
    fail()
    debug.hub_exceptions()
    assert greenpool.DEBUG is True
    assert reports == []


def test_the_pools_are_greenings_own() -> None:
    assert greenpool.GreenPool is GreenPool


@pytest.mark.parametrize("before", [True, False])
def test_mock_patch_replaces_debug_and_puts_it_back(before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greenpool, "DEBUG", before)
    with mock.patch.object(greenpool, "DEBUG", not before):
        assert greenpool.DEBUG is not before
    assert greenpool.DEBUG is before


def test_maps_read_size_ahead_and_end_with_the_error_of_their_input() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(4):
            read.append(number)
            yield number
        raise LookupError("no more")

    pool = greenpool.GreenPool(2)
    results = pool.imap(lambda number: StopIteration(number) if number == 1 else number, numbers())
    settle()
    assert read == [0, 1]
    assert next(results) == 0
    assert isinstance(next(results), StopIteration)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(LookupError, match="no more"):
        next(results)
    assert list(results) == []

    waiter = spawn(greenpool.GreenPool.spawn, pool, int)
    assert waiter.wait().wait() == 0
    full = greenpool.GreenPool(0)
    waiter = spawn(full.spawn, int)
    settle()
    full.resize(1)
    assert waiter.wait().wait() == 0
