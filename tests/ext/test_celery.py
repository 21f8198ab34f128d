"""Real workers with greening's pool, on Redis's protocol and on RabbitMQ."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

celery = pytest.importorskip("celery", reason="Celery is not installed: the extra ext-test has it")

from celery import chain, chord, group
from celery.exceptions import SoftTimeLimitExceeded, TaskRevokedError, TimeLimitExceeded, WorkerLostError

from tests.ext.celery_worker import COMMAND, ROOT, SECONDS, Worker, environment, running
from tests.ext.servers import Server, free_port, valkey

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Celery's own deprecations

LATE = {"task_acks_late": True, "worker_prefetch_multiplier": 1}


class Site:
    """An application of Celery's with a queue of its own, as its clients see it."""

    def __init__(self, broker: Server, store: Server) -> None:
        self.queue = f"q{uuid.uuid4().hex[:8]}"
        self.broker, self.store = broker, store
        self.app = celery.Celery(broker=broker.url, backend=store.url, set_as_current=False)
        self.app.conf.update(task_default_queue=self.queue, result_expires=60)

    def env(self, options: dict[str, Any] | None = None, **more: str) -> dict[str, str]:
        settings = {"task_default_queue": self.queue, **(options or {})}
        return environment(self.broker.url, self.store.url, settings, **more)

    def send(self, name: str, *args: Any, **options: Any) -> Any:
        return self.app.send_task(name, args, **options)

    def get(self, name: str, *args: Any, **options: Any) -> Any:
        return self.send(name, *args, **options).get(timeout=SECONDS)

    def one(self, name: str, *args: Any) -> Any:
        return self.app.signature(name, args)

    def group(self, name: str, argument: Any, number: int) -> Any:
        return group([self.one(name, argument) for _ in range(number)], app=self.app)()

    def waiting(self) -> int:
        """Messages in the queue that no worker has."""
        with self.app.connection_for_read() as connection:
            return int(connection.default_channel.queue_declare(self.queue, passive=True).message_count)


@pytest.fixture
def site(valkey: Server) -> Iterator[Site]:
    site = Site(valkey, valkey)
    yield site
    site.app.close()


@pytest.fixture
def rabbit(rabbitmq: Server, valkey: Server) -> Iterator[Site]:
    site = Site(rabbitmq, valkey)
    yield site
    site.app.close()


@pytest.fixture
def either(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(request.param)


on_both = pytest.mark.parametrize("either", ["site", "rabbit"], indirect=True)


def until(condition: Callable[[], Any]) -> Any:
    """Ask another process's state again and again until it is true: nothing tells us."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
    return value


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


# -- Tasks at once -----------------------------------------------------------------------------------------------------


@on_both
def test_slow_tasks_take_the_time_of_one(either: Site) -> None:
    with running(either.env(), "-c", "100"):
        either.get("add", 1, 2)
        begin = time.monotonic()
        assert either.group("nap", 0.5, 40).get(timeout=SECONDS) == [0.5] * 40
        assert time.monotonic() - begin < 4  # one after the other: 20; the loop of other green pools: 4.6


@on_both
def test_an_acknowledgement_does_not_wait_for_the_next_message(either: Site) -> None:
    with running(either.env(LATE), "-c", "2"):
        either.get("add", 1, 2)
        begin = time.monotonic()
        for result in [either.send("nap", 0.05) for _ in range(40)]:
            result.get(timeout=SECONDS)
        assert time.monotonic() - begin < 5  # at best 1; the loop of other green pools: over 30 on Redis


def test_celery_that_is_imported_before_the_patch_finds_the_pool(site: Site) -> None:
    env = site.env(CELERY_CUSTOM_WORKER_POOL="greening.ext.celery:TaskPool")
    with running(env, "-c", "40", door="celery", pool="custom"):
        begin = time.monotonic()
        site.group("nap", 0.5, 40).get(timeout=SECONDS)
        assert time.monotonic() - begin < 4


def test_green_threads_are_kept_with_their_backends(site: Site) -> None:
    with running(site.env(), "-c", "10"):
        assert len({tuple(site.get("where")) for _ in range(5)}) == 1


def test_tasks_wait_for_other_tasks(site: Site) -> None:
    with running(site.env(), "-c", "30"):
        begin = time.monotonic()
        asked = [site.send("ask", [1, 2, 3]) for _ in range(20)]
        assert [each.get(timeout=SECONDS) for each in asked] == [6] * 20
        assert time.monotonic() - begin < 15


def test_canvas_eta_and_retry(site: Site) -> None:
    with running(site.env(), "-c", "10"):
        assert chain(site.one("add", 1, 2), site.one("add", 3), app=site.app)().get(timeout=SECONDS) == 6
        header = [site.one("add", number, number) for number in range(10)]
        assert chord(header, site.one("total"), app=site.app)().get(timeout=SECONDS) == 90
        assert site.get("again") == 2
        begin = time.monotonic()
        assert site.get("add", 1, 1, countdown=0.5) == 2
        assert time.monotonic() - begin >= 0.4


def test_hundreds_of_green_threads_get_results_at_once(site: Site, run_green: Callable[..., SimpleNamespace]) -> None:
    with running(site.env(), "-c", "300"):
        run_green(
            textwrap.dedent(f"""
            import threading
            from celery import Celery
            app = Celery(broker={site.broker.url!r}, backend={site.store.url!r})
            app.conf.task_default_queue = {site.queue!r}
            app.send_task("add", [1, 1]).get(timeout=30)
            got = []
            def get(number, result):
                got.append((result or app.send_task("add", [number, 1])).get(timeout=30) - number)
            sent = [app.send_task("add", [number, 1]) for number in range(300)]
            threads = [threading.Thread(target=get, args=each) for each in enumerate(sent)]
            threads += [threading.Thread(target=get, args=(number, None)) for number in range(50)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert got == [1] * 350, len(got)
            """),
            tolerance=1.0,  # 350 tasks are sent, and 50 backends are built, in one go each
        )


# -- What ends a task --------------------------------------------------------------------------------------------------


def test_time_limits_strike_and_give_the_place_back(site: Site, tmp_path: Path) -> None:
    with running(site.env(), "-c", "1"):
        assert site.get("soft", True) == "caught"
        with pytest.raises(SoftTimeLimitExceeded):
            site.get("soft", False)
        with pytest.raises(TimeLimitExceeded):
            site.get("hard", str(tmp_path / "log"))
        assert until(lambda: lines(tmp_path / "log")) == ["unwound"]
        assert site.get("add", 1, 2) == 3


def test_a_task_that_swallows_its_hard_limit_has_failed_all_the_same(site: Site) -> None:
    with running(site.env(), "-c", "1") as worker:
        site.send("stubborn")
        worker.wait_for("Hard time limit (0.3s) exceeded")
        assert site.get("add", 1, 2) == 3


def test_the_limits_of_the_command_line_are_those_of_every_task(site: Site) -> None:
    with running(site.env(), "-c", "1", "--time-limit", "1", "--soft-time-limit", "1"):
        with pytest.raises((SoftTimeLimitExceeded, TimeLimitExceeded)):
            site.get("nap", 30)


def test_a_timeout_in_a_task_fails_it_and_nothing_else(site: Site) -> None:
    with running(site.env(), "-c", "1"):
        with pytest.raises(TimeoutError, match=r"ended by a Timeout of 0\.1"):
            site.get("late")
        assert site.get("add", 1, 2) == 3


def test_revoke_with_terminate_unwinds_the_task(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(site.env(), "-c", "1"):
        result = site.send("write", str(log), "it", 30)
        until(lambda: lines(log))
        result.revoke(terminate=True)
        with pytest.raises(TaskRevokedError):
            result.get(timeout=SECONDS)
        assert until(lambda: lines(log)[1:]) == ["end it"]
        assert site.get("add", 1, 2) == 3


def test_a_task_that_was_revoked_while_it_waited_does_not_run(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(site.env(), "-c", "1") as worker:
        first = site.send("write", str(log), "first", 1)
        second = site.send("write", str(log), "second", 0)
        worker.wait_for(second.id)
        second.revoke(terminate=True)
        first.get(timeout=SECONDS)
        with pytest.raises(TaskRevokedError):
            second.get(timeout=SECONDS)
        assert site.get("add", 1, 2) == 3
        assert lines(log) == ["begin first", "done first", "end first"]


def test_an_exit_in_a_task_is_its_failure(site: Site) -> None:
    with running(site.env(), "-c", "1"):
        with pytest.raises(WorkerLostError):
            site.get("leave")
        assert site.get("add", 1, 2) == 3


def test_a_task_can_stop_the_worker(site: Site) -> None:
    with running(site.env(), "-c", "1") as worker:
        site.send("stop")
        assert worker.wait() == 0


# -- The worker --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["tasks", "memory"])
def test_replacing_children_is_refused_in_a_sentence(site: Site, option: str) -> None:
    worker = Worker([*COMMAND, "worker", f"--max-{option}-per-child", "4"], site.env())
    assert worker.wait() == 1
    assert f"worker_max_{option}_per_child (--max-{option}-per-child) is set to 4" in worker.log
    assert "Traceback" not in worker.log


def test_remote_control_and_events(site: Site) -> None:
    with running(site.env(), "-c", "2", "-E") as worker:
        control = site.app.control
        (name,) = until(lambda: control.inspect(timeout=1).ping() and list(control.inspect(timeout=1).ping()))

        def pool() -> dict[str, Any]:
            return until(lambda: control.inspect([name], timeout=1).stats())[name]["pool"]

        assert pool()["max-concurrency"] == 2
        assert control.pool_grow(3, destination=[name], reply=True, timeout=2) == [{name: {"ok": "pool will grow"}}]
        assert pool()["max-concurrency"] == 5
        control.pool_shrink(4, destination=[name], reply=True, timeout=2)
        assert pool()["max-concurrency"] == 1

        kinds: list[str] = []
        with site.app.connection_for_read() as connection:
            receiver = site.app.events.Receiver(connection, handlers={"*": lambda event: kinds.append(event["type"])})
            with receiver.consumer_context(wakeup=True) as (own, _, _):
                while not kinds:  # the worker has answered: the receiver is bound
                    own.drain_events(timeout=SECONDS)
                site.send("add", 1, 2)
                while "task-succeeded" not in kinds:
                    own.drain_events(timeout=SECONDS)
        assert [kind for kind in kinds if kind.startswith("task-")] == [
            "task-received",
            "task-started",
            "task-succeeded",
        ]
        assert "Traceback" not in worker.log


def test_autoscale_grows_and_shrinks(site: Site) -> None:
    with running(site.env(AUTOSCALE_KEEPALIVE="1"), "--autoscale", "20,1") as worker:
        site.get("add", 1, 2)
        begin = time.monotonic()
        site.group("nap", 1, 20).get(timeout=SECONDS)
        assert time.monotonic() - begin < 8
        worker.wait_for("Scaling down")
        assert site.get("add", 1, 2) == 3


@pytest.mark.parametrize("embedded", [True, False])
def test_beat(site: Site, tmp_path: Path, embedded: bool) -> None:
    schedule = ["-s", str(tmp_path / "schedule")]
    env = site.env(EVERY=str(tmp_path / "log"))
    with running(env, "-c", "5", *(["-B", *schedule] if embedded else [])):
        beat = (
            None
            if embedded
            else Worker(["greening.ext.celery", "-A", "tests.ext.celery_tasks", "beat", *schedule], env)
        )
        try:
            until(lambda: len(lines(tmp_path / "log")) >= 3)
        finally:
            if beat is not None:
                assert beat.ask_to_end() == 0, beat.log


def test_flower_shows_the_worker(site: Site) -> None:
    if find_spec("flower") is None:
        pytest.skip("Flower is not installed: the extra ext-test has it")
    port = free_port()
    env = site.env(FLOWER_UNAUTHENTICATED_API="1")
    with running(env, "-c", "5", "-E"):
        argv = [
            "greening.ext.celery",
            "-A",
            "tests.ext.celery_tasks",
            "flower",
            "--address=127.0.0.1",
            f"--port={port}",
        ]
        flower = Worker(argv, env)
        try:
            address = f"http://127.0.0.1:{port}/api/workers?refresh=1"
            (worker,) = until(lambda: _json(address)).values()
            assert worker["stats"]["pool"]["max-concurrency"] == 5
        finally:
            flower.ask_to_end()


def _json(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


# -- The end -----------------------------------------------------------------------------------------------------------


@on_both
def test_a_warm_shutdown_ends_what_runs_and_gives_back_what_waits(either: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(either.env({"task_acks_late": True}), "-c", "2") as worker:
        for number in range(6):
            either.send("write", str(log), str(number), 1)
        until(lambda: len(lines(log)) == 2)
        assert worker.ask_to_end(signal.SIGTERM) == 0
    assert Counter(line.split()[0] for line in lines(log)) == {"begin": 2, "done": 2, "end": 2}
    assert until(lambda: either.waiting() == 4)


@on_both
def test_a_cold_shutdown_unwinds_what_runs_and_gives_it_back(either: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(either.env({"task_acks_late": True}), "-c", "2") as worker:
        for number in range(3):
            either.send("write", str(log), str(number), 20)
        until(lambda: len(lines(log)) == 2)
        begin = time.monotonic()
        assert worker.ask_to_end(signal.SIGQUIT) == 0
        assert time.monotonic() - begin < 15
    assert Counter(line.split()[0] for line in lines(log)) == {"begin": 2, "end": 2}
    assert until(lambda: either.waiting() == 3)


def test_a_restart_of_rabbitmq_loses_no_task(rabbit: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(rabbit.env({"task_acks_late": True}), "-c", "10"):
        for number in range(120):
            rabbit.send("write", str(log), str(number), 0.3, ignore_result=True)
        until(lambda: len(lines(log)) >= 60)
        rabbit.broker.restart()
        done = until(lambda: len(set(_done(log))) == 120 and _done(log))
        assert until(lambda: rabbit.waiting() == 0)
    assert len(done) <= 120 + 20  # what ran, or began, when the broker went is run again, and nothing else


def test_lost_connections_to_redis_lose_no_task(site: Site, tmp_path: Path) -> None:
    redis = pytest.importorskip("redis")
    log = tmp_path / "log"
    with running(site.env({"task_acks_late": True}), "-c", "10"):
        for number in range(100):
            site.send("write", str(log), str(number), 0.2, ignore_result=True)
        until(lambda: len(lines(log)) >= 60)
        with redis.Redis.from_url(site.broker.url) as client:
            for kind in ("normal", "pubsub"):
                client.client_kill_filter(_type=kind, skipme=True)
        until(lambda: len(set(_done(log))) == 100)


def test_a_restart_of_redis_delays_no_task_that_had_not_begun(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with valkey(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        site = Site(server, server)
        with running(site.env({"task_acks_late": True}), "-c", "5"):
            for number in range(60):
                site.send("write", str(log), str(number), 0.2, ignore_result=True)
            until(lambda: len(lines(log)) >= 30)
            server.restart()
            until(lambda: len(set(_done(log))) == 60)  # else in an hour
        site.app.close()


def _done(log: Path) -> list[str]:
    return [line for line in lines(log) if line.startswith("done")]


def test_a_worker_that_is_killed_loses_no_task(rabbit: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    env = rabbit.env(LATE)
    with running(env, "-c", "5") as worker:
        for number in range(20):
            rabbit.send("write", str(log), str(number), 0.2, ignore_result=True)
        until(lambda: len(lines(log)) >= 5)
        worker.process.kill()
        worker.wait()
    with running(env, "-c", "5"):
        until(lambda: len(set(_done(log))) == 20)


# -- The door ----------------------------------------------------------------------------------------------------------


def test_the_door_chooses_the_pool_unless_another_is_chosen() -> None:
    code = (
        "from greening.ext.celery import arguments\n"
        "for given in ('-A app worker -c 5', '-A app worker -P prefork', '-A app worker --pool=solo', '-A app beat'):\n"
        "    print(' '.join(arguments(given.split())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == [
        "-A app worker -P custom -c 5",
        "-A app worker -P prefork",
        "-A app worker --pool=solo",
        "-A app beat",
    ]


def test_the_page_s_example(site: Site, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "integrations" / "celery.md").read_text(encoding="utf-8")
    source = page.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "shop.py").write_text(source.replace("redis://127.0.0.1/0", site.broker.url), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "PYTHONWARNINGS": "ignore"}
    worker = Worker(["greening.ext.celery", "-A", "shop", "worker", "--concurrency", "1000", "-Q", site.queue], env)
    try:
        begin = time.monotonic()
        sent = [site.send("shop.deliver", number) for number in range(30)]
        assert [result.get(timeout=SECONDS) for result in sent] == list(range(30))
        assert time.monotonic() - begin < 12
        assert worker.ask_to_end() == 0
    finally:
        worker.process.kill()
        worker.wait()
