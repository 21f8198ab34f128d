"""Trace and profile functions belong to the green thread that set them."""

import sys
from collections.abc import Iterator
from typing import Any

import greenlet
import pytest

from greening._core.current import current
from greening._core.waiting import yield_now
from greening.testing import settle
from greening.threads.handle import Handle, start_joinable_thread
from greening.threads.tracing import TracedThread

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture(autouse=True)
def _functions_are_put_back() -> Iterator[None]:
    before = sys.gettrace(), sys.getprofile(), greenlet.gettrace()
    sys.settrace(None)
    sys.setprofile(None)
    yield
    sys.settrace(before[0])
    sys.setprofile(before[1])
    greenlet.settrace(before[2])


def quiet(frame: Any, event: str, arg: Any) -> None:
    """A trace or profile function."""


def start(func: Any) -> Handle:
    return start_joinable_thread(func, kind=TracedThread)


def functions() -> tuple[Any, Any]:
    return sys.gettrace(), sys.getprofile()


def test_functions_of_a_thread_are_its_own() -> None:
    seen: list[Any] = []

    def traced() -> None:
        sys.setprofile(quiet)
        yield_now()
        seen.append(("traced", functions()))
        sys.setprofile(None)

    thread = start(traced)
    for _ in range(2):
        yield_now()
        seen.append(("main", functions()))
    thread.join()
    assert seen == [("main", (None, None)), ("traced", (None, quiet)), ("main", (None, None))]


def test_functions_of_the_others_are_back_when_they_run() -> None:
    inside: list[Any] = []
    thread = start(lambda: (inside.append(functions()), yield_now(), inside.append(functions())))
    sys.setprofile(quiet)
    yield_now()
    between = functions()
    thread.join()
    after = functions()
    sys.setprofile(None)
    assert inside == [(None, None), (None, None)], "a thread begins with none"
    assert between == after == (None, quiet)


def test_two_threads_do_not_see_each_others_functions() -> None:
    def second(*args: Any) -> None:
        """Another function."""

    seen: list[Any] = []

    def traced(function: Any) -> None:
        sys.setprofile(function)
        yield_now()
        seen.append(sys.getprofile())
        sys.setprofile(None)

    threads = [start(lambda f=f: traced(f)) for f in (quiet, second)]
    for thread in threads:
        thread.join()
    assert seen == [quiet, second]


def test_switches_are_left_alone_when_no_thread_is_traced() -> None:
    thread = start(yield_now)
    yield_now()
    assert greenlet.gettrace() is not None
    thread.join()
    assert greenlet.gettrace() is None


def test_a_hook_of_switches_that_was_there_before_goes_on() -> None:
    switches: list[str] = []

    def hook(event: str, places: Any) -> None:
        switches.append(event)

    greenlet.settrace(hook)
    thread = start(yield_now)
    yield_now()
    assert switches
    thread.join()
    assert greenlet.gettrace() is hook


def test_a_thread_that_is_killed_before_it_begins_changes_nothing() -> None:
    thread = start(lambda: None)
    (task,) = [task for task in current().hub.ready if isinstance(task, TracedThread)]
    task.kill()
    settle()
    assert thread.is_done()
    assert greenlet.gettrace() is None
