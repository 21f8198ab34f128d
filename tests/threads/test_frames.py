"""Who looks for the stacks of all threads by their idents finds those of green threads, too."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from greening import Event, getcurrent, kill, spawn
from greening._originals import get_ident
from greening.testing import settle
from greening.threads.frames import current_frames, frame_of, install

RunProgram = Callable[..., Any]


def functions(frame: FrameType | None) -> list[str]:
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def waits(event: Event) -> None:
    event.wait()


def test_a_green_thread_that_waits_and_the_caller_have_frames() -> None:
    event = Event()
    thread = spawn(waits, event)
    settle()
    frames = current_frames()
    assert "waits" in functions(frames[thread.ident])
    assert functions(frames[get_ident()])[0] == "test_a_green_thread_that_waits_and_the_caller_have_frames"
    event.send()
    thread.wait()
    assert thread.ident not in current_frames()


def test_beside_the_green_thread_that_asks_the_main_greenlet_has_its_own() -> None:
    def asks() -> dict[int, list[str]]:
        return {ident: functions(frame) for ident, frame in current_frames().items()}

    thread = spawn(asks)
    found = thread.wait()
    assert "asks" in found[thread.ident]
    main = found[get_ident()]
    assert "asks" not in main
    assert "test_beside_the_green_thread_that_asks_the_main_greenlet_has_its_own" in main


def test_one_that_has_not_begun_has_none() -> None:
    thread = spawn(int)
    assert frame_of(thread, {}) is None
    assert frame_of(getcurrent(), {}) is None
    kill(thread)


def test_the_interpreters_own_comes_back_unless_there_is_something_else() -> None:
    real = sys._current_frames
    steps: list[Callable[[], object]] = []
    try:
        install(steps.append)
        assert sys._current_frames is current_frames
        install(steps.append)
        assert len(steps) == 1
        sys._current_frames = other = dict
        steps[0]()
        assert sys._current_frames is other
        sys._current_frames = current_frames
        steps[0]()
        assert sys._current_frames is real
    finally:
        sys._current_frames = real


def test_the_usual_recipe_finds_every_thread_of_a_patched_program(run_program: RunProgram) -> None:
    program = (
        "import greening; greening.monkey_patch()\nimport sys, threading, traceback\n"
        "end = threading.Event()\ndef works(): end.wait()\n"
        "threads = [threading.Thread(target=works) for _ in range(3)]\n"
        "for thread in threads: thread.start()\n"
        "greening.sleep(0)\n"
        "frames = sys._current_frames()\n"
        "for thread in threading.enumerate(): print(''.join(traceback.format_stack(frames[thread.ident])))\n"
        "end.set()\nfor thread in threads: thread.join()\n"
        "greening.unpatch()\nassert type(sys._current_frames).__name__ == 'builtin_function_or_method'\n"
    )
    text = run_program(program).stdout
    assert text.count("in works") == 3
    assert text.count("in <module>") == 1
