"""`TaskPool`: Celery's tasks in green threads, under Celery's own event loop.

Facts: Celery's pools for gevent and eventlet replace its event loop by one that asks the broker every two seconds or at
the next message, which makes a task with `acks_late` wait for its acknowledgement. Its own loop, the one of prefork,
waits in select, poll or epoll, which are green here: the main greenlet runs it, tasks run beside it.
Decisions:
- `is_green` is False. It does not mean green threads: it makes Celery open a second connection for remote control, read
  by a thread that dies of each lost connection.
- Green threads are kept. Celery keeps a result backend, with its connection, for each thread: a new green thread for
  each task builds one each time, which costs more than the task. The one that was used last is used next.
- `apply_async` never waits. Tasks wait in the pool, and the prefetch count says how many can.
- A task that has not begun is dropped at the shutdown. It is not acknowledged, so the broker has it still.
"""

import logging
from collections import deque
from itertools import count
from typing import Any

from celery.concurrency.base import BasePool
from celery.exceptions import ImproperlyConfigured
from click import ClickException
from greenlet import GreenletExit

from greening._core.greenthread import spawn_n
from greening.ext.celery_calls import LoopCalls
from greening.ext.celery_job import Job
from greening.ext.celery_signals import LoopSignals
from greening.sync.event import Event
from greening.sync.semaphore import Semaphore

logger = logging.getLogger("celery.pool")

# Seconds for tasks that were ended at a cold shutdown, to unwind.
_LAST_WORDS = 2.0

_REFUSED = {
    "maxtasksperchild": ("worker_max_tasks_per_child", "--max-tasks-per-child"),
    "max_memory_per_child": ("worker_max_memory_per_child", "--max-memory-per-child"),
}


class UnsupportedSetting(ImproperlyConfigured, ClickException):  # type: ignore[misc]  # Celery is untyped
    """A setting asks for what this pool cannot do. Celery's command line shows the message alone."""


class _Seat:
    """A green thread of the pool, when it has no job."""

    __slots__ = ("job", "ready")

    def __init__(self) -> None:
        self.job: Job | None = None
        self.ready = Semaphore(0)


class TaskPool(BasePool):  # type: ignore[misc]  # Celery is untyped
    """Runs each task in a green thread. Made by Celery's worker: see `greening.ext.celery`.

    Raises:
        UnsupportedSetting: a setting that replaces worker processes. There is but one.
    Thread-safety: none; all of it is called in the worker's OS thread.
    """

    signal_safe = False  # a shutdown waits for tasks, so it does not run in a signal handler
    is_green = False  # see the head of this file
    task_join_will_block = False  # a task may wait for others: its green thread waits, and the pool goes on
    body_can_be_buffer = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for option, (setting, argument) in _REFUSED.items():
            if self.options.get(option):
                raise UnsupportedSetting(
                    f"{setting} ({argument}) is set to {self.options[option]}, but greening's pool runs all tasks in "
                    f"green threads of one process, so there is no child to replace. Remove the setting, have whatever "
                    f"starts the worker restart it, or use -P prefork"
                )
        self._numbers = count(1)
        self._waiting: deque[Job] = deque()
        self._running: dict[int, Job] = {}
        self._idle: list[_Seat] = []  # the last one has been idle for the shortest time
        self._threads = 0
        self._dropped: list[Any] = []  # tags of messages that are to be given back when there is a connection
        self._calls = LoopCalls()
        self._signals = LoopSignals(self._calls)
        self._drained: Event | None = None  # there is one while `_finish` waits for the end of what runs

    def register_with_event_loop(self, loop: Any) -> None:
        """Called by Celery when its loop begins, and again after each reconnect."""
        self._calls.register(loop)
        self._signals.adopt(loop)
        if self._dropped:
            dropped, self._dropped = self._dropped, []
            spawn_n(self._give_back, dropped)

    def _give_back(self, tags: list[Any]) -> None:
        """Put what was dropped back into its queue, unless that was done.

        Redis does not see that a connection is lost. What it had is put back by Celery at once if Redis can still be
        reached, as after a cut connection, and after an hour (`visibility_timeout`) if not, as after its restart.
        """
        try:
            with self.app.connection_for_write() as connection:
                if connection.transport.driver_type == "redis":
                    for tag in tags:
                        connection.default_channel.qos.restore_by_tag(tag)
        except Exception as error:  # noqa: BLE001  # the hour is left
            logger.warning("Cannot put %d tasks back that had not begun: %r", len(tags), error)

    # Tasks

    def on_apply(
        self,
        target: Any,
        args: Any = (),
        kwargs: Any = None,
        callback: Any = None,
        accept_callback: Any = None,
        timeout_callback: Any = None,
        error_callback: Any = None,
        soft_timeout: float | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> Job | None:
        """Take a task. Never waits. None: the pool is closed, and the task stays with the broker."""
        if not self.active:
            return None
        soft_timeout = soft_timeout or self.options.get("soft_timeout")
        timeout = timeout or self.options.get("timeout")
        job = Job(
            next(self._numbers),
            target,
            args,
            kwargs,
            callback,
            error_callback,
            accept_callback,
            timeout_callback,
            soft_timeout,
            timeout,
        )
        self._place(job)
        return job

    def _place(self, job: Job) -> None:
        """Give a job to an idle green thread or to a new one, or have it wait for one."""
        if self._idle:
            seat = self._idle.pop()
            seat.job = job
            seat.ready.release()
        elif self._threads < self.limit:
            self._threads += 1
            spawn_n(self._work, job)
        else:
            self._waiting.append(job)

    def _work(self, job: Job | None) -> None:
        """Body of a green thread: one job after the other."""
        seat = _Seat()
        try:
            while job is not None:
                self._running[job.number] = job
                try:
                    job.run(self._calls.call)
                finally:
                    del self._running[job.number]
                job = self._next(seat)
        finally:  # the thread may have been killed
            self._threads -= 1
            if seat in self._idle:
                self._idle.remove(seat)
            elif seat.job is not None:
                self._place(seat.job)
            elif self._waiting and self._threads < self.limit:
                self._place(self._waiting.popleft())
            self._look_if_drained()

    def _next(self, seat: _Seat) -> Job | None:
        """The next job of a green thread, waiting for it if need be. None: this thread is not wanted any more."""
        if self._threads > self.limit:
            return None
        if self._waiting:
            return self._waiting.popleft()
        self._idle.append(seat)
        self._look_if_drained()
        seat.ready.acquire()
        job, seat.job = seat.job, None
        return job

    def _look_if_drained(self) -> None:
        if self._running:
            return
        if self._drained is not None and not self._drained.ready():
            self._drained.send()
        elif not self.active:  # the loop may wait for this in its poll: not every job that ends is told
            self._calls.ring()

    def terminate_job(self, pid: int, signal: int | None = None) -> None:
        """End a running task by its number: `revoke(terminate=True)`, and Celery's own reasons.

        The signal does not matter: GreenletExit is raised where the task waits, and its `finally` runs.
        """
        job = self._running.get(pid)
        if job is not None:
            job.end(GreenletExit())

    # Size

    def grow(self, n: int = 1) -> None:
        """Have `n` tasks more at once."""
        self.limit += n
        while self._waiting and self._threads < self.limit:
            self._place(self._waiting.popleft())

    def shrink(self, n: int = 1) -> None:
        """Have `n` tasks less at once. What runs is not ended.

        Raises:
            ValueError: there are not so many.
        """
        if n > self.limit:
            raise ValueError(f"the pool has room for {self.limit} tasks and cannot shrink by {n}")
        self.limit -= n
        surplus = max(0, self._threads - self.limit)
        for seat in self._idle[:surplus]:
            seat.ready.release()  # without a job: its green thread ends
        del self._idle[:surplus]

    @property
    def num_processes(self) -> int:
        """How many tasks run at once at most; Celery calls it so."""
        return int(self.limit)

    def _get_info(self) -> dict[str, Any]:
        info: dict[str, Any] = super()._get_info()
        info.update({"green-threads": self._threads, "running": len(self._running), "waiting": len(self._waiting)})
        return info

    # The end

    def flush(self) -> None:
        """Drop what has not begun. Called when the connection is lost: the broker gives these tasks out again."""
        self._dropped += [job.delivery_tag for job in self._waiting]
        self._waiting.clear()

    def on_close(self) -> None:
        """Take no more tasks, and drop those that have not begun."""
        self._waiting.clear()

    def on_stop(self) -> None:
        """Warm shutdown: wait for what runs, while Celery's loop goes on acknowledging and sending heartbeats.

        The consumer is cancelled by now. What was on its way is refused by `on_apply`, and the broker keeps it.
        """
        self.close()  # at a cold shutdown Celery does not: what it has ended would make room for what waits
        try:
            self._calls.turn_while(lambda: self._running)
        except Exception as error:  # noqa: BLE001  # mostly a lost connection; what runs is to end all the same
            logger.warning("Lost the broker during the shutdown: %r", error)
        self._finish(None)

    def on_terminate(self) -> None:
        """Cold shutdown: end what runs."""
        self._waiting.clear()
        for job in list(self._running.values()):
            job.end(GreenletExit())
        self._finish(_LAST_WORDS)

    def _finish(self, seconds: float | None) -> None:
        """Wait for what runs, so many seconds at most, and have the idle green threads end."""
        if self._running:
            if self._drained is None:  # another shutdown may wait already, when a second signal comes
                self._drained = Event()
            self._drained.wait(seconds)
        self._calls.close()
        for seat in self._idle:
            seat.ready.release()
        self._idle.clear()
