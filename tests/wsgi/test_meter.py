"""What a server does to be measured: only while it runs, and only when it is asked to."""

from typing import Any

import pytest

from greening.testing import Fake, settle
from greening.wsgi.meter import Meter
from greening.wsgi.metrics import INTERVAL, Metrics


def test_without_metrics_and_statsd_it_does_nothing(fake: Fake[Any]) -> None:
    meter = Meter(None, None, "")
    meter.start(lambda: pytest.fail("nobody asked for that"))
    meter.refresh()
    settle()
    assert meter.counters is None
    meter.stop()


def test_it_looks_at_the_connections_once_a_second_until_it_is_stopped(fake: Fake[Any]) -> None:
    looks = iter([(1, 2, 0), (3, 4, 7), (5, 6, 9), (0, 0, 9)])
    metrics = Metrics()
    meter = Meter(metrics, None, "")
    meter.start(lambda: next(looks))
    meter.start(lambda: pytest.fail("it runs already"))

    def seen() -> tuple[int, int]:
        (worker,) = metrics.totals().workers
        return worker.idle, worker.active

    settle()
    assert seen() == (1, 2)
    fake.clock.advance(INTERVAL)
    settle()
    assert seen() == (3, 4)
    meter.refresh()
    assert seen() == (5, 6)
    meter.stop()
    assert metrics.totals().evicted == 9
    assert metrics.totals().workers == [] and meter.counters is None
    fake.clock.advance(10 * INTERVAL)
    settle()
    meter.stop()


def test_a_hub_that_comes_too_late_is_told(fake: Fake[Any]) -> None:
    """A green thread that computes for two seconds holds up everything, the look included."""
    metrics = Metrics()
    meter = Meter(metrics, None, "")
    meter.start(lambda: (0, 0, 0))
    settle()
    fake.clock.advance(INTERVAL + 2)
    settle()
    (worker,) = metrics.totals().workers
    assert worker.late == 2.0
    assert worker.rounds == fake.hub.rounds and worker.switches > 0
    assert worker.green_threads == 1  # the look
    meter.stop()
    successor = Meter(metrics, None, "")
    successor.start(lambda: (0, 0, 0))
    (worker,) = metrics.totals().workers
    assert (worker.late, worker.rounds) == (0.0, 0), "what the one before did is forgotten"
    settle()
    successor.stop()


def test_it_begins_again_in_the_same_row(fake: Fake[Any]) -> None:
    metrics = Metrics()
    meter = Meter(metrics, None, "")
    for _ in range(2):
        meter.start(lambda: (0, 0, 0))
        assert meter.counters is not None and meter.counters.number == 0
        meter.counters.request("GET", 200, 0.1, 1)
        meter.stop()
    assert metrics.totals().sent == 2


def test_a_statsd_alone_needs_no_metrics_of_the_user(fake: Fake[Any]) -> None:
    meter = Meter(None, "127.0.0.1:9", "x.")
    meter.start(lambda: (0, 0, 0))
    assert meter.counters is not None
    meter.stop()


def test_servers_of_a_process_that_send_to_one_statsd_count_together(fake: Fake[Any]) -> None:
    one, other, apart = (
        Meter(None, "127.0.0.1:9", "y."),
        Meter(None, "127.0.0.1:9", "y."),
        Meter(None, "127.0.0.1:9", ""),
    )
    rows = []
    for meter in (one, other, apart):
        meter.start(lambda: (0, 0, 0))
        assert meter.counters is not None
        rows.append(meter.counters.number)
    assert rows == [0, 1, 0]
    for meter in (one, other, apart):
        meter.stop()


def test_where_no_row_is_free_a_server_goes_on_without(
    fake: Fake[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("greening.wsgi.metrics._ROWS", 1)
    metrics = Metrics()
    meter, late = Meter(metrics, None, ""), Meter(metrics, "127.0.0.1:9", "")
    meter.start(lambda: (0, 0, 0))
    for _ in range(2):
        late.start(lambda: pytest.fail("it counts nothing"))
    late.refresh()
    assert late.counters is None
    told = "this server is not counted in the metrics: no row of metrics is free: all 1 are taken"
    assert [record.getMessage() for record in caplog.records] == [told]
    late.stop()
    meter.stop()
    late.start(lambda: (0, 0, 0))  # now there is one
    assert late.counters is not None
    late.stop()


def test_a_mistake_in_the_address_is_known_at_once() -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        Meter(None, "a:b", "")
