"""`Metrics` in Prometheus's text format, as a WSGI application for an address of its own.

Decision: prometheus_client is not used. It adds up over processes by a file for each of them, and keeps the files of
all that ever lived. An application that has metrics of its own uses prometheus_client beside this one.
"""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

from greening.debug.text_format import CONTENT_TYPE, Family, Samples, braces, families_of, text_of
from greening.wsgi.metrics import BOUNDS, Metrics, Totals

_PREFIX = "greening_wsgi_"


def metrics_app(metrics: Metrics, refresh: Callable[[], object] = lambda: None) -> Any:
    """An application that answers GET and HEAD, at `/metrics` and at `/`, with the sum over all workers.

    Args:
        refresh: called before; it writes how many connections this process has at this moment.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        status, text, kind = "200 OK", "", "text/plain; charset=utf-8"
        more: list[tuple[str, str]] = []
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status, text, more = "405 Method Not Allowed", "405 Method Not Allowed\n", [("Allow", "GET, HEAD")]
        elif environ["PATH_INFO"] not in ("/metrics", "/"):
            status, text = "404 Not Found", "404 Not Found: the metrics are at /metrics\n"
        else:
            refresh()
            text, kind = exposition(metrics.totals()), CONTENT_TYPE
        data = text.encode()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(data))), *more])
        return [data]

    return app


def exposition(totals: Totals) -> str:
    """The text of it."""
    return text_of(_PREFIX, _families(totals))


def _families(totals: Totals) -> Iterator[Family]:
    requests: dict[tuple[str, int], int] = {}
    for (method, digit, _), count in totals.requests.items():
        requests[method, digit] = requests.get((method, digit), 0) + count
    yield (
        "requests_total",
        "counter",
        "Requests that have ended, by method and class of status; 0xx: without an answer.",
        [(f'{{method="{method}",status="{digit}xx"}}', count) for (method, digit), count in requests.items()],
    )
    yield "request_duration_seconds", "histogram", "Time that requests took.", _histogram(totals)
    yield "response_body_bytes_total", "counter", "Bytes of bodies that were sent.", [("", totals.sent)]
    yield "connections_accepted_total", "counter", "Connections that were accepted.", [("", totals.accepted)]
    yield "connections_evicted_total", "counter", "Idle connections that made room.", [("", totals.evicted)]
    yield "requests_refused_total", "counter", "Requests that no application has seen.", [("", totals.refused)]
    workers = totals.workers
    yield (
        "connections",
        "gauge",
        "Connections that are open, as of a second ago at most.",
        [
            ('{state="idle"}', sum(worker.idle for worker in workers)),
            ('{state="active"}', sum(worker.active for worker in workers)),
        ],
    )
    yield "workers", "gauge", "Worker processes that serve.", [("", len(workers))]
    yield "worker_starts_total", "counter", "Worker processes that began to serve.", [("", totals.starts)]
    names = (
        ("worker_rounds_total", "counter", "Turns of the loop of a worker's hub.", "rounds"),
        ("worker_switches_total", "counter", "How often a green thread of a worker was resumed.", "switches"),
        ("worker_green_threads", "gauge", "Green threads of a worker that are at work or wait.", "green_threads"),
        ("worker_ready", "gauge", "The length of a worker's run queue.", "ready"),
        ("worker_late_seconds", "gauge", "How late a worker's hub made the last call that was due.", "late"),
    )
    yield from families_of(names, [(braces(pid=str(worker.pid)), worker) for worker in workers])
    yield (
        "worker_start_time_seconds",
        "gauge",
        "When a worker began, since the epoch.",
        [(braces(pid=str(worker.pid)), int(worker.started)) for worker in workers],
    )


def _histogram(totals: Totals) -> Samples:
    counts = [0] * (len(BOUNDS) + 1)
    for (_, _, place), count in totals.requests.items():
        counts[place] += count
    below = list(accumulate(counts))
    for bound, count in zip((*map(repr, BOUNDS), "+Inf"), below, strict=True):
        yield f'_bucket{{le="{bound}"}}', count
    yield "_sum", totals.seconds
    yield "_count", below[-1]
