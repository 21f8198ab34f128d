"""What runs on a hub's OS thread, as another OS thread sees it."""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

import greening
from greening import tpool
from greening._core.current import get_hub
from greening._core.greenthread import GreenThread
from greening._core.hub import Hub
from greening._originals import allocate_lock, get_native_id, monotonic, time_sleep
from greening.debug.frames import is_ours_file
from greening.debug.samples import (
    DEPTH,
    Line,
    running_task,
    see,
    stack_of,
    use_of,
    users_line,
)


class Computing:
    """begun: released when the green thread computes; found: what was seen of it then."""

    def __init__(self) -> None:
        self.begun = allocate_lock()
        self.begun.acquire()
        self.found: list[Any] = []


def seen_from_outside(look: Callable[[Hub], Any], block: Callable[[Computing], Any]) -> tuple[Any, Any]:
    """What `look(hub)` returns in another OS thread while a green thread is in `block`, and that green thread."""
    hub, state = get_hub(), Computing()

    def looks() -> None:
        state.begun.acquire()
        state.found.append(look(hub))

    def blocks() -> None:
        block(state)

    native = greening.spawn(tpool.execute, looks)
    greening.sleep(0)  # the other OS thread has its call
    thread = greening.spawn(blocks)
    thread.wait()
    native.wait()
    return state.found[0], thread


def compute(state: Computing) -> None:
    state.begun.release()
    end = monotonic() + 10
    while not state.found and monotonic() < end:
        pass


def test_a_green_thread_that_computes_is_the_running_task() -> None:
    task, thread = seen_from_outside(running_task, compute)
    assert task is thread
    assert isinstance(thread, GreenThread)


def test_its_stack_begins_with_its_function_and_ends_where_it_is() -> None:
    sight, thread = seen_from_outside(see, compute)
    stack = sight.stack
    assert sight.task is thread
    assert sight.frame.f_code.co_name == "compute"
    assert [line.function.rpartition(".")[2] for line in stack[:2]] == ["blocks", "compute"]
    assert all(not is_ours_file(line.file) for line in stack[:2])
    assert stack[1].number > 0


def test_what_switched_to_a_foreign_greenlet_is_the_running_task() -> None:
    from greenlet import greenlet

    task, thread = seen_from_outside(running_task, lambda state: greenlet(compute).switch(state))
    assert task is not None
    assert task is thread or type(task).__name__ == "ForeignTask"


def test_a_green_thread_that_is_a_function_in_c_is_told_by_its_name() -> None:
    hub, found = get_hub(), []
    native = greening.spawn(tpool.execute, lambda: found.append((time_sleep(0.01), see(hub))))
    thread = greening.spawn(time_sleep, 0.1)
    thread.wait()
    native.wait()
    sight = found[0][1]
    assert sight is not None
    assert sight.task is thread
    if sight.frame is None:  # the compiled runner has none either
        assert sight.stack == (Line("", 0, "sleep"),)
        assert str(sight.stack[0]) == "sleep, in C"


def test_a_stack_begins_with_the_users_function(run_program: Any) -> None:
    """Not with what `threading`, the runner or the command line have below it."""
    done = run_program(
        "import sys, threading\n"
        "from greening.debug.samples import stack_of\n"
        "def target():\n"
        "    print([line.function for line in stack_of(sys._getframe())])\n"
        "thread = threading.Thread(target=target)\n"
        "thread.start()\n"
        "thread.join()\n"
        "print([line.function for line in stack_of(sys._getframe())])\n",
        python_args=("-m", "greening"),
    )
    assert done.stdout.splitlines() == ["['target']", "['<module>']"]


def test_a_deep_stack_is_cut() -> None:
    def deep(left: int) -> Any:
        return stack_of(sys._getframe()) if not left else deep(left - 1)

    stack = deep(300)
    assert len(stack) == DEPTH
    assert stack[-1].function.endswith("deep")


def test_the_users_line_is_the_innermost_outside_the_stdlib() -> None:
    lines = (Line("app.py", 1, "main"), Line("app.py", 2, "f"), Line(re.__file__, 3, "match"))
    assert users_line(lines) == lines[1]
    assert users_line(lines[2:]) == lines[2]
    assert str(lines[0]) == "app.py:1 in main"


def test_the_system_tells_what_a_thread_has_used() -> None:
    before = use_of(get_native_id())
    if before is None:
        pytest.skip("this system has no schedstat")
    end = monotonic() + 0.02
    while monotonic() < end:
        pass
    after = use_of(get_native_id())
    assert after is not None
    assert after.ran > before.ran
    assert use_of(2**22 + 1) is None
