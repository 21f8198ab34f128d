"""`wait_until_parked`: an event where a test would otherwise sleep, and hope that a thread has got far enough."""

from typing import Any

from greening._core.current import current
from greening._core.task import DEAD, NEW, PARKED, Task
from greening._core.waiting import yield_now
from greening._originals import monotonic, time_sleep
from greening.threads.handle import live_thread

# Seconds between two looks at a thread of another OS thread. Such a thread does not report that it waits.
_PAUSE = 0.0005


def wait_until_parked(thread: Any, seconds: float = 5.0) -> None:
    """Let others run until `thread` waits for something: a descriptor, a lock, a timer, another thread.

    Time does not pass on a fake clock. On return the thread waits inside the call that the test is about.

    Args:
        thread: a green thread, or a started `threading.Thread` of a patched process. Of any OS thread.
        seconds: real time to wait for that at most, relative.
    Raises:
        RuntimeError: the thread has ended, it is the running one, or it is no green thread but an OS thread.
        TimeoutError: it did not wait in time.
        TypeError: it is no thread that has been started.
    Thread-safety: call it in any thread, except `thread` itself, which cannot wait meanwhile.
    Source: trio's `wait_all_tasks_blocked` serves the same purpose for a whole program.
    """
    task = thread if isinstance(thread, Task) else _task_of(thread)
    me = current()
    if task is me:
        raise RuntimeError(f"{task.name} is the running thread: it does not wait")
    latest = monotonic() + seconds
    while task.state != PARKED:
        if task.state == DEAD or (task.state != NEW and getattr(task, "dead", False)):
            raise RuntimeError(f"{task.name} has ended, and will never wait")
        if monotonic() > latest:
            raise TimeoutError(f"{task.name} did not wait for anything within {seconds} s")
        if task.hub is me.hub:
            yield_now()
        else:
            time_sleep(_PAUSE)


def _task_of(thread: Any) -> Task:
    ident = getattr(thread, "ident", None)
    if not isinstance(ident, int):
        raise TypeError(f"a green thread that has been started is needed, not {thread!r}")
    task = live_thread(ident)
    if task is None:
        raise RuntimeError(f"{thread!r} is no running green thread: it has ended, or is an OS thread")
    return task
