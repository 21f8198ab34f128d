"""The identity of the running thread, green or native, and the hub in which a new thread lives.

The main greenlet of an OS thread is that OS thread: it keeps the native ident. So everything that was locked, imported
or registered before patching stays right without being rewritten.
"""

from typing import Any

from greenlet import getcurrent as _getcurrent
from greenlet import greenlet

from greening._core.current import ForeignTask, current, get_hub
from greening._core.deadlock import first_thread
from greening._core.fork import THREADS, on_child
from greening._core.greenthread import GreenThread
from greening._core.hub import Hub
from greening._core.running import task_of
from greening._core.task import DEAD, Task
from greening._originals import get_ident as _native_ident
from greening.sync.event import Event


class _Home:
    """Process-wide: the hub of the main OS thread, and which thread is the main thread.

    Attributes:
        hub: runs the green threads that plain OS threads start; None until the main OS thread is patched.
        main_ident: ident of the main thread. A child of fork has the forking thread for it.
        main_os_thread: native ident of the OS thread in which Python runs signal handlers.
    """

    __slots__ = ("hub", "main_ident", "main_os_thread")

    def __init__(self) -> None:
        self.hub: Hub | None = None
        self.main_ident = self.main_os_thread = first_thread


_home = _Home()


def get_ident() -> int:
    """The running thread's number: stable, and unique among all threads, green and native. `threading.get_ident`."""
    try:
        # `known_task` without its frame: 16 % of the row `asyncio-echo` in pure Python.
        task: Task = _getcurrent()._greening_task  # type: ignore[attr-defined]  # set by the engine
    except (AttributeError, RuntimeError):
        # A plain OS thread need not get a hub for being asked its name.
        return _native_ident() if is_os_thread() else current().ident
    return task.known_ident or task.ident


def is_os_thread() -> bool:
    """True in the main greenlet of an OS thread, which is that OS thread."""
    try:
        return _getcurrent().parent is None
    except RuntimeError:  # the interpreter is being finalized: only its main thread is left
        return True


def green_task() -> Task | None:
    """The running task; None in the main greenlet of an OS thread."""
    return None if is_os_thread() else current()


def get_main_thread_ident() -> int:
    """Ident of the main thread. `_thread._get_main_thread_ident`."""
    return _home.main_ident


def is_main_thread() -> bool:
    """True in the main thread, and in what runs on its behalf.

    On its behalf run its signal handlers, which are green threads with its ident; the hub of its OS thread; and foreign
    greenlets that it switches to (SQLAlchemy runs its sessions in such): their `parent` leads back to it.
    """
    try:
        glet: greenlet | None = _getcurrent()
        while glet is not None:
            task = task_of(glet)
            if isinstance(task, GreenThread):
                return task.ident == _home.main_ident
            glet = glet.parent
    except RuntimeError:  # the interpreter is being finalized: only its main thread is left
        pass
    return _native_ident() == _home.main_ident


def main_os_thread() -> int:
    """Native ident of the OS thread in which Python runs signal handlers."""
    return _home.main_os_thread


def settle_home() -> None:
    """Make the calling OS thread's hub the home of green threads that plain OS threads start, if it is the main one."""
    if _native_ident() == _home.main_os_thread:
        _home.hub = get_hub()


def home_hub() -> Hub:
    """The hub of a thread that the caller starts.

    A green thread's children live in its own hub. A plain OS thread's hub stops when its function returns, so its
    children live with the main thread.
    """
    task = current()
    hub = task.hub
    home = _home.hub
    return home if home is not None and hub is not home and task is hub.main else hub


def is_alive(task: Task) -> bool:
    """Whether a task that `threading` did not start has not ended."""
    if task.state == DEAD:
        return False
    glet = task.greenlet
    return not isinstance(task, ForeignTask) if glet is None else not glet.dead


def join(thread: GreenThread[Any], timeout: float | None) -> None:
    """Park until a green thread that `threading` did not start has ended, however it ends: `Thread.join` for it.

    Args:
        timeout: seconds from now; None: no limit. It returns as well when the time has run out.
    Raises:
        RuntimeError: it would wait for itself.
    """
    if thread is current():
        raise RuntimeError("cannot join current thread")
    ended = Event()
    thread.link(_send, ended)
    try:
        ended.wait(timeout)
    finally:
        thread.unlink(_send, ended)


def _send(thread: object, event: Event) -> None:
    event.send()


def _after_fork_in_child() -> None:
    _home.main_ident = get_ident()
    _home.main_os_thread = _native_ident()
    if _home.hub is not None:
        _home.hub = get_hub()


on_child(THREADS, _after_fork_in_child)
