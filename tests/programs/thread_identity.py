"""Which thread is which in a patched program: idents, current_thread, dummies, enumerate."""

import _thread

native_ident = _thread.get_ident()

import greening

greening.monkey_patch()

import contextlib
import gc
import io
import logging
import threading
import weakref
from collections.abc import Callable

from greenlet import greenlet

from greening._core.current import has_hub
from greening._originals import allocate_lock, start_new_thread

SCENES: list[Callable[[], None]] = []


def scene(func: Callable[[], None]) -> None:
    SCENES.append(func)


def run(target: Callable[[], object]) -> list[object]:
    """What `target` returns in a Thread of its own, and the Thread."""
    result: list[object] = []
    thread = threading.Thread(target=lambda: result.append(target()))
    thread.start()
    thread.join()
    return [*result, thread]


def native(target: Callable[[], object]) -> object:
    """What `target` returns in an OS thread that the stdlib knows nothing of."""
    result: list[object] = []
    gate = allocate_lock()
    gate.acquire()

    def body() -> None:
        try:
            result.append(target())
        finally:
            gate.release()

    start_new_thread(body, ())
    gate.acquire()
    return result[0]


@scene
def the_main_greenlet_is_the_main_thread() -> None:
    assert threading.get_ident() == _thread.get_ident() == native_ident
    main = threading.main_thread()
    assert threading.current_thread() is main and main.ident == native_ident and main.is_alive()
    assert main.name == "MainThread" and type(main) is threading._MainThread


@scene
def every_thread_has_an_ident_of_its_own_that_stays() -> None:
    def body() -> tuple[int, int, int]:
        before = threading.get_ident()
        greening.sleep(0)
        return before, _thread.get_ident(), threading.current_thread().ident

    threads = [threading.Thread(target=lambda: seen.append(body())) for _ in range(20)]
    seen: list[tuple[int, int, int]] = []
    for thread in threads:
        thread.start()
    bare = [greening.spawn(body) for _ in range(20)]
    for thread in threads:
        thread.join()
    seen += [task.wait() for task in bare]
    assert all(len(set(idents)) == 1 for idents in seen), seen
    assert len({idents[0] for idents in seen} | {native_ident}) == 41
    assert [thread.ident for thread in threads] == [idents[0] for idents in seen[:20]]


@scene
def a_thread_is_the_current_thread() -> None:
    current, thread = run(threading.current_thread)
    assert current is thread


@scene
def a_green_thread_has_a_dummy_that_nothing_else_keeps() -> None:
    def body() -> tuple[threading.Thread, bool, bool]:
        thread = threading.current_thread()
        greening.sleep(0)
        same = threading.current_thread() is thread
        return thread, same, threading.enumerate() == [threading.main_thread()] and thread.is_alive()

    task = greening.spawn(body)
    task.name = "worker"
    thread, same, unregistered = task.wait()
    assert same and unregistered and isinstance(thread, threading._DummyThread)
    assert (thread.ident, thread.name, thread.daemon, thread.is_alive()) == (task.ident, "worker", True, False)
    assert "worker" in repr(thread)
    dead = weakref.ref(thread)
    del thread, task
    gc.collect()
    assert dead() is None and threading.active_count() == 1


@scene
def a_foreign_greenlet_has_a_dummy_too() -> None:
    def body() -> threading.Thread:
        thread = threading.current_thread()
        assert thread is threading.current_thread() and thread.ident == threading.get_ident() != native_ident
        assert thread.is_alive() and threading.active_count() == 1
        return thread

    thread = greenlet(body).switch()
    assert not thread.is_alive() and threading.current_thread() is threading.main_thread()


@scene
def a_raw_thread_has_a_dummy_that_is_listed_while_it_runs() -> None:
    gate, seen = threading.Event(), []

    def body() -> None:
        seen.append(threading.current_thread())
        gate.wait()

    ident = _thread.start_new_thread(body, ())
    greening.sleep(0)
    assert seen[0].ident == ident and seen[0] in threading.enumerate() and seen[0].is_alive()
    gate.set()
    for _ in range(3):  # before 3.12.2 the last one is kept
        _thread.start_new_thread(threading.current_thread, ())
    for _ in range(3):
        greening.sleep(0)
    assert seen[0] not in threading.enumerate() and threading.active_count() <= 2


@scene
def dummies_by_the_thousand_leave_nothing_behind() -> None:
    logger = logging.getLogger("dummies")
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    logger.propagate = False
    gc.collect()
    before = len(threading._active), len(threading._dangling)

    def body() -> None:
        logger.warning("from %s", threading.current_thread().name)

    for task in [greening.spawn(body) for _ in range(1000)]:
        task.wait()
    del task
    for _ in range(1000):
        greenlet(body).switch()
    greening.sleep(0.001)  # the hub knows the greenlet that it ran last
    gc.collect()
    assert (len(threading._active), len(threading._dangling)) == before


@scene
def a_green_threads_dummy_can_be_joined() -> None:
    seen: list[object] = []
    gate = threading.Event()

    def body() -> None:
        seen.append(threading.current_thread())
        try:
            threading.current_thread().join()
        except RuntimeError as error:
            seen.append(str(error))
        gate.wait()
        seen.append("end")
        raise SystemExit if seen[1] != "cannot join current thread" else greening.GreenletExit

    task = greening.spawn(body)
    greening.sleep(0)
    thread = seen[0]
    thread.join(0.001)
    thread.join(-1)
    assert thread.is_alive() and seen[1:] == ["cannot join current thread"]
    greening.spawn(gate.set)
    thread.join()
    assert seen[2:] == ["end"] and not thread.is_alive()
    thread.join()
    del task
    gc.collect()
    thread.join()


@scene
def a_native_thread_is_itself_and_needs_no_hub() -> None:
    def body() -> tuple[int, int, str, bool, bool]:
        local = threading.local()
        local.value = 1
        lock = threading.RLock()
        with lock, threading.Lock():
            thread = threading.current_thread()
        return threading.get_ident(), thread.ident, thread.name, thread.is_alive(), has_hub()

    ident, of_thread, name, alive, hub = native(body)
    assert ident == of_thread != native_ident and name.startswith("Dummy-") and alive and not hub


@scene
def the_main_greenlet_of_an_os_thread_has_a_dummy_that_cannot_be_joined() -> None:
    def body() -> str:
        try:
            threading.current_thread().join()
        except (RuntimeError, AssertionError) as error:
            return str(error)
        return ""

    assert "cannot join" in native(body)


@scene
def a_thread_that_a_native_thread_starts_lives_on_without_it() -> None:
    seen: list[object] = []
    gate = threading.Event()

    def body() -> None:
        gate.wait()
        seen.append(threading.current_thread())

    def start() -> threading.Thread:
        thread = threading.Thread(target=body)
        thread.start()
        thread.join(0.01)
        assert thread.is_alive()
        return thread

    done: list[threading.Thread] = []
    start_new_thread(lambda: done.append(start()), ())
    while not done:
        greening.sleep(0.001)
    assert done[0] in threading.enumerate()
    gate.set()
    done[0].join()
    assert seen == done


@scene
def pickles_copies_and_subclasses_are_refused_as_ever() -> None:
    import copy
    import pickle

    for lock in (threading.Lock(), threading.RLock()):
        for function in (pickle.dumps, copy.copy, copy.deepcopy):
            with contextlib.suppress(TypeError):
                function(lock)
                raise AssertionError(function)
    with contextlib.suppress(TypeError):
        type("Mine", (type(threading.Lock()),), {})
        raise AssertionError
    assert repr(threading.Lock()).startswith("<unlocked _thread.lock object at 0x")
    assert repr(threading.RLock()).startswith("<unlocked _thread.RLock object owner=0 count=0 at 0x")


if __name__ == "__main__":
    for scene_ in SCENES:
        scene_()
