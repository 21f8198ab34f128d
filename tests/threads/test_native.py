"""Calls in native threads: results, errors, callers that leave early, and that nothing stays behind."""

import contextvars
import gc
import traceback
import weakref
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import get_ident, monotonic, start_new_thread, time_sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.threads.native import NativePool
from greening.timeout import Timeout

# Calls


def test_the_call_is_made_in_another_os_thread_with_its_arguments(pool: NativePool) -> None:
    def call(*args: object, **kwargs: object) -> Any:
        return get_ident(), args, kwargs

    ident, args, kwargs = pool.execute(call, 1, 2, func=3)
    assert ident != get_ident()
    assert args == (1, 2)
    assert kwargs == {"func": 3}


def test_others_run_meanwhile(pool: NativePool, new_gate: Any) -> None:
    gate = new_gate("done")
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
    assert "run" not in names  # the frames of the pool are left out


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


def test_from_the_hub_the_loop_goes_on_meanwhile(pool: NativePool) -> None:
    done = Event()
    get_hub().post(lambda: done.send(pool.execute(int, "5")))
    assert done.wait(5) == 5


def test_what_is_no_call_is_an_error_of_the_caller(pool: NativePool) -> None:
    with pytest.raises(TypeError):
        pool.execute(5)  # type: ignore[arg-type]


# Leaving early


def test_a_killed_waiter_leaves_at_once_and_the_outcome_is_dropped(
    pool: NativePool, capsys: pytest.CaptureFixture[str], new_gate: Any, drain: Any
) -> None:
    for result in (object(), ValueError("dropped")):
        gate = new_gate(result)
        waiter = spawn(pool.execute, gate)
        gate.started.wait()
        waiter.kill()
        assert waiter.dead
        assert get_hub().external_waits == 1
        gate.open()
        drain()
    assert pool.execute(int, "7") == 7
    assert capsys.readouterr().err == ""


def test_a_timeout_leaves_at_once(pool: NativePool, new_gate: Any, drain: Any) -> None:
    gate = new_gate()
    with pytest.raises(Timeout):
        with Timeout(0.01):
            pool.execute(gate)
    gate.open()
    drain()


def test_the_outcome_of_a_call_that_was_left_is_freed_in_the_native_thread(
    pool: NativePool, new_gate: Any, drain: Any
) -> None:
    freed_in: list[int] = []

    class Result:
        def __del__(self) -> None:
            freed_in.append(get_ident())

    gate = new_gate()

    def call() -> Result:
        gate()
        return Result()

    waiter = spawn(pool.execute, call)
    gate.started.wait()
    waiter.kill()
    gate.open()
    drain()
    assert len(freed_in) == 1
    assert freed_in[0] != get_ident()


def test_a_call_that_has_not_begun_is_never_made(pool: NativePool, new_gate: Any) -> None:
    gate, never = new_gate(), new_gate()
    busy = [spawn(pool.execute, gate) for _ in range(2)]
    late = spawn(pool.execute, never)
    gate.started.wait()
    sleep(0)
    assert len(pool._backlog) == 1
    late.kill()
    assert not pool._backlog
    assert get_hub().external_waits == 2
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
