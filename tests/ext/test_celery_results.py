"""Green threads that wait for Celery's results at once."""

import textwrap
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("celery", reason="Celery is not installed: the extra ext-test has it")

from vine import promise

from greening import GreenThread, Queue, Timeout, sleep, spawn, unpatch
from greening.ext import celery_results
from tests.ext.celery_worker import environment, running
from tests.ext.servers import Server

pytestmark = pytest.mark.filterwarnings("ignore")  # Celery's own deprecations

LONG = 60.0


class Backend:
    """A result consumer: what is put on its wire is a promise that the reader keeps."""

    def __init__(self) -> None:
        self.wire: Queue[Any] = Queue()
        self.readers = 0
        self.most = 0

    def drain_events(self, timeout: float) -> None:
        self.readers += 1
        self.most = max(self.most, self.readers)
        try:
            with Timeout(timeout, TimeoutError):
                kept = self.wire.get()
        finally:
            self.readers -= 1
        if isinstance(kept, Exception):
            raise kept
        kept()


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def drainer(backend: Backend) -> Iterator[Any]:
    from celery.backends import asynchronous

    celery_results.patch(asynchronous)  # as at its import: `monkey_patch` would search all objects of this process
    try:
        yield asynchronous.drainers["default"](backend)
    finally:
        unpatch()


def waits(drainer: Any, kept: Any, **options: Any) -> GreenThread[None]:
    def wait() -> None:
        for _ in drainer.drain_events_until(kept, interval=LONG, **options):
            pass

    thread = spawn(wait)
    sleep(0)
    return thread


def test_one_reads_and_each_is_woken_for_its_own(backend: Backend, drainer: Any) -> None:
    promises = [promise() for _ in range(5)]
    threads = [waits(drainer, each) for each in promises]
    for number in (3, 1, 0, 4, 2):  # the reader's own is among them
        backend.wire.put(promises[number])
        threads[number].wait()
    assert backend.most == 1


def test_a_reader_that_is_killed_hands_over(backend: Backend, drainer: Any) -> None:
    first, second = promise(), promise()
    reader, other = waits(drainer, first), waits(drainer, second)
    reader.kill()
    backend.wire.put(second)
    other.wait()
    assert first.ready is False


def test_a_waiting_one_that_is_killed_is_not_waited_for(backend: Backend, drainer: Any) -> None:
    promises = [promise() for _ in range(3)]
    threads = [waits(drainer, each) for each in promises]
    threads[1].kill()
    for number in (0, 2):
        backend.wire.put(promises[number])
        threads[number].wait()


def test_a_timeout_is_kept_to(backend: Backend, drainer: Any) -> None:
    with pytest.raises(TimeoutError):
        waits(drainer, promise(), timeout=0.01).wait()
    assert backend.readers == 0


def test_an_error_of_the_connection_is_survived(backend: Backend, drainer: Any) -> None:
    kept = promise()
    backend.wire.put(ConnectionResetError())
    backend.wire.put(kept)
    for _ in drainer.drain_events_until(kept, interval=0.01):
        pass
    assert kept.ready


def test_a_promise_that_is_kept_already_needs_no_reading(backend: Backend, drainer: Any) -> None:
    kept = promise()
    kept()
    assert list(drainer.drain_events_until(kept)) == []
    assert backend.most == 0


def test_unpatch_gives_celery_its_own_back(drainer: Any) -> None:
    from celery.backends import asynchronous

    unpatch()
    assert asynchronous.drainers["default"] is asynchronous.Drainer


@pytest.mark.slow  # a worker, and several hundred tasks
def test_interrupted_waits_take_no_result_from_others(
    valkey: Server, run_green: Callable[..., SimpleNamespace]
) -> None:
    env = environment(valkey.url, valkey.url, {"task_default_queue": "interrupted"})
    with running(env, "-c", "400"):
        run_green(
            textwrap.dedent(f"""
            import random, threading
            from celery import Celery
            app = Celery(broker={valkey.url!r}, backend={valkey.url!r})
            app.conf.task_default_queue = "interrupted"
            app.send_task("add", [1, 1]).get(timeout=30)
            got, interrupted = [], []
            def get(number, result):
                if number % 2:
                    try:
                        with greening.Timeout(random.random()):
                            result.get(timeout=30)
                    except greening.Timeout:
                        interrupted.append(number)
                else:
                    assert result.get(timeout=30) == 1
                    got.append(number)
            with app.producer_or_acquire() as producer:
                sent = [app.send_task("nap", [1], producer=producer) for _ in range(300)]
            threads = [threading.Thread(target=get, args=each) for each in enumerate(sent)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert len(got) == 150 and interrupted, (len(got), len(interrupted))
            """),
            tolerance=1.0,  # 300 tasks are sent in one go
        )


@pytest.mark.slow  # a program, and a server that does not answer for a while
def test_more_green_threads_than_connections_wait_for_one(
    valkey: Server, run_green: Callable[..., SimpleNamespace]
) -> None:
    run_green(
        textwrap.dedent(f"""
        import os, signal
        from celery import Celery
        app = Celery(broker={valkey.url!r}, backend={valkey.url!r})
        app.backend.client.ping()
        beat()
        os.kill({valkey.process.pid}, signal.SIGSTOP)
        try:
            threads = [greening.spawn(app.backend.get, "nothing") for _ in range(150)]
            greening.sleep(0.2)
        finally:
            os.kill({valkey.process.pid}, signal.SIGCONT)
        assert [thread.wait() for thread in threads] == [None] * 150
        """)
    )
