"""dramatiq, huey, RQ and APScheduler: their workers run green, and their time limits reach green threads."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("redis")

from tests.ext.servers import Server, free_port, running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent

PATCHED = """
import os, sys, time

def is_patched():
    greening = sys.modules.get("greening")
    return greening is not None and greening.is_monkey_patched("time")
"""


@contextmanager
def worker(folder: Path, tasks: str, queue: str, *arguments: str) -> Iterator[Server]:
    """A worker under `python -m greening`, which imports tasks.py."""
    (folder / "tasks.py").write_text(PATCHED + tasks)
    env = {"PYTHONPATH": f"{ROOT}:{folder}", "QUEUE": queue}
    server = Server(
        [sys.executable, "-m", "greening", *arguments], folder=folder, port=free_port(), env=env, ready=lambda: None
    )
    with running(server):
        yield server


def in_queue(redis: Server) -> str:
    return f"redis://127.0.0.1:{redis.port}/0"


def client_env(folder: Path, queue: str) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]), "QUEUE": queue}


DRAMATIQ = """
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(url=os.environ["QUEUE"])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["QUEUE"])))
dramatiq.set_broker(broker)

@dramatiq.actor(store_results=True, max_retries=0)
def patched():
    return is_patched()

@dramatiq.actor(store_results=True, max_retries=0)
def slow(number):
    time.sleep(0.3)
    return number

@dramatiq.actor(store_results=True, max_retries=0, time_limit=500)
def limited(path):
    begin = time.monotonic()
    try:
        time.sleep(30)
    finally:
        with open(path, "w") as file:
            file.write(str(time.monotonic() - begin))
"""

DRAMATIQ_CLIENT = """
import sys, time
import tasks
beat()
assert tasks.patched.send().get_result(block=True, timeout=60_000) is True
begin = time.monotonic()
messages = [tasks.slow.send(number) for number in range(40)]
answers = [greening.spawn(message.get_result, block=True, timeout=60_000) for message in messages]
assert [answer.wait() for answer in answers] == list(range(40))
assert time.monotonic() - begin < 6
try:
    tasks.limited.send(sys.argv[1]).get_result(block=True, timeout=60_000)
except Exception as error:
    assert "TimeLimitExceeded" in str(error), error
with open(sys.argv[1]) as file:
    assert float(file.read()) < 15
"""


@pytest.mark.parametrize("how", [[], ["--use-spawn"]], ids=["fork", "spawn"])
def test_dramatiq(run_green: Callable[..., Any], tmp_path: Path, redis: Server, how: list[str]) -> None:
    pytest.importorskip("dramatiq")
    queue = in_queue(redis)
    with worker(tmp_path, DRAMATIQ, queue, "-m", "dramatiq", "tasks", "-p", "1", "-t", "50", *how):
        run_green(DRAMATIQ_CLIENT, str(tmp_path / "took"), env=client_env(tmp_path, queue))


HUEY = """
from huey import RedisHuey
huey = RedisHuey("tests", url=os.environ["QUEUE"])

@huey.task()
def patched():
    return is_patched()

@huey.task()
def slow(number):
    time.sleep(0.3)
    return number
"""

HUEY_CLIENT = """
import time
import tasks
beat()
assert tasks.patched()(blocking=True, timeout=60) is True
begin = time.monotonic()
results = [tasks.slow(number) for number in range(40)]
assert [result(blocking=True, timeout=60) for result in results] == list(range(40))
assert time.monotonic() - begin < 6
"""


def test_huey(run_green: Callable[..., Any], tmp_path: Path, redis: Server) -> None:
    pytest.importorskip("huey")
    queue = in_queue(redis)
    arguments = ("-m", "huey.bin.huey_consumer", "tasks.huey", "-k", "thread", "-w", "50")
    with worker(tmp_path, HUEY, queue, *arguments):
        run_green(HUEY_CLIENT, env=client_env(tmp_path, queue))


AFTER_A_RESTART = """
import time
import redis, tasks

def until_it_works(function):
    for _ in range(200):
        try:
            return function()
        except (redis.ConnectionError, ConnectionError, tasks.LOST):
            time.sleep(0.1)
    raise AssertionError("it does not come back")

beat()
assert ask(1) == 1
restart()
assert until_it_works(lambda: ask(2)) == 2
"""
ASK = {
    "dramatiq": (DRAMATIQ + "LOST = dramatiq.ConnectionError\n", "slow.send(n).get_result(block=True, timeout=60_000)"),
    "huey": (HUEY + "LOST = ConnectionError\n", "slow(n)(blocking=True, timeout=60)"),
}


@pytest.mark.parametrize("name", ASK)
def test_workers_go_on_after_a_restart_of_redis(
    name: str, run_green: Callable[..., Any], restart_of: Callable[..., str], tmp_path: Path, redis: Server
) -> None:
    pytest.importorskip(name)
    queue, (tasks, call) = in_queue(redis), ASK[name]
    arguments = {
        "dramatiq": ("-m", "dramatiq", "tasks", "-p", "1", "-t", "8"),
        "huey": ("-m", "huey.bin.huey_consumer", "tasks.huey", "-k", "thread", "-w", "8"),
    }
    with worker(tmp_path, tasks, queue, *arguments[name]):
        source = f"import tasks\nask = lambda n: tasks.{call}\n" + restart_of(redis) + AFTER_A_RESTART
        run_green(source, env=client_env(tmp_path, queue), tolerance=0.5)


RQ = """
def add(number):
    time.sleep(0.05)
    return number + is_patched()

def endless():
    time.sleep(60)
"""

RQ_CLIENT = """
import os, time
import redis, rq, tasks
queue = rq.Queue(connection=redis.Redis.from_url(os.environ["QUEUE"]))

def end_of(job):
    while not (job.is_finished or job.is_failed):
        time.sleep(0.02)
    return job.return_value() if job.is_finished else job.latest_result().exc_string

beat()
jobs = [greening.spawn(end_of, queue.enqueue(tasks.add, number)) for number in range(3)]
assert [job.wait() for job in jobs] == [1, 2, 3]
begin = time.monotonic()
assert "JobTimeoutException" in end_of(queue.enqueue(tasks.endless, job_timeout=1))
assert time.monotonic() - begin < 30
"""


def test_rq(run_green: Callable[..., Any], tmp_path: Path, redis: Server) -> None:
    pytest.importorskip("rq")
    queue = in_queue(redis)
    with worker(tmp_path, RQ, queue, "-m", "rq.cli", "worker", "--url", queue):
        run_green(RQ_CLIENT, env=client_env(tmp_path, queue))


APSCHEDULER = """
import threading, time
from apscheduler.schedulers.background import BackgroundScheduler

done = threading.Semaphore(0)

def job():
    time.sleep(0.3)
    done.release()

beat()
scheduler = BackgroundScheduler(executors={"default": {"type": "threadpool", "max_workers": 50}})
scheduler.start()
begin = time.monotonic()
for _ in range(20):
    scheduler.add_job(job)
ticks = threading.Semaphore(0)
scheduler.add_job(ticks.release, "interval", seconds=0.05)
for _ in range(20):
    assert done.acquire(timeout=30)
assert time.monotonic() - begin < 4
for _ in range(3):
    assert ticks.acquire(timeout=30)
scheduler.shutdown()
"""


@pytest.mark.parametrize("before", ["", "import apscheduler.schedulers.background"], ids=["early", "late"])
def test_apscheduler(run_green: Callable[..., Any], before: str) -> None:
    pytest.importorskip("apscheduler")
    run_green(APSCHEDULER, before=before)


def test_the_example_of_the_page_runs(run_page: Callable[..., Any]) -> None:
    pytest.importorskip("apscheduler")
    assert run_page("job-queues").stdout.split() == ["20", "jobs"]
