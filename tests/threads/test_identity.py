"""Which thread is running: idents, the main thread, and where a new thread lives."""

from typing import Any

import greenlet
import pytest

from greening._core.current import current, get_hub
from greening._core.greenthread import spawn
from greening._originals import get_ident as native_ident
from greening._originals import start_new_thread
from greening.sync.event import Event
from greening.testing import Fake, fake_hub
from greening.threads import identity
from greening.threads.identity import (
    get_ident,
    get_main_thread_ident,
    green_task,
    home_hub,
    is_alive,
    is_main_thread,
    is_os_thread,
    main_os_thread,
    settle_home,
)


def in_os_thread(func: Any) -> Any:
    """Result of a call in a plain OS thread, which has no hub."""
    done = Event()
    hub = get_hub()
    start_new_thread(lambda: (lambda result: hub.post(lambda: done.send(result)))(func()), ())
    return done.wait(5)


def in_foreign_greenlet(func: Any) -> Any:
    return greenlet.greenlet(func).switch()


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is patched: no hub is the home of the threads that plain OS threads start."""
    monkeypatch.setattr(identity._home, "hub", None)


def test_the_main_greenlet_is_its_os_thread() -> None:
    assert is_os_thread() and green_task() is None
    assert get_ident() == native_ident() == get_main_thread_ident() == main_os_thread()
    other, its_native_ident, is_one = in_os_thread(lambda: (get_ident(), native_ident(), is_os_thread()))
    assert other == its_native_ident != get_ident()
    assert is_one


def test_every_green_thread_has_an_ident_of_its_own() -> None:
    threads = [spawn(lambda: (get_ident(), green_task() is current(), is_os_thread())) for _ in range(3)]
    answers = [thread.wait() for thread in threads]
    assert answers == [(thread.ident, True, False) for thread in threads]
    assert len({get_ident(), *(ident for ident, _, _ in answers)}) == 4


def test_a_foreign_greenlet_has_an_ident_of_its_own() -> None:
    first, again = in_foreign_greenlet(lambda: (get_ident(), get_ident()))
    assert first == again != get_ident()


def test_only_what_runs_on_behalf_of_the_main_thread_is_the_main_thread() -> None:
    assert is_main_thread()
    assert in_foreign_greenlet(is_main_thread)
    assert not spawn(is_main_thread).wait()
    assert not spawn(in_foreign_greenlet, is_main_thread).wait()
    assert not in_os_thread(is_main_thread)


@pytest.mark.usefixtures("no_home")
def test_children_of_a_green_thread_live_beside_it(fake: Fake) -> None:
    assert home_hub() is fake.hub
    assert spawn(home_hub).wait() is fake.hub


@pytest.mark.usefixtures("no_home")
def test_children_of_a_plain_os_thread_live_with_the_main_thread_once_it_is_home() -> None:
    home = get_hub()
    assert in_os_thread(lambda: home_hub() is home) is False
    in_os_thread(settle_home)
    assert identity._home.hub is None, "it is not the main one"
    settle_home()
    assert in_os_thread(lambda: home_hub() is home) is True
    with fake_hub() as other:
        assert home_hub() is home, "the main greenlet of another hub is a plain thread, too"
        assert spawn(home_hub).wait() is other.hub


def test_a_task_is_alive_until_it_has_ended() -> None:
    thread = spawn(lambda: is_alive(current()))
    assert is_alive(thread)
    assert thread.wait() is True
    assert not is_alive(thread)
    assert is_alive(current())


def test_a_foreign_greenlet_is_alive_until_it_has_ended() -> None:
    seen: list[Any] = []
    glet = greenlet.greenlet(lambda: seen.append(current()) or greenlet.getcurrent().parent.switch())  # type: ignore[union-attr]
    glet.switch()
    assert is_alive(seen[0])
    glet.switch()
    assert not is_alive(seen[0])


@pytest.mark.usefixtures("no_home")
def test_the_forking_thread_is_the_main_thread_of_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity._home, "main_ident", identity._home.main_ident)
    settle_home()
    thread = spawn(lambda: (identity._after_fork_in_child(), is_main_thread(), get_main_thread_ident()))
    assert thread.wait() == (None, True, thread.ident)
    assert main_os_thread() == native_ident()
    assert not is_main_thread()
