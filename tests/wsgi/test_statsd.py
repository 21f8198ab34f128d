"""What a statsd gets: what has changed in a second, in few packets, and nothing that holds the server up."""

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from greening.testing import Fake, settle
from greening.wsgi.metrics import ACCEPTED, INTERVAL, Counters, Metrics
from greening.wsgi.statsd import Statsd, parse_statsd


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def counters(metrics: Metrics) -> Counters:
    return metrics.claim()


def packets(receiver: socket.socket) -> list[list[str]]:
    found = []
    while True:
        try:
            found.append(receiver.recv(65536).decode().split("\n"))
        except BlockingIOError:
            return found


GAUGES = ["greening.connections.idle:0|g", "greening.connections.active:0|g"]


def test_what_has_changed_since_the_last_time(receiver: socket.socket, metrics: Metrics, counters: Counters) -> None:
    counters.request("GET", 500, 0.1, 1)  # before: another worker's
    statsd = Statsd(metrics, counters, receiver.getsockname())
    for _ in range(4):
        counters.request("GET", 200, 0.003, 10)
    counters.request("POST", 404, 60, 0)
    counters.count(ACCEPTED)
    statsd.send()
    assert packets(receiver) == [
        [
            "greening.requests.GET.2xx:4|c",
            "greening.requests.POST.4xx:1|c",
            "greening.request.duration:5|ms|@0.25",
            "greening.request.duration:10000|ms|@1",
            "greening.accepted:1|c",
            "greening.sent_bytes:40|c",
            *GAUGES,
        ]
    ]
    statsd.send()
    assert packets(receiver) == [GAUGES]
    statsd.stop()


def test_connections_are_those_of_all_servers_in_whichever_packet_comes_last(
    receiver: socket.socket, metrics: Metrics, counters: Counters
) -> None:
    other = metrics.claim()
    counters.connections(1, 2)
    other.connections(10, 20)
    for one in (counters, other):
        statsd = Statsd(metrics, one, receiver.getsockname())
        statsd.send()
        assert packets(receiver) == [["greening.connections.idle:11|g", "greening.connections.active:22|g"]]
        statsd.stop()
    metrics.release(other)
    assert metrics.connections() == (1, 2)


def test_it_is_sent_once_a_second_and_at_the_end(
    fake: Fake[Any], receiver: socket.socket, metrics: Metrics, counters: Counters
) -> None:
    statsd = Statsd(metrics, counters, receiver.getsockname(), "x.")
    statsd.start()
    settle()
    assert packets(receiver) == []
    for _ in range(2):
        counters.request("GET", 200, 0.003, 0)
        fake.clock.advance(INTERVAL)
        settle()
        ((first, *_),) = packets(receiver)
        assert first == "x.requests.GET.2xx:1|c"
    counters.request("GET", 200, 0.003, 0)
    statsd.stop()
    ((first, *_),) = packets(receiver)
    assert first == "x.requests.GET.2xx:1|c"
    statsd.stop()


def test_lines_are_never_cut_between_packets(
    receiver: socket.socket, metrics: Metrics, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greening.wsgi.statsd._PACKET", 60)
    statsd = Statsd(metrics, counters, receiver.getsockname())
    for method in ("GET", "HEAD", "POST", "PUT"):
        counters.request(method, 200, 0.003, 0)
    statsd.send()
    found = packets(receiver)
    assert all(len("\n".join(packet)) <= 60 for packet in found)
    assert len(found) > 2 and [line for packet in found for line in packet][3] == "greening.requests.PUT.2xx:1|c"
    statsd.stop()


def test_a_statsd_that_is_not_there_is_no_error(metrics: Metrics, counters: Counters) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    statsd = Statsd(metrics, counters, address)
    for _ in range(5):
        statsd.send()  # from the second one on, the system says that nobody takes it
    statsd.stop()


def test_a_host_without_an_address_is_told_once_and_what_has_changed_is_sent_later(
    receiver: socket.socket,
    metrics: Metrics,
    counters: Counters,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = sys.modules["greening.wsgi.statsd"].getaddrinfo

    def unknown(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    statsd = Statsd(metrics, counters, receiver.getsockname())
    monkeypatch.setattr("greening.wsgi.statsd.getaddrinfo", unknown)
    for _ in range(2):
        counters.request("GET", 200, 0.003, 0)
        statsd.send()
    told = "no way to the statsd at 127.0.0.1: Name or service not known; trying again"
    assert [record.getMessage() for record in caplog.records] == [told]
    monkeypatch.setattr("greening.wsgi.statsd.getaddrinfo", known)
    statsd.send()
    ((first, *_),) = packets(receiver)
    assert first == "greening.requests.GET.2xx:2|c"
    statsd.stop()


def test_a_server_sends_what_it_counts(serve: Any, receiver: socket.socket) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [b"x"]

    host, port = receiver.getsockname()
    running = serve(app, statsd=f"{host}:{port}", statsd_prefix="me.")
    running.connect().get()
    running.stop()
    lines = [line for packet in packets(receiver) for line in packet]
    assert "me.requests.GET.2xx:1|c" in lines and "me.accepted:1|c" in lines


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a:1", ("a", 1)),
        ("a", ("a", 8125)),
        ("[::1]:9", ("::1", 9)),
        ("[::1]", ("::1", 8125)),
        ("127.0.0.1:8125", ("127.0.0.1", 8125)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_statsd(text) == address


@pytest.mark.parametrize("text", ["", ":1", "a:", "a:0", "a:65536", "a:x", "a:\xb2"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_statsd(text)
