"""The tasks of tests/ext/test_celery.py, as workers load them. BROKER, BACKEND and OPTIONS are in the environment."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from celery import Celery, current_task, signals
from celery.exceptions import SoftTimeLimitExceeded, WorkerShutdown

import greening
from tests.ext.heartbeat import Heartbeat

app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.update(json.loads(os.environ.get("OPTIONS", "{}")), broker_connection_retry_on_startup=True)
if "EVERY" in os.environ:
    app.conf.beat_schedule = {"often": {"task": "tick", "schedule": 0.2, "args": [os.environ["EVERY"]]}}
    app.conf.beat_max_loop_interval = 0.2

heartbeat = Heartbeat()


@signals.worker_ready.connect
def begin(**_: Any) -> None:
    """The heart begins to beat when the worker is ready, and stops it where the hub was held up."""
    if greening.is_monkey_patched("thread"):
        heartbeat.__enter__()


@signals.worker_shutdown.connect
def end(**_: Any) -> None:
    if greening.is_monkey_patched("thread"):
        print(f"the hub was held up for {heartbeat.longest:.3f} s at most", flush=True)


@app.task(name="add")
def add(one: int, other: int) -> int:
    return one + other


@app.task(name="total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(name="nap")
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.task(name="write")
def write(path: str, word: str, seconds: float) -> str:
    """Write down that it begins, sleep, and write down that it ends, whatever happens."""
    try:
        _append(path, f"begin {word}")
        time.sleep(seconds)
        _append(path, f"done {word}")
        return word
    finally:
        _append(path, f"end {word}")


@app.task(name="tick")
def tick(path: str) -> None:
    _append(path, "tick")


@app.task(name="soft", soft_time_limit=0.3)
def soft(catch: bool) -> str:
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        if not catch:
            raise
    return "caught"


@app.task(name="hard", time_limit=0.3)
def hard(path: str) -> None:
    try:
        time.sleep(30)
    finally:
        _append(path, "unwound")


@app.task(name="stubborn", time_limit=0.3)
def stubborn() -> str:
    try:
        time.sleep(30)
    except BaseException:
        pass
    return "I went on"


@app.task(name="late")
def late() -> None:
    with greening.Timeout(0.1):
        time.sleep(30)


@app.task(name="leave")
def leave() -> None:
    raise SystemExit(3)


@app.task(name="stop")
def stop() -> None:
    raise WorkerShutdown(0)


@app.task(name="ask")
def ask(numbers: list[int]) -> int:
    return sum(add.delay(number, 0).get(timeout=10, disable_sync_subtasks=False) for number in numbers)


@app.task(name="again", max_retries=3)
def again() -> int:
    retries: int = current_task.request.retries
    if retries < 2:
        raise current_task.retry(countdown=0)
    return retries


@app.task(name="where")
def where() -> tuple[int, int]:
    """The thread of the task, and the result backend that Celery keeps for it."""
    return threading.get_ident(), id(app.backend)


def _append(path: str, line: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
