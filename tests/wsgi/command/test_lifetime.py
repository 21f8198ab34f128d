"""When a worker is to be replaced."""

from pathlib import Path
from typing import Any

import pytest

from greening.wsgi.command import lifetime
from greening.wsgi.command.config import parse, parser, read
from greening.wsgi.command.lifetime import Lifetime, resident


class Worker:
    """A lifetime with a clock and a memory of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
        self.now, self.bytes = 100.0, 5 << 20
        self.reasons: list[str] = []
        monkeypatch.setattr(lifetime, "monotonic", lambda: self.now)
        monkeypatch.setattr(lifetime, "resident", lambda: self.bytes)
        settings = read(parse(parser(""), ["site:app", *options]), {}, "/").settings()
        self.lifetime = Lifetime(settings, self.reasons.append)


def app(environ: Any, start_response: Any) -> list[bytes]:
    return [b"served"]


def test_without_limits_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(monkeypatch)
    assert worker.lifetime.counted(app) is app
    assert not worker.lifetime.watches


def test_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(monkeypatch, "--max-requests", "3")
    counted = worker.lifetime.counted(app)
    reasons = []
    for _ in range(5):
        assert counted({}, None) == [b"served"]
        reasons.append(len(worker.reasons))
    assert reasons == [0, 0, 1, 1, 1]
    assert worker.reasons == ["has served 3 requests"]


def test_jitter_is_drawn_for_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([2, 0])
    monkeypatch.setattr(lifetime.random, "randint", lambda low, high: next(drawn) if (low, high) == (0, 2) else None)
    for expected in (5, 3):
        worker = Worker(monkeypatch, "--max-requests", "3", "--max-requests-jitter", "2")
        counted = worker.lifetime.counted(app)
        served = 0
        while not worker.reasons:
            counted({}, None)
            served += 1
        assert served == expected


def test_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime.random, "uniform", lambda low, high: high)
    worker = Worker(monkeypatch, "--lifetime", "60", "--lifetime-jitter", "5")
    assert worker.lifetime.watches
    worker.now += 64
    worker.lifetime.look()
    assert worker.reasons == []
    worker.now += 1
    worker.lifetime.look()
    worker.lifetime.look()
    assert worker.reasons == ["has lived 65 s"]


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(monkeypatch, "--max-memory", "6M")
    worker.lifetime.look()
    assert worker.reasons == []
    worker.bytes = 7 << 20
    worker.lifetime.look()
    assert worker.reasons == [f"holds {7 << 20} bytes of memory"]


def test_a_limit_that_the_application_is_above_at_once_does_not_count(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    worker = Worker(monkeypatch, "--max-memory", "4M")
    assert not worker.lifetime.watches
    assert f"--max-memory {4 << 20} does not count: the application has {5 << 20} bytes" in capfd.readouterr().err


def test_memory_is_that_of_this_process() -> None:
    lines = Path("/proc/self/status").read_text().splitlines()
    told = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))
    assert 0.5 < resident() / told < 2
