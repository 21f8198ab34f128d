"""Every green thread has a stack, whatever it does, and other OS threads are looked at as well."""

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening import Event, GreenThread, Lock, getcurrent, kill, sleep, spawn, spawn_after
from greening.debug import keep_places, stacks
from greening.debug.snapshot import Frame, Stack, frames_of
from greening.green import threading as green_threading
from greening.testing import settle
from greening.threads.native import execute

RunProgram = Callable[..., Any]


@pytest.fixture
def threads() -> Iterator[list[GreenThread[Any]]]:
    made: list[GreenThread[Any]] = []
    yield made
    for thread in made:
        kill(thread)


def waits_for(event: Event) -> None:
    inner = "seen from outside"
    event.wait()
    del inner


def of(thread: Any, **options: Any) -> Stack:
    return next(stack for stack in stacks(**options) if stack.name == thread.name)


def test_a_waiting_green_thread_has_its_whole_stack_and_what_it_waits_for(threads: list[GreenThread[Any]]) -> None:
    event = Event()
    threads.append(spawn(waits_for, event))
    settle()
    stack = of(threads[0])
    assert (stack.kind, stack.wait.kind, stack.wait.object) == ("green", "event", event)
    assert stack.wait.what == f"event (Event at {id(event):#x}) to be sent"
    frame = next(frame for frame in stack.frames if frame.function == "waits_for")
    assert (frame.file, frame.source, frame.locals) == (__file__, "event.wait()", None)
    assert stack.age is not None
    assert 0 <= stack.age < 60


def test_locals_are_told_on_request_and_a_repr_that_fails_is_none_of_ours(threads: list[GreenThread[Any]]) -> None:
    class Broken(Event):
        def __repr__(self) -> str:
            raise LookupError

    threads.append(spawn(waits_for, Broken()))
    settle()
    frame = next(frame for frame in of(threads[0], locals=True).frames if frame.function == "waits_for")
    assert frame.locals is not None
    assert frame.locals["inner"] == "'seen from outside'"
    assert "LookupError" in frame.locals["event"] or "Broken" in frame.locals["event"]


def test_the_caller_and_those_that_have_not_begun_are_among_them(threads: list[GreenThread[Any]]) -> None:
    threads += [spawn(int), spawn_after(100, int)]
    me = of(getcurrent())
    assert me.wait.kind == "running"
    assert me.frames[-1].function == "stacks"
    assert [of(thread).wait.kind for thread in threads] == ["not begun", "not begun"]
    assert of(threads[0]).frames == ()


def test_the_oldest_come_first(threads: list[GreenThread[Any]]) -> None:
    threads += [spawn(sleep, 100) for _ in range(5)]
    settle()
    names = [thread.name for thread in threads]
    assert [stack.name for stack in stacks() if stack.name in names] == names


def test_a_green_thread_sees_the_main_greenlet_waiting_for_it() -> None:
    found = spawn(stacks).wait()
    main = next(stack for stack in found if stack.kind == "main" and stack.os_thread == green_threading.get_ident())
    assert main.wait.kind == "green thread"
    assert any(frame.function.startswith("test_a_green_thread_sees") for frame in main.frames)


def test_a_thread_of_threading_keeps_its_name() -> None:
    go_on = Event()
    thread = green_threading.Thread(target=go_on.wait, name="reader")
    thread.start()
    settle()
    assert of(thread).ident == thread.ident
    go_on.send()
    thread.join()


def test_the_place_of_a_spawn_is_told_while_places_are_kept(threads: list[GreenThread[Any]]) -> None:
    keep_places()
    try:
        threads.append(spawn(sleep, 100))
    finally:
        keep_places(False)
    threads.append(spawn(sleep, 100))
    kept, lost = of(threads[0]), of(threads[1])
    assert kept.spawned[-1].source == "threads.append(spawn(sleep, 100))"
    assert kept.spawned[-1].file == __file__
    assert lost.spawned == ()


def test_a_lock_has_the_name_that_its_user_has_for_it(threads: list[GreenThread[Any]]) -> None:
    gate = Lock()

    def enter() -> None:
        with gate:
            pass

    with gate:
        threads.append(spawn(enter))
        settle()
        assert of(threads[0]).wait.what == f"gate (Lock at {id(gate):#x})"


def test_another_os_thread_is_looked_at_while_it_computes_and_while_it_waits(run_program: RunProgram) -> None:
    run_program(
        "import greening, threading\n"
        "from greening.debug import stacks\n"
        "class End:\n    now = False\n"
        "def compute():\n    while not End.now: pass\n"
        "def idle():\n    greening.sleep(100)\n"
        "def run():\n    waiting = greening.spawn(idle)\n    greening.sleep(0)\n    greening.spawn(compute).wait()\n"
        "    waiting.kill()\n"
        "thread = threading.Thread(target=run, name='other')\nthread.start()\n"
        "found = {}\n"
        "while not found.get('compute'):\n"
        "    found = {s.frames[-1].function: s for s in stacks() if s.frames and s.os_thread == thread.ident}\n"
        "assert found['compute'].wait.kind == 'running' and found['compute'].kind == 'green', found\n"
        "waiting = [s for s in stacks() if s.wait.kind == 'sleep']\n"
        "assert [f.function for f in waiting[0].frames] == ['idle'] or 'idle' in str(waiting[0].frames)\n"
        "End.now = True\nthread.join()\n"
    )


def test_a_native_thread_without_a_hub_is_told_as_one(run_program: RunProgram) -> None:
    run_program(
        "import greening, threading\n"
        "there, end = threading.Event(), threading.Event()\n"
        "def native():\n    there.set(); end.wait()\n"
        "thread = threading.Thread(target=native, name='plain')\nthread.start()\nthere.wait()\n"
        "greening.sleep(0)\n"
        "[stack] = [s for s in greening.debug.stacks() if s.kind == 'native']\n"
        "assert stack.name.endswith(' (plain)') and any(f.function == 'native' for f in stack.frames), stack\n"
        "end.set()\n"
    )


def test_frames_are_ordered_as_in_a_traceback() -> None:
    frames = frames_of(sys._getframe())
    assert frames[-1] == Frame(
        __file__, frames[-1].line, "test_frames_are_ordered_as_in_a_traceback", frames[-1].source
    )
    assert frames_of(None) == ()


def test_a_look_keeps_no_locals_of_its_caller_alive() -> None:
    class Thing:
        pass

    def look() -> "weakref.ref[Thing]":
        thing = Thing()
        stacks()
        return weakref.ref(thing)

    gc.collect()
    gc.disable()
    try:
        assert look()() is None
    finally:
        gc.enable()


def test_the_main_greenlet_of_another_os_thread_says_of_which() -> None:
    names = execute(lambda: [sleep(0), [stack.name for stack in stacks() if stack.kind == "main"]])[1]
    assert names.count("main greenlet") == 1
    assert any(name.startswith("main greenlet of OS thread 0x") for name in names)
