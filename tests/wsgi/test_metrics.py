"""Counting in shared memory: nothing is lost with a worker, and one question gives the sum."""

import os
import signal
from collections.abc import Callable

import pytest

from greening.wsgi import metrics as metrics_module
from greening.wsgi.metrics import ACCEPTED, EVICTED, REFUSED, Metrics


def in_child(body: Callable[[], object], *, wait: bool = True) -> int:
    """Fork a worker that lives until `body` returns. `wait`: for that."""
    pid = os.fork()
    if pid == 0:
        try:
            body()
        except BaseException:
            os._exit(1)
        os._exit(0)
    if wait:
        assert os.waitpid(pid, 0)[1] == 0
    return pid


def test_requests_are_counted_by_method_status_and_duration() -> None:
    metrics = Metrics()
    counters = metrics.claim()
    for method, status, seconds, length in (
        ("GET", 200, 0.0, 10),
        ("GET", 204, 0.001, 0),
        ("GET", 404, 0.0011, 5),
        ("POST", 500, 3.0, 7),
        ("BREW", 999, 11.0, 1),
        ("HEAD", 0, 0.2, 0),
        ("GET", 101, 0.003, 0),
    ):
        counters.request(method, status, seconds, length)
    totals = metrics.totals()
    assert totals.requests == {
        ("GET", 2, 0): 2,
        ("GET", 4, 1): 1,
        ("POST", 5, 11): 1,
        ("other", 9, 13): 1,
        ("HEAD", 0, 7): 1,
        ("GET", 1, 2): 1,
    }
    assert totals.seconds == pytest.approx(14.2051)
    assert totals.sent == 23


def test_the_rows_of_all_processes_are_added_up() -> None:
    metrics = Metrics()
    metrics.claim().request("GET", 200, 0.1, 1)
    for _ in range(3):
        in_child(lambda: metrics.claim().request("GET", 200, 0.1, 1))
    totals = metrics.totals()
    assert sum(totals.requests.values()) == totals.sent == totals.starts == 4
    assert [worker.pid for worker in totals.workers] == [os.getpid()]


def test_what_a_killed_worker_has_counted_stays_and_its_connections_do_not() -> None:
    metrics = Metrics()
    ready, told = os.pipe()

    def work() -> None:
        counters = metrics.claim()
        counters.request("GET", 200, 0.1, 5)
        counters.count(ACCEPTED)
        counters.connections(3, 4)
        os.write(told, b"x")
        os.read(os.pipe()[0], 1)

    pid = in_child(work, wait=False)
    try:
        assert os.read(ready, 1) == b"x"
        (worker,) = metrics.totals().workers
        assert (worker.pid, worker.idle, worker.active) == (pid, 3, 4)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    totals = metrics.totals()
    assert (totals.sent, totals.accepted, totals.workers) == (5, 1, [])
    counters = metrics.claim()  # the next worker counts on in the same row
    assert counters.number == 0
    counters.request("GET", 200, 0.1, 5)
    totals = metrics.totals()
    assert (totals.requests, totals.sent, totals.starts) == ({("GET", 2, 6): 2}, 10, 2)
    assert [(w.pid, w.idle, w.active) for w in totals.workers] == [(os.getpid(), 0, 0)]
    for end in (ready, told):
        os.close(end)


def test_two_processes_never_have_one_row() -> None:
    metrics = Metrics()
    mine = metrics.claim()
    assert mine.number == 0

    def work() -> None:
        assert metrics.claim().number == 1  # a child of fork has nothing of its parent's
        assert len(metrics.totals().workers) == 2

    in_child(work)
    assert metrics.claim().number == 1


def test_the_servers_of_one_process_have_rows_of_their_own_and_are_one_worker() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.claim().connections(1, 2)
    totals = metrics.totals()
    assert totals.starts == 1
    assert [(worker.idle, worker.active) for worker in totals.workers] == [(2, 4)]


def test_a_row_that_is_given_back_is_used_again() -> None:
    metrics = Metrics()
    first, second = metrics.claim(), metrics.claim()
    first.connections(5, 5)
    first.count(EVICTED)
    metrics.release(first)
    totals = metrics.totals()
    assert (totals.evicted, [worker.idle for worker in totals.workers]) == (1, [0])
    again = metrics.claim()
    assert (again.number, second.number) == (0, 1)
    again.count(EVICTED)
    assert metrics.totals().evicted == 2


def test_a_snapshot_is_of_one_row() -> None:
    metrics = Metrics()
    first, second = metrics.claim(), metrics.claim()
    first.request("GET", 200, 0.0, 1)
    second.count(REFUSED)
    assert first.snapshot().requests == {("GET", 2, 0): 1}
    assert (first.snapshot().cells[REFUSED], second.snapshot().cells[REFUSED]) == (0, 1)


def test_when_all_rows_are_taken_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "_ROWS", 2)
    metrics = Metrics()
    metrics.claim()
    metrics.claim()
    with pytest.raises(OSError, match="no row of metrics is free: all 2"):
        metrics.claim()
