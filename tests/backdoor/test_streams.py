"""Standard streams that ask which green thread wants them."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import spawn
from greening.backdoor.streams import Input, Output, attach, detach
from greening.sync.event import Event


def test_prints_go_to_their_own_connection_only(server: Any, capsys: Any) -> None:
    go, done = Event(), Event()

    def bystander() -> None:
        go.wait()
        print("from elsewhere")
        done.send()

    thread = spawn(bystander)
    opened = server({"go": go, "done": done})
    first, second = opened(), opened()
    assert first.ask("print('one'); go.send(); done.wait(); print('two')") == "one\ntwo\n"
    assert second.ask("import sys; print('three', file=sys.stderr)") == "three\n"
    print("from the test")
    thread.wait()
    assert capsys.readouterr() == ("from elsewhere\nfrom the test\n", "")


def test_the_standard_streams_are_given_back(server: Any) -> None:
    before = sys.stdin, sys.stdout, sys.stderr, sys.displayhook
    client = server()()
    kept = sys.stdout
    assert kept is not before[1]
    client.say("exit()")
    client.rest()
    assert (sys.stdin, sys.stdout, sys.stderr, sys.displayhook) == before
    with redirect_stdout(io.StringIO()) as text:
        print("x", file=sys.stdout)
    assert text.getvalue() == "x\n"
    kept.write("")  # code that kept it meanwhile can go on


def test_a_stream_that_is_put_in_place_meanwhile_stays(server: Any, monkeypatch: Any) -> None:
    client = server()()
    other = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", other)
        client.say("exit()")
        client.rest()
        assert sys.stdout is other
    sys.stdout = sys.stdout.real  # monkeypatch has put the stand-in back


def test_a_process_without_standard_streams_can_have_a_prompt(server: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    client = server()()
    assert client.ask("print('here')") == "here\n"
    print("nowhere")
    client.say("exit()")
    client.rest()
    assert sys.stdout is None


class Owned:
    """Stands for a prompt: has lines to read, and keeps what is written and shown."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.written: list[str] = []
        self.shown: list[object] = []
        output = Output(self)
        self.streams: dict[str, io.TextIOBase] = {"stdin": Input(self), "stdout": output, "stderr": output}

    def read_line(self) -> str:
        return self.lines.pop(0) if self.lines else ""

    def write(self, data: str) -> None:
        self.written.append(data)

    def show(self, value: object) -> None:
        self.shown.append(value)


@contextmanager
def prompting() -> Iterator[Owned]:
    """A prompt of the running thread. Not a fixture: pytest sets the streams anew before the test's body."""
    current()
    prompt = Owned("one\n", "two\n", "three")
    attach(prompt)
    try:
        yield prompt
    finally:
        detach(prompt)


def test_input_reads_lines_until_there_are_none() -> None:
    with prompting() as owned:
        assert sys.stdin.readable()
        assert sys.stdin.readline(1) == "one\n"
        assert next(sys.stdin) == "two\n"
        assert list(sys.stdin) == ["three"]
        owned.lines = ["a\n", "b"]
        assert sys.stdin.read() == "a\nb"


def test_output_and_errors_are_written_to_the_prompt() -> None:
    with prompting() as owned:
        assert sys.stdout.writable()
        assert (sys.stdout.encoding, sys.stdout.errors) == ("utf-8", "backslashreplace")
        assert sys.stdout.write("one") == 3
        sys.stderr.write("two")
    assert owned.written == ["one", "two"]


def test_a_stream_can_be_used_as_a_context_manager_and_an_iterator() -> None:
    with prompting(), sys.stdin as stream:
        assert list(iter(stream)) == ["one\n", "two\n", "three"]


def test_values_are_shown_by_the_prompt_of_their_thread_only(capsys: pytest.CaptureFixture[str]) -> None:
    with prompting() as owned:
        sys.displayhook("mine")
        spawn(sys.displayhook, "another's").wait()
    assert owned.shown == ["mine"]
    assert "another's" in capsys.readouterr().out


def test_the_streams_stand_in_until_the_last_prompt_has_gone() -> None:
    current()
    before = sys.stdout, sys.displayhook
    go: Event = Event()
    first = Owned()

    def other() -> None:
        second = Owned()
        attach(second)
        go.wait()
        detach(second)

    attach(first)
    thread = spawn(other)
    go_on = sys.stdout
    spawn(lambda: None).wait()
    detach(first)
    assert sys.stdout is go_on
    go.send()
    thread.wait()
    assert (sys.stdout, sys.displayhook) == before


def test_a_display_hook_that_is_put_in_place_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    current()
    prompt = Owned()
    before = sys.displayhook
    attach(prompt)
    sys.displayhook = mine = lambda value: None
    detach(prompt)
    assert sys.displayhook is mine
    sys.displayhook = before
