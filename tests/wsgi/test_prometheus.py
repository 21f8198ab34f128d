"""What Prometheus is told, in its text format."""

import os
import re
from typing import Any

import pytest

from greening.wsgi.metrics import ACCEPTED, EVICTED, REFUSED, Metrics
from greening.wsgi.prometheus import CONTENT_TYPE, exposition, metrics_app
from tests.wsgi.conftest import Serve

LINE = re.compile(r'[a-z_]+(?:\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})? (?:[0-9.e+-]+|\+Inf)')


def samples(text: str) -> dict[str, float]:
    """Every sample; each line is checked against the format's grammar, each name against its TYPE."""
    found, types = {}, {}
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types
            types[name] = kind
        elif not line.startswith("# HELP "):
            assert LINE.fullmatch(line), line
            sample, _, value = line.rpartition(" ")
            name = sample.partition("{")[0]
            assert name in types or types[re.sub("_(bucket|sum|count)$", "", name)] == "histogram"
            assert sample not in found
            found[sample] = float(value)
    return found


def test_all_that_is_counted_is_there() -> None:
    metrics = Metrics()
    counters = metrics.claim()
    for seconds in (0.0005, 0.004, 0.004, 30):
        counters.request("GET", 200, seconds, 10)
    counters.request("POST", 503, 0.2, 1)
    for cell, times in ((ACCEPTED, 3), (EVICTED, 2), (REFUSED, 1)):
        for _ in range(times):
            counters.count(cell)
    counters.connections(7, 2)
    found = samples(exposition(metrics.totals()))
    expected = {
        'requests_total{method="GET",status="2xx"}': 4,
        'requests_total{method="POST",status="5xx"}': 1,
        'request_duration_seconds_bucket{le="0.001"}': 1,
        'request_duration_seconds_bucket{le="0.0025"}': 1,
        'request_duration_seconds_bucket{le="0.005"}': 3,
        'request_duration_seconds_bucket{le="0.25"}': 4,
        'request_duration_seconds_bucket{le="10.0"}': 4,
        'request_duration_seconds_bucket{le="+Inf"}': 5,
        "request_duration_seconds_count": 5,
        "request_duration_seconds_sum": pytest.approx(30.2085),
        "response_body_bytes_total": 41,
        "connections_accepted_total": 3,
        "connections_evicted_total": 2,
        "requests_refused_total": 1,
        'connections{state="idle"}': 7,
        'connections{state="active"}': 2,
        "workers": 1,
        "worker_starts_total": 1,
    }
    assert {name: found[f"greening_wsgi_{name}"] for name in expected} == expected


def test_nothing_is_told_before_anything_was_counted_but_the_names() -> None:
    found = samples(exposition(Metrics().totals()))
    assert found["greening_wsgi_workers"] == found["greening_wsgi_request_duration_seconds_count"] == 0


@pytest.mark.parametrize("path", ["/metrics", "/"])
def test_the_application(serve: Serve, path: str) -> None:
    metrics = Metrics()
    refreshed = []
    client = serve(metrics_app(metrics, lambda: refreshed.append(1))).connect()
    answer = client.get(path)
    assert (answer.status, answer.fields["content-type"]) == (200, CONTENT_TYPE)
    assert samples(answer.body.decode())["greening_wsgi_workers"] == 0
    assert refreshed == [1]
    client.send(f"HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert client.answer(head_only=True).status == 200


def test_other_paths_and_methods(serve: Serve) -> None:
    client = serve(metrics_app(Metrics())).connect()
    assert client.get("/other").status == 404
    answer = client.ask(b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD")


def test_a_server_is_counted(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/wrong":
            raise ValueError
        start_response("200 OK", [])
        return [b"12345"]

    metrics = Metrics()
    running = serve(app, metrics=metrics)
    client = running.connect()
    client.get()
    assert client.get("/wrong").status == 500
    running.refuses(b"GET / HTTP/1.1\r\n\r\n")
    kept = running.connect()
    kept.get()
    running.server.meter.refresh()
    found = samples(exposition(metrics.totals()))
    expected = {
        'requests_total{method="GET",status="2xx"}': 2,
        'requests_total{method="GET",status="5xx"}': 1,
        "response_body_bytes_total": 10,
        "connections_accepted_total": 3,
        "requests_refused_total": 1,
        'connections{state="idle"}': 1,
        "workers": 1,
    }
    assert {name: found[f"greening_wsgi_{name}"] for name in expected} == expected
    of_worker = f'{{pid="{os.getpid()}"}}'
    assert found[f"greening_wsgi_worker_switches_total{of_worker}"] > 10
    assert found[f"greening_wsgi_worker_rounds_total{of_worker}"] > 1
    assert found[f"greening_wsgi_worker_green_threads{of_worker}"] >= 1
    running.stop()
    found = samples(exposition(metrics.totals()))
    assert found["greening_wsgi_workers"] == found['greening_wsgi_connections{state="idle"}'] == 0
    assert found['greening_wsgi_requests_total{method="GET",status="2xx"}'] == 2
