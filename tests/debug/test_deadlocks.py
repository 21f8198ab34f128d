"""A deadlock is told once: the cycle first, in the user's lines, with the main greenlet, and by the exit status."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from greening import Deadlock, Event, GreenThread, Lock, RLock, kill, sleep, spawn
from greening._compiled import accelerator
from greening._core.current import get_hub
from greening.debug.deadlocks import HOLDERS_UNKNOWN, LINES, NAMES, NOWHERE, Parked, cycle_of, drawn, explain, parked
from greening.testing import Fake, FakePoller, settle

RunProgram = Callable[..., Any]


def crossing(first: RLock, second: RLock) -> None:
    with first:
        sleep(0)
        with second:
            raise AssertionError("it got both")


def crossed() -> list[GreenThread[Any]]:
    one, other = RLock(), RLock()
    threads = [spawn(crossing, one, other), spawn(crossing, other, one)]
    settle()
    return threads


def test_the_cycle_is_drawn_first_and_the_main_greenlet_is_below_it(fake: Fake[FakePoller]) -> None:
    threads = crossed()
    with pytest.raises(Deadlock) as caught:
        threads[0].wait()
    first, second = (thread.name for thread in threads)
    assert set(caught.value.cycle) == {first, second}
    lines = str(caught.value).split("\n")
    line = crossing.__code__.co_firstlineno + 3
    assert lines[0] == "deadlock: everything waits and nothing can wake it"
    assert lines[1] == f"  +-> {first}  {__file__}:{line} in crossing"
    assert lines[2].startswith("  |       waits for second (RLock at 0x")
    assert lines[2].endswith(f"), which {second} holds")
    assert lines[3] == f"  |   {second}  {__file__}:{line} in crossing"
    assert lines[5] == f"  +-- {first}"
    assert lines[6].startswith(f"  main greenlet: {__file__}:")
    assert lines[6].endswith(f", waits for {first} to end")
    assert len(lines) == 7
    for thread in threads:
        kill(thread)


def test_edges_say_who_has_to_act(fake: Fake[FakePoller]) -> None:
    threads = crossed()
    names = [thread.name for thread in threads]
    edges = explain(get_hub()).edges
    assert [(name, owner) for name, _, owner in edges] == [(names[0], names[1]), (names[1], names[0])]
    for thread in threads:
        kill(thread)


def task(name: str, owner: str = "") -> Parked:
    return Parked(name, "here", "waits for a lock", "a lock", owner)


@pytest.mark.parametrize(
    ("owners", "cycle"),
    [
        ({"a": "b", "b": "a"}, "ab"),
        ({"x": "a", "a": "b", "b": "c", "c": "a", "y": "x"}, "abc"),
        ({"a": "a"}, "a"),
        ({"a": "b", "b": "c", "c": ""}, ""),
        ({"a": "b", "b": "gone"}, ""),
        ({}, ""),
    ],
)
def test_the_cycle_is_found_without_what_leads_to_it(owners: dict[str, str], cycle: str) -> None:
    found = cycle_of(task(name, owner) for name, owner in owners.items())
    assert "".join(each.name for each in found) == cycle


def test_a_cycle_is_drawn_from_its_first_task_to_its_first_task() -> None:
    assert drawn([task("a", "b"), task("b", "a")]) == [
        "+-> a  here",
        "|       waits for a lock",
        "|   b  here",
        "|       waits for a lock",
        "+-- a",
    ]


def taking(first: Lock, second: Lock) -> None:
    with first:
        sleep(0)
        second.acquire()


def test_locks_in_a_cycle_are_drawn_or_it_is_said_why_not(fake: Fake[FakePoller]) -> None:
    one, other = Lock(), Lock()
    threads = [spawn(taking, one, other), spawn(taking, other, one)]
    settle()
    error = explain(get_hub(), "a hint")
    assert (len(error.cycle), HOLDERS_UNKNOWN in str(error)) == ((2, False) if accelerator else (0, True))
    assert str(error).endswith("\na hint")
    for thread in threads:
        kill(thread)


def test_a_message_has_so_many_lines_and_the_error_has_all(fake: Fake[FakePoller]) -> None:
    events = [Event() for _ in range(LINES + 10)]
    threads = [spawn(event.wait) for event in events]
    settle()
    error = explain(get_hub(), "a hint")
    assert len(error.waiting) == LINES + 10 == len(parked(get_hub()))
    assert str(error).endswith("\n  ... and 10 more\na hint")
    assert str(error).count("\n") == LINES + 2
    for event, thread in zip(events, threads, strict=True):
        event.send()
        thread.wait()


def test_those_that_wait_at_one_place_for_the_same_have_one_line(fake: Fake[FakePoller]) -> None:
    event = Event()
    threads = [spawn(event.wait) for _ in range(NAMES + 2)]
    for number, thread in enumerate(threads):
        thread.name = f"t{number}"
    settle()
    error = explain(get_hub())
    names = ", ".join(thread.name for thread in threads[:NAMES])
    place = f"{NOWHERE}, waits for Event at {id(event):#x} to be sent"
    assert str(error).split("\n")[1:] == [f"  {names} and 2 more: {place}"]
    assert error.waiting == tuple(f"{thread.name}: {place}" for thread in threads)
    event.send()
    for thread in threads:
        thread.wait()


def test_threads_of_the_same_name_are_told_apart(fake: Fake[FakePoller]) -> None:
    threads = crossed()
    for thread in threads:
        thread.name = "worker"
    error = explain(get_hub())
    assert error.cycle == ("worker", "worker #2")
    assert [(name, owner) for name, _, owner in error.edges] == [("worker", "worker #2"), ("worker #2", "worker")]
    assert str(error).split("\n")[2].endswith(", which worker #2 holds")
    for thread in threads:
        kill(thread)


def test_a_name_of_several_lines_stays_on_its_own(fake: Fake[FakePoller]) -> None:
    threads = crossed()
    threads[0].name = "two\nlines\x1b[31m"
    error = explain(get_hub())
    assert error.cycle[0] == r"two\nlines\x1b[31m"
    assert str(error).count("\n") == 5
    assert "\x1b" not in str(error)
    for thread in threads:
        kill(thread)


CROSSED = """
import greening; greening.monkey_patch()
import threading, time, sys
a, b, both = threading.RLock(), threading.RLock(), threading.Barrier(2)
def first():
    with a:
        both.wait()
        with b: pass
def second():
    with b:
        both.wait()
        with a: pass
threads = [threading.Thread(target=function) for function in (first, second)]
for thread in threads: thread.start()
"""


def test_at_the_end_of_the_program_it_is_told_once_and_the_status_is_not_0(run_program: RunProgram) -> None:
    done = run_program(CROSSED, check=False)
    assert done.returncode == 120
    assert done.stderr.count("deadlock: everything waits") == 1
    assert "+-> Thread-1 (first)  " in done.stderr
    assert "waits for b (RLock at " in done.stderr
    assert "main greenlet: at the end of the program, waits for the threads that are left to end" in done.stderr
    assert "Exception ignored" not in done.stderr


def test_what_ends_the_main_thread_is_not_told_again_at_the_end(run_program: RunProgram) -> None:
    done = run_program(CROSSED + "threads[0].join()\n", check=False)
    assert done.returncode == 1
    assert done.stderr.count("deadlock: everything waits") == 1
    assert ", waits for Thread-1 (first) to end" in done.stderr


HANDLED = """
import greening; greening.monkey_patch()
import signal
queue = greening.Queue()
def work(): queue.get()
signal.signal(signal.SIGTERM, lambda *args: None)
"""


def test_a_program_with_a_signal_handler_is_told_after_the_grace(run_program: RunProgram) -> None:
    done = run_program(HANDLED + "greening.spawn(work).wait()\n", check=False, env={"GREENING_DEADLOCK": "0.05"})
    assert done.returncode == 1
    assert " in work, waits for an item of queue (Queue at 0x" in done.stderr
    assert "The program handles SIGTERM, but no signal has come for 0.05 s." in done.stderr


def test_a_signal_without_a_name_is_told_by_its_number(run_program: RunProgram) -> None:
    program = HANDLED.replace("SIGTERM", "SIGRTMIN + 1") + "queue.get()\n"
    done = run_program(program, check=False, env={"GREENING_DEADLOCK": "0.01"})
    assert done.returncode == 1
    assert f"The program handles signal {signal.SIGRTMIN + 1}, but no" in done.stderr


def test_an_alarm_that_is_set_and_handled_will_wake_the_program(run_program: RunProgram) -> None:
    program = (
        HANDLED + "signal.signal(signal.SIGALRM, lambda *args: queue.put('rung'))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.1)\nprint(queue.get())\n"
    )
    assert run_program(program, env={"GREENING_DEADLOCK": "0.01"}).stdout == "rung\n"


@pytest.mark.slow
def test_a_program_that_says_that_it_waits_for_a_signal_is_left_alone(run_program: RunProgram) -> None:
    wait = (
        "greening.spawn(work)\nimport os, subprocess, sys\n"
        "subprocess.Popen(['sh', '-c', f'sleep 0.2; kill -TERM {os.getpid()}'])\nsignal.pause()\nprint('paused')\n"
    )
    assert run_program(HANDLED + wait, env={"GREENING_DEADLOCK": "0.05"}).stdout == "paused\n"


def test_a_lock_that_the_main_greenlet_takes_twice_is_a_cycle_of_one(run_program: RunProgram) -> None:
    program = "import greening\nlock = greening.RLock()\nlock = greening.Lock()\nlock.acquire()\nlock.acquire()\n"
    done = run_program(program, check=False)
    assert done.returncode == 1
    assert "main greenlet" in done.stderr
    if accelerator is not None:  # the Python source does not note who takes a Lock
        assert "  +-> main greenlet  " in done.stderr
        assert "), which main greenlet holds\n  +-- main greenlet\n" in done.stderr


@pytest.mark.skipif(accelerator is None, reason="the Python source does not note who takes a Lock")
def test_a_main_thread_that_ends_with_a_lock_is_part_of_the_cycle(run_program: RunProgram) -> None:
    program = (
        "import greening; greening.monkey_patch()\nimport threading\n"
        "lock = threading.Lock()\nlock.acquire()\nthreading.Thread(target=lock.acquire).start()\n"
    )
    done = run_program(program, check=False)
    assert done.returncode == 120
    assert "  +-> main greenlet  at the end of the program\n" in done.stderr
    assert "  |   Thread-1 (acquire)  " in done.stderr


def test_green_threads_that_join_each_other_are_a_cycle(fake: Fake[FakePoller]) -> None:
    threads: list[GreenThread[Any]] = []

    def join(number: int) -> None:
        threads[number].wait()

    threads += [spawn(join, 1), spawn(join, 0)]
    with pytest.raises(Deadlock) as caught:
        threads[0].wait()
    assert caught.value.cycle == tuple(thread.name for thread in threads)
    for thread in threads:
        kill(thread)
