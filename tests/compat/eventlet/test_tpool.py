"""eventlet.tpool: what programs take for variables of the module belongs to greening's pool of threads."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from greening.compat.eventlet import tpool
from greening.threads.native import TPOOL


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    size = TPOOL.size
    yield
    tpool.set_num_threads(size)
    TPOOL.reports = False


def test_the_number_of_threads_can_be_read_and_set() -> None:
    tpool.set_num_threads(7)
    assert tpool._nthreads == 7
    tpool._nthreads = 3
    assert TPOOL.size == tpool._nthreads == 3


def test_threads_are_listed_from_their_first_call_to_killall() -> None:
    tpool.killall()
    assert tpool._threads == []
    assert tpool.execute(time.gmtime, 0).tm_year == 1970
    assert len(tpool._threads) == 1
    tpool.killall()
    assert tpool._threads == []


def test_exceptions_of_calls_are_reported_if_it_is_not_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: reported.append(args.exc_type))
    assert tpool.QUIET is True
    for quiet in (True, False):
        tpool.QUIET = quiet
        assert tpool.QUIET is quiet
        with pytest.raises(ZeroDivisionError):
            tpool.execute(divmod, 1, 0)
    assert reported == [ZeroDivisionError]


def test_the_environment_may_say_how_many_threads_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GREENING_THREADPOOL_SIZE", raising=False)
    monkeypatch.setenv("EVENTLET_THREADPOOL_SIZE", "4")
    tpool.take_size()
    assert TPOOL.size == 4
    monkeypatch.setenv("EVENTLET_THREADPOOL_SIZE", "many")
    with pytest.raises(ValueError, match="EVENTLET_THREADPOOL_SIZE='many'"):
        tpool.take_size()


def test_greenings_own_variable_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    size = TPOOL.size
    monkeypatch.setenv("GREENING_THREADPOOL_SIZE", str(size))
    monkeypatch.setenv("EVENTLET_THREADPOOL_SIZE", "4")
    tpool.take_size()
    assert TPOOL.size == size
