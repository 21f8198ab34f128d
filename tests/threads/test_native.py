"""Native threads: results, errors, who leaves, who waits, how many there are, and that nothing stays behind."""

import contextvars
import gc
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.stuck import idle_natives
from greening._core.waiting import sleep
from greening._originals import allocate_lock, get_ident, monotonic, start_new_thread, time_sleep
from greening.errors import BlockingInHub, GreenletExit
from greening.sync.event import Event
from greening.threads import native
from greening.threads.native import NativePool, wait_gone
from greening.timeout import Timeout


@pytest.fixture
def pool() -> Iterator[NativePool]:
    pool = NativePool(2)
    yield pool
    assert get_hub().pending == 0
    wait_gone(pool.dismiss_idle())
    assert not pool._alive
    native._pools.remove(pool)


class Gate:
    """A call that blocks its OS thread until it is opened. `started` says that it has begun, to green threads."""

    def __init__(self, result: Any = None) -> None:
        self.started = Event()
        self.calls = 0
        self._result = result
        self._hub = get_hub()
        self._lock = allocate_lock()
        self._lock.acquire()

    def __call__(self) -> Any:
        self.calls += 1
        if self.calls == 1:
            self._hub.post(self.started.send)
        self._lock.acquire()
        self._lock.release()
        if isinstance(self._result, BaseException):
            raise self._result
        return self._result

    def open(self) -> None:
        self._lock.release()


def drain(pool: NativePool) -> None:
    """Wait until all that was begun is done and posted."""
    while get_hub().pending:
        sleep(0.001)
    assert len(pool._idle) == len(pool._alive)


# Calls


def test_the_call_is_made_in_another_os_thread_with_its_arguments(pool: NativePool) -> None:
    def call(*args: object, **kwargs: object) -> Any:
        return get_ident(), args, kwargs

    ident, args, kwargs = pool.execute(call, 1, 2, func=3)
    assert ident != get_ident()
    assert args == (1, 2)
    assert kwargs == {"func": 3}


def test_others_run_meanwhile(pool: NativePool) -> None:
    gate = Gate("done")
    waiter = spawn(pool.execute, gate)
    gate.started.wait()  # the native thread stands at the gate, and we are here
    assert not waiter.dead
    gate.open()
    assert waiter.wait() == "done"


def test_the_exception_comes_with_its_traceback(pool: NativePool) -> None:
    def deep() -> None:
        raise KeyError("there")

    def call() -> None:
        deep()

    with pytest.raises(KeyError, match="there") as caught:
        pool.execute(call)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-2:] == ["call", "deep"]
    assert "run" not in names  # how it got there is nobody's business


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GreenletExit(), StopIteration(1)])
def test_every_kind_of_exception_comes_back(pool: NativePool, error: BaseException) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        pool.execute(call)
    assert caught.value is error
    assert pool.execute(int, "7") == 7


def test_context_variables_go_with_the_call_and_do_not_come_back(pool: NativePool) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("mine")

    def call() -> str:
        seen = variable.get()
        variable.set("changed there")
        return seen

    assert pool.execute(call) == "mine"
    assert variable.get() == "mine"


def test_a_call_from_a_native_thread_is_made_on_the_spot(pool: NativePool) -> None:
    def outer() -> tuple[int, int]:
        return get_ident(), pool.execute(get_ident)

    ident, inner = pool.execute(outer)
    assert ident == inner


def test_a_call_from_a_plain_os_thread(pool: NativePool) -> None:
    outcome: list[int] = []
    done = Event()
    hub = get_hub()

    def plain() -> None:
        outcome.extend([get_ident(), pool.execute(get_ident)])
        hub.post(done.send)

    start_new_thread(plain, ())
    done.wait()
    assert outcome[0] != outcome[1]


def test_green_threads_may_be_used_in_a_native_thread(pool: NativePool) -> None:
    def call() -> int:
        return spawn(lambda: sleep(0) or 5).wait()

    assert pool.execute(call) == 5


def test_not_from_the_hub(pool: NativePool) -> None:
    caught = Event()

    def in_hub() -> None:
        try:
            pool.execute(int)
        except BlockingInHub as error:
            caught.send(str(error))

    get_hub().post(in_hub)
    assert "native thread" in caught.wait()


def test_what_is_no_call_is_an_error_of_the_caller(pool: NativePool) -> None:
    with pytest.raises(TypeError):
        pool.execute(5)  # type: ignore[arg-type]


# Leaving early


def test_a_killed_waiter_leaves_at_once_and_the_outcome_is_dropped(
    pool: NativePool, capsys: pytest.CaptureFixture[str]
) -> None:
    for result in (object(), ValueError("nobody wants to know")):
        gate = Gate(result)
        waiter = spawn(pool.execute, gate)
        gate.started.wait()
        waiter.kill()
        assert waiter.dead
        assert get_hub().pending == 1
        gate.open()
        drain(pool)
    assert pool.execute(int, "7") == 7
    assert capsys.readouterr().err == ""


def test_a_timeout_leaves_at_once(pool: NativePool) -> None:
    gate = Gate()
    with pytest.raises(Timeout):
        with Timeout(0.01):
            pool.execute(gate)
    gate.open()
    drain(pool)


def test_the_outcome_of_a_call_that_was_left_is_freed_in_the_native_thread(pool: NativePool) -> None:
    freed_in: list[int] = []

    class Result:
        def __del__(self) -> None:
            freed_in.append(get_ident())

    gate = Gate()

    def call() -> Result:
        gate()
        return Result()

    waiter = spawn(pool.execute, call)
    gate.started.wait()
    waiter.kill()
    gate.open()
    drain(pool)
    assert len(freed_in) == 1
    assert freed_in[0] != get_ident()


def test_a_call_that_has_not_begun_is_never_made(pool: NativePool) -> None:
    gate, never = Gate(), Gate()
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    late = spawn(pool.execute, never)
    gate.started.wait()
    sleep(0)
    assert len(pool._backlog) == 1
    late.kill()
    assert not pool._backlog
    assert get_hub().pending == 2
    gate.open()
    for waiter in busy:
        waiter.wait()
    assert never.calls == 0


def test_nothing_of_a_call_is_kept(pool: NativePool) -> None:
    class Thing:
        pass

    def call(thing: Thing) -> Thing:
        return thing

    def fail(thing: Thing) -> None:
        raise ValueError(thing)

    references = []
    for func in (call, fail):
        thing = Thing()
        references.append(weakref.ref(thing))
        try:
            pool.execute(func, thing)  # type: ignore[arg-type]
        except ValueError:
            pass
        del thing
    enabled = gc.isenabled()
    gc.disable()  # no cycles either
    try:
        deadline = monotonic() + 5
        while any(reference() is not None for reference in references) and monotonic() < deadline:
            time_sleep(0.001)  # the native thread is about to let go of it
        assert [reference() for reference in references] == [None, None]
    finally:
        if enabled:
            gc.enable()


# How many


def test_threads_are_started_when_needed_and_used_again(pool: NativePool) -> None:
    assert not pool._alive
    idents = {pool.execute(get_ident) for _ in range(10)}
    assert len(idents) == 1
    assert len(pool._alive) == 1


def test_no_more_threads_than_size_and_first_come_first_served(pool: NativePool) -> None:
    gate = Gate()
    order: list[int] = []
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    waiting = [spawn(pool.execute, order.append, number) for number in range(10)]
    gate.started.wait()
    sleep(0)
    assert len(pool._alive) == 2
    assert len(pool._backlog) == 10
    gate.open()
    for waiter in (*busy, *waiting):
        waiter.wait()
    assert sorted(order) == list(range(10))
    assert order[0] in (0, 1)  # two serve the queue


def test_resize_upwards_serves_who_waits(pool: NativePool) -> None:
    gate = Gate()
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    late = spawn(pool.execute, int, "7")
    gate.started.wait()
    sleep(0)
    assert pool._backlog
    pool.resize(3)
    assert late.wait() == 7
    gate.open()
    for waiter in busy:
        waiter.wait()


def test_resize_downwards(pool: NativePool) -> None:
    gate = Gate()
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    gate.started.wait()
    sleep(0)
    pool.resize(1)
    assert len(pool._alive) == 1
    gate.open()
    for waiter in busy:
        waiter.wait()
    drain(pool)
    assert pool.execute(int, "7") == 7
    assert len(pool._alive) == 1


def test_size_0_makes_calls_on_the_spot_and_finishes_what_was_accepted(pool: NativePool) -> None:
    gate = Gate()
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    late = spawn(pool.execute, get_ident)
    gate.started.wait()
    sleep(0)
    pool.resize(0)
    assert pool.size == 0
    assert pool.execute(get_ident) == get_ident()
    gate.open()
    assert late.wait() != get_ident()
    for waiter in busy:
        waiter.wait()
    assert not pool._alive


def test_dismiss_all_lets_running_calls_end_and_serves_the_rest_with_new_threads(pool: NativePool) -> None:
    gate = Gate("done")
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    late = spawn(pool.execute, int, "7")
    gate.started.wait()
    sleep(0)
    pool.dismiss_all()
    assert late.wait() == 7
    gate.open()
    assert [waiter.wait() for waiter in busy] == ["done", "done"]
    drain(pool)


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), (1.5, TypeError), ("3", TypeError), (None, TypeError)])
def test_a_size_that_is_none(pool: NativePool, size: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        pool.resize(size)
    with pytest.raises(error):
        NativePool(size)
    assert pool.size == 2


def test_when_no_thread_is_to_be_had_the_call_is_made_on_the_spot(
    pool: NativePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(native, "start_new_thread", refuse)
        assert pool.execute(get_ident) == get_ident()
    other = pool.execute(get_ident)
    assert other != get_ident()
    gate = Gate()
    busy = spawn(pool.execute, gate)
    gate.started.wait()
    with monkeypatch.context() as patch:
        patch.setattr(native, "start_new_thread", refuse)
        late = spawn(pool.execute, get_ident)
        sleep(0)
        assert len(pool._backlog) == 1
        gate.open()
        assert late.wait() == other
    busy.wait()


# Idle threads


def test_idle_threads_are_known_as_such(pool: NativePool) -> None:
    gate = Gate()
    waiter = spawn(pool.execute, gate)
    gate.started.wait()
    (worker,) = pool._alive
    assert worker.native_id not in idle_natives
    gate.open()
    waiter.wait()
    assert worker.native_id in idle_natives  # at once: it has entered before it told us
    wait_gone(pool.dismiss_idle())
    assert worker.native_id not in idle_natives


def test_an_idle_thread_leaves_after_a_while(pool: NativePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "IDLE_SECONDS", 0.01)
    gate = Gate()
    waiter = spawn(pool.execute, gate)
    gate.started.wait()
    workers = list(pool._alive)
    gate.open()
    waiter.wait()
    wait_gone(workers)
    assert not pool._alive
    assert not pool._idle
    assert workers[0].native_id not in idle_natives
    assert pool.execute(int, "7") == 7


def test_a_deaf_pool_has_all_signals_blocked() -> None:
    import signal

    pool = NativePool(1, deaf=True)
    try:
        blocked = pool.execute(signal.pthread_sigmask, signal.SIG_BLOCK, ())
        assert {signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD} <= blocked
    finally:
        wait_gone(pool.dismiss_idle())
        native._pools.remove(pool)


# Whole programs


@pytest.mark.parametrize("idle_seconds", ["100", "0.05"])
def test_idle_threads_do_not_hide_a_deadlock(run_program: Callable[..., Any], idle_seconds: str) -> None:
    assert run_program("tpool_deadlock.py", idle_seconds).stdout == "deadlock 0\n"


def test_a_working_thread_is_no_deadlock(run_program: Callable[..., Any]) -> None:
    assert run_program("tpool_working_no_deadlock.py").stdout == "left\nwoken\n"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["idle", "working", "green", "computing"])
def test_exit_waits_for_nobody_and_says_nothing(run_program: Callable[..., Any], what: str) -> None:
    done = run_program("tpool_exit.py", what, timeout=10, python_args=("-X", "dev"))
    assert (done.stdout, done.stderr) == ("end of main\n", "")


def test_calls_in_exit_handlers(run_program: Callable[..., Any]) -> None:
    done = run_program("tpool_exit.py", "at exit", python_args=("-X", "dev"))
    assert (done.stdout, done.stderr) == ("end of main\n7 8\n", "")


@pytest.mark.slow
def test_fork(run_program: Callable[..., Any]) -> None:
    assert run_program("tpool_fork.py").stderr == "ok\n"


def test_keyboard_interrupt(run_program: Callable[..., Any]) -> None:
    assert run_program("tpool_interrupt.py", "caught").stdout == "in main\nin main, again False\n"


def test_uncaught_keyboard_interrupt_ends_the_program(run_program: Callable[..., Any]) -> None:
    done = run_program("tpool_interrupt.py", "uncaught", timeout=10, check=False)
    assert done.returncode == -2
    assert "KeyboardInterrupt" in done.stderr


@pytest.mark.slow
def test_size_from_the_environment(run_program: Callable[..., Any]) -> None:
    program = "\nfrom greening.threads.native import TPOOL\nprint(TPOOL.size)\n"
    assert run_program(program).stdout == "20\n"
    assert run_program(program, env={"GREENING_THREADPOOL_SIZE": "3"}).stdout == "3\n"
    for bad in ("-1", "many"):
        done = run_program(program, env={"GREENING_THREADPOOL_SIZE": bad}, check=False)
        assert f"GREENING_THREADPOOL_SIZE='{bad}'" in done.stderr
