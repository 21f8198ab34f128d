"""Starting, ending, joining and killing threads in a patched program."""

import greening

greening.monkey_patch()

import _thread
import contextvars
import gc
import io
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from greening._core.running import running_task
from greening._originals import start_new_thread as start_native

SCENES: list[Callable[[], None]] = []


def scene(func: Callable[[], None]) -> None:
    SCENES.append(func)


@contextmanager
def raises(kind: type[BaseException], text: str = "") -> Iterator[None]:
    try:
        yield
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"no {kind.__name__}")


def start(target: Callable[..., object], *args: object, **kwargs: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, **kwargs)
    thread.start()
    return thread


@contextmanager
def hooked(name: str) -> Iterator[list[Any]]:
    """What `threading.excepthook` or `sys.unraisablehook` is called with."""
    module = threading if name == "excepthook" else sys
    seen: list[Any] = []
    before = getattr(module, name)
    setattr(module, name, seen.append)
    try:
        yield seen
    finally:
        setattr(module, name, before)


@scene
def join_waits_or_times_out_or_refuses() -> None:
    gate = threading.Event()
    thread = start(gate.wait)
    assert thread.join(0.001) is None and thread.join(0) is None and thread.join(-1) is None and thread.is_alive()
    joiners = [start(thread.join) for _ in range(3)] + [start(thread.join, 60) for _ in range(3)]
    greening.sleep(0)
    gate.set()
    for joiner in joiners:
        joiner.join()
    assert not thread.is_alive() and thread.join() is None and thread.join(1) is None
    with raises(RuntimeError, "before it is started"):
        threading.Thread().join()
    with raises(RuntimeError, "cannot join current thread"):
        threading.main_thread().join()
    with raises(RuntimeError, "only be started once"):
        thread.start()
    with raises(RuntimeError, "daemon status of active"):
        thread.daemon = True


@scene
def start_returns_when_the_thread_runs() -> None:
    seen = []
    thread = start(lambda: seen.append(1))
    assert seen == [1] and thread.ident and thread.native_id == threading.get_native_id()
    thread.join()


@scene
def subclasses_run_green() -> None:
    class Worker(threading.Thread):
        def __init__(self) -> None:
            super().__init__(name="me", daemon=True)
            self.seen: list[object] = []

        def run(self) -> None:
            all_run.wait(60)  # one after the other they would wait for ever
            self.seen += [threading.current_thread() is self, self.name, self.daemon]

    all_run = threading.Barrier(100)
    workers = [Worker() for _ in range(100)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(worker.seen == [True, "me", True] for worker in workers)


@scene
def errors_go_to_the_excepthook() -> None:
    def fail(error: BaseException) -> None:
        raise error

    with hooked("excepthook") as seen:
        for error in (ValueError("x"), KeyboardInterrupt("x")):
            thread = start(fail, error)
            thread.join()
            assert seen[-1].exc_value is error and seen[-1].thread is thread
        start(fail, greening.GreenletExit()).join()
        assert len(seen) == 2
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        start(fail, SystemExit("silent")).join()
        assert sys.stderr.getvalue() == ""
        start(fail, ValueError("loud"), name="named").join()
        assert sys.stderr.getvalue().startswith("Exception in thread named:\nTraceback")
    finally:
        sys.stderr = stderr


@scene
def errors_of_raw_threads_are_unraisable() -> None:
    def fail() -> None:
        raise ValueError("raw")

    with hooked("unraisablehook") as seen:
        _thread.start_new_thread(fail, ())
        _thread.start_new_thread(sys.exit, (1,))
        _thread.start_new_thread(_thread.exit, ())
        greening.sleep(0)
    assert len(seen) == 1 and str(seen[0].exc_value) == "raw" and "thread started by" in seen[0].err_msg
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        _thread.start_new_thread(fail, ())
        greening.sleep(0)
        lines = sys.stderr.getvalue().splitlines()
    finally:
        sys.stderr = stderr
    assert lines[0].startswith("Exception ignored in thread started by") and lines[-1] == "ValueError: raw", lines


@scene
def arguments_are_checked_as_ever() -> None:
    for args in ((1, ()), (print, []), (print, (), 1)):
        with raises(TypeError):
            _thread.start_new_thread(*args)
    seen = []
    _thread.start_new_thread(lambda *a, **k: seen.append((a, k)), (1,), {"x": 2})
    assert not seen
    greening.sleep(0)
    assert seen == [((1,), {"x": 2})]


@scene
def started_threads_are_counted() -> None:
    gate = threading.Event()
    before = _thread._count()
    threads = [start(gate.wait) for _ in range(3)]
    _thread.start_new_thread(gate.wait, ())
    assert _thread._count() == before + 4 and threading.active_count() == 4
    gate.set()
    for thread in threads:
        thread.join()
    greening.sleep(0)
    assert _thread._count() == before and threading.active_count() == 1


@scene
def a_thread_begins_in_the_context_of_its_version() -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="empty")
    var.set("main")
    inherits = bool(getattr(sys.flags, "thread_inherit_context", False))
    seen = []

    def body() -> None:
        seen.append(var.get())
        var.set("changed")

    start(body).join()
    _thread.start_new_thread(body, ())
    greening.spawn(body).wait()
    greening.sleep(0)
    assert seen == ["main" if inherits else "empty", "empty", "main"] and var.get() == "main", seen


@scene
def hooks_of_settrace_and_setprofile_see_their_threads_only() -> None:
    def body() -> None:
        greening.sleep(0)
        inner()
        greening.sleep(0)

    def inner() -> None:
        return None

    for set_hook, get in ((threading.settrace, sys.gettrace), (threading.setprofile, sys.getprofile)):
        seen: list[tuple[int, str]] = []

        def hook(frame: Any, event: str, arg: object, seen: Any = seen) -> None:
            seen.append((threading.get_ident(), frame.f_code.co_name))

        set_hook(hook)
        threads = [start(body), start(body)]
        inner()
        assert get() is None
        greening.sleep(0)
        inner()
        set_hook(None)
        for thread in threads:
            thread.join()
        inner()
        assert get() is None and sys.gettrace() is None
        assert sorted(ident for ident, name in seen if name == "inner") in (
            sorted(thread.ident for thread in threads),
            sorted([thread.ident for thread in threads] * 2),
        )
        assert {ident for ident, _ in seen} == {thread.ident for thread in threads}


@scene
def a_local_is_freed_with_its_thread() -> None:
    class Thing:
        pass

    local = threading.local()
    seen: list[Any] = []

    def body() -> None:
        local.thing = Thing()
        seen.append(weakref.ref(local.thing))

    start(body).join()
    _thread.start_new_thread(body, ())
    greening.spawn(body).wait()
    greening.sleep(0)
    assert [dead() for dead in seen] == [None, None, None] and not hasattr(local, "thing")


@scene
def nothing_of_a_thread_is_kept() -> None:
    class Thing:
        pass

    def body(thing: Thing) -> None:
        greening.sleep(0)

    thing = Thing()
    dead = weakref.ref(thing)
    thread = start(body, thing)
    del thing
    thread.join()
    ref = weakref.ref(thread)
    del thread
    assert dead() is None
    gc.collect()
    assert ref() is None


@scene
def timers_and_barriers() -> None:
    seen: list[object] = []
    timer = threading.Timer(0.001, seen.append, ("fired",))
    cancelled = threading.Timer(60, seen.append, ("cancelled",))
    timer.start()
    cancelled.start()
    cancelled.cancel()
    timer.join()
    cancelled.join()
    assert seen == ["fired"]
    barrier = threading.Barrier(3)
    threads = [start(lambda: seen.append(barrier.wait())) for _ in range(3)]
    for thread in threads:
        thread.join()
    assert sorted(seen[1:]) == [0, 1, 2]


@scene
def a_call_that_does_not_wait_does_not_switch() -> None:
    import queue

    me = running_task()
    me.takes_turns = False  # a busy machine may take the processor away for longer than a slice
    seen: list[int] = []
    _thread.start_new_thread(seen.append, (1,))
    lock, condition, event = threading.Lock(), threading.Condition(), threading.Event()
    channel, simple = queue.Queue(), queue.SimpleQueue()
    lock.acquire()
    assert not lock.acquire(False)
    lock.release()
    with condition:
        condition.notify_all()
    event.set()
    channel.put(1)
    simple.put(1)
    assert channel.get_nowait() == simple.get_nowait() == 1
    for empty in (channel, simple):
        with raises(queue.Empty):
            empty.get(False)
    assert not seen
    me.takes_turns = True
    greening.sleep(0)
    assert seen == [1]


@scene
def interrupt_main_interrupts_the_main_greenlet() -> None:
    thread = threading.Thread(target=_thread.interrupt_main)
    with raises(KeyboardInterrupt):
        thread.start()
        thread.join()
        greening.sleep(1)
    thread.join()


@scene
def locks_pass_between_hubs_and_native_threads() -> None:
    lock, condition, counts, running = threading.Lock(), threading.Condition(), [0, 0], []

    def body() -> None:
        running.append(1)
        for _ in range(200):
            with lock:
                counts[0] += 1
                number = counts[1]
                time.sleep(0)
                counts[1] = number + 1
        with condition:
            running.pop()
            condition.notify_all()

    for _ in range(3):
        start_native(body, ())
    threads = [start(body) for _ in range(3)]
    with condition:
        assert condition.wait_for(lambda: counts[0] == 1200 and not running, 30), counts
    for thread in threads:
        thread.join()
    assert counts == [1200, 1200]


if __name__ == "__main__":
    for scene_ in SCENES:
        if len(sys.argv) < 2 or scene_.__name__ in sys.argv:
            scene_()
