"""The text of the stacks says what is going on, and a signal has it written."""

import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening import Event, GreenThread, RLock, kill, sleep, spawn
from greening.debug import dump
from greening.debug.dumping import NAMES, DumpHandler, as_text, dump_on, own_frames, waiting_as_text
from greening.debug.snapshot import Frame, Stack
from greening.debug.waits import Wait
from greening.testing import settle

RunProgram = Callable[..., Any]


@pytest.fixture
def threads() -> Iterator[list[GreenThread[Any]]]:
    made: list[GreenThread[Any]] = []
    yield made
    for thread in made:
        kill(thread)


def text_of(**options: Any) -> str:
    out = io.StringIO()
    dump(out, **options)
    return out.getvalue()


def waits(event: Event) -> None:
    event.wait()


def test_a_paragraph_has_the_name_the_wait_and_the_stack_up_to_the_users_last_line(
    threads: list[GreenThread[Any]],
) -> None:
    event = Event()
    threads.append(spawn(waits, event))
    settle()
    paragraph = next(part for part in text_of().split("\n\n") if part.startswith(threads[0].name))
    title, *stack = paragraph.rstrip().split("\n")
    before, wait = title.split(" old: ")
    assert re.fullmatch(re.escape(threads[0].name) + r", \d+\.\d s", before)
    assert wait == f"waits for event (Event at {id(event):#x}) to be sent"
    assert stack[-2:] == [
        f'  File "{__file__}", line {waits.__code__.co_firstlineno + 1}, in waits',
        "    event.wait()",
    ]


def test_green_threads_with_the_same_stack_are_written_once(threads: list[GreenThread[Any]]) -> None:
    event = Event()
    threads += [spawn(waits, event) for _ in range(NAMES + 3)]
    settle()
    text = text_of()
    assert text.count(" in waits\n") == 1
    assert text.count("(waits), ") == NAMES
    assert "\n... and 3 more with the same stack\n" in text
    assert f"{NAMES + 3} waiting for an event" in text.partition("\n")[0]


def test_what_runs_is_left_out_for_those_who_have_it_already(threads: list[GreenThread[Any]]) -> None:
    threads.append(spawn(sleep, 50))
    settle()
    text = waiting_as_text()
    assert "running" not in text
    assert "sleeps, " in text


def crossing(first: RLock, second: RLock, timeout: float) -> None:
    with first:
        sleep(0)
        if second.acquire(timeout=timeout):
            second.release()


@pytest.mark.parametrize(("timeout", "told"), [(-1, True), (60, False)])
def test_those_that_wait_for_each_other_come_first_while_others_go_on(
    threads: list[GreenThread[Any]], timeout: float, told: bool
) -> None:
    one, other = RLock(), RLock()
    threads += [spawn(crossing, one, other, timeout), spawn(crossing, other, one, timeout), spawn(sleep, 60)]
    settle()
    paragraphs = text_of().split("\n\n")
    assert paragraphs[1].startswith("Deadlock: ") is told
    if told:
        line = crossing.__code__.co_firstlineno + 3
        names = {f"{thread.name}  {__file__}:{line} in crossing" for thread in threads[:2]}
        assert {text[6:] for text in paragraphs[1].split("\n") if "in crossing" in text} == names


def test_json_has_the_whole_stacks(threads: list[GreenThread[Any]]) -> None:
    threads.append(spawn(waits, Event()))
    settle()
    found = json.loads(text_of(json=True, locals=True))
    assert found["pid"] == os.getpid()
    [mine] = [stack for stack in found["stacks"] if stack["name"] == threads[0].name]
    assert mine["wait"]["kind"] == "event"
    frame = next(frame for frame in mine["frames"] if frame["function"] == "waits")
    assert (frame["file"], frame["source"]) == (__file__, "event.wait()")
    assert set(frame["locals"]) == {"event"}


def test_a_place_of_a_spawn_and_locals_are_written_below_the_stack() -> None:
    frame = Frame("/app/x.py", 3, "f", "g()", {"x": "1"})
    stack = Stack("T-1 (f)", 0, 1, "green", Wait("ready"), 300.0, (frame,), (Frame("/app/main.py", 7, "main", ""),))
    assert as_text([stack]).partition("\n\n")[2] == (
        'T-1 (f), 5 min old: ready\n  File "/app/x.py", line 3, in f\n    g()\n      x = 1\n  spawned by\n'
        '  File "/app/main.py", line 7, in main\n'
    )


def test_what_would_move_the_cursor_is_escaped() -> None:
    stack = Stack("T\n\x1b[2J", 0, 1, "green", Wait("ready"), 1.0, (Frame("/app/\n.py", 3, "f", ""),), ())
    assert as_text([stack]).partition("\n\n")[2] == (
        'T\\n\\x1b[2J, 1.0 s old: ready\n  File "/app/\\n.py", line 3, in f\n'
    )


def test_the_frames_of_greening_and_the_stdlib_are_cut_off_at_both_ends_unless_there_are_no_others() -> None:
    stdlib, mine = Frame(os.__file__, 1, "a", ""), Frame(__file__, 2, "b", "")
    assert own_frames((stdlib, mine, stdlib, mine, stdlib)) == (mine, stdlib, mine)
    assert own_frames((stdlib, stdlib)) == (stdlib, stdlib)


PROGRAM = """
import greening; greening.monkey_patch()
import os, signal, threading, time
end = threading.Event()
def reader(): end.wait()
greening.spawn(reader)
def tell(): time.sleep(0.01); os.kill(os.getpid(), signal.SIGUSR2); time.sleep(0.01); end.set()
greening.spawn(tell)
{wait}
"""


@pytest.mark.slow
@pytest.mark.parametrize("wait", ["end.wait()", "while not end.is_set(): time.sleep(0)"])
def test_the_signal_that_the_environment_names_has_the_stacks_written(run_program: RunProgram, wait: str) -> None:
    done = run_program(PROGRAM.format(wait=wait), env={"GREENING_DUMP": "usr2"})
    assert re.search(r"\(reader\), \d+\.\d s old: waits for end \(Event at ", done.stderr)
    assert "handler of signal" not in done.stderr


class Unwritable(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, closed(), Unwritable()])
def test_a_standard_error_that_takes_no_text_does_not_end_the_program(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    DumpHandler()(signal.SIGUSR2, None)


def test_a_signal_that_cannot_be_handled_is_refused() -> None:
    with pytest.raises(ValueError, match="no program can handle SIGKILL; take SIGUSR2"):
        dump_on("KILL")


def test_a_name_that_is_no_signals_is_refused() -> None:
    before = signal.getsignal(signal.SIGUSR2)
    for name in ("SIGNOTHING", "DFL", "999"):
        with pytest.raises(ValueError, match="SIGUSR2 is one"):
            dump_on(name)
    assert signal.getsignal(signal.SIGUSR2) is before
