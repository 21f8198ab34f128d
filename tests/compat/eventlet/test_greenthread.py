"""eventlet.greenthread: the old names, which say that they are old, and `cancel`."""

import pytest

from greening._core.greenthread import GreenThread, spawn, spawn_after
from greening._core.waiting import sleep
from greening.compat.eventlet.greenthread import (
    TimeoutError,
    call_after,
    call_after_global,
    call_after_local,
    cancel,
    exc_after,
)
from greening.errors import GreenletExit
from greening.testing import settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")


def test_cancel_prevents_the_start_and_spares_what_runs() -> None:
    late, running = spawn_after(1, int), spawn(lambda: (sleep(1), "end")[1])
    settle()
    cancel(late)
    cancel(running)
    assert running.wait() == "end"
    with pytest.raises(GreenletExit):
        late.wait()


def test_an_old_call_after_is_made_and_can_be_cancelled() -> None:
    calls: list[int] = []
    with pytest.warns(DeprecationWarning, match="spawn_after"):
        call_after_global(1, calls.append, 1)
        call_after_global(1, calls.append, 2).cancel()
    sleep(2)
    assert calls == [1]


def test_a_local_call_is_not_made_when_its_maker_has_ended() -> None:
    calls: list[int] = []

    def maker(number: int) -> None:
        call_after(1, calls.append, number)
        sleep(number)

    with pytest.warns(DeprecationWarning, match="spawn_after_local"):
        spawn(maker, 0)
        spawn(maker, 2)
        sleep(3)
    assert calls == [2]
    assert call_after is call_after_local


def test_exc_after_raises_in_the_caller() -> None:
    with pytest.warns(DeprecationWarning, match="Timeout"):
        exc_after(1, KeyError("late"))
        never = exc_after(None, KeyError("never"))
    with pytest.raises(KeyError, match="late"):
        sleep(5)
    assert never.scheduled_time is None


def test_the_old_timeout_error_is_a_timeout() -> None:
    with pytest.warns(DeprecationWarning, match="Timeout"):
        timeout = TimeoutError(1)
    with pytest.raises(Timeout) as caught:
        sleep(5)
    assert caught.value is timeout


def test_links_are_called_also_after_one_that_raises_and_at_once_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr("threading.excepthook", lambda args: order.append(args.exc_type.__name__))

    def outer(thread: GreenThread[object]) -> None:
        thread.link(lambda _: order.append("inner"))
        order.append("outer")

    thread = spawn(int)
    thread.link(lambda _: divmod(1, 0))
    thread.link(outer)
    thread.link(lambda _: order.append("last"))
    thread.wait()
    settle()
    assert order == ["ZeroDivisionError", "inner", "outer", "last"]
    thread.link(lambda _: order.append("after its end"))
    assert order[-1] == "after its end"
