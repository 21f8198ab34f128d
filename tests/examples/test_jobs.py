"""Two whole jobs in scripts/examples, each looked into while it runs: a program of eventlet's, and a batch job."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

import pytest

from tests.trace_rules import check, load

pytestmark = pytest.mark.slow  # whole programs, some of them two at a time

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "scripts" / "examples"
SECONDS = 30  # for anything that hangs

Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Chatter:
    """A client of the chat."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.lines: TextIO = self.socket.makefile("r", encoding="utf-8")
        self.say(name)

    def say(self, line: str) -> None:
        self.socket.sendall(f"{line}\n".encode())

    def hears(self) -> str:
        return self.lines.readline().rstrip()

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


class TestChat:
    """Under eventlet itself as well, so that it stays a program of eventlet's."""

    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(tmp_path), "GREENING_INSPECT": "1"}

    @pytest.fixture(params=["greening", "eventlet"])
    def chat(
        self, request: pytest.FixtureRequest, environment: dict[str, str]
    ) -> Iterator[tuple["subprocess.Popen[str]", int]]:
        words = ["-m", "greening", "--as-eventlet"] if request.param == "greening" else ["-W", "ignore"]
        # It is not imported here: it would warn of forks from then on.
        if request.param == "eventlet" and find_spec("eventlet") is None:
            pytest.skip("eventlet is missing")
        command = [sys.executable, *words, str(EXAMPLES / "chat.py"), "127.0.0.1:0"]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                process.kill()
                pytest.fail(f"it does not listen: {line}{process.communicate()[1]}")
            yield process, int(line.rpartition(":")[2])
            process.kill()

    def test_what_one_says_all_hear_and_dump_shows_who_waits(
        self, chat: tuple["subprocess.Popen[str]", int], environment: dict[str, str], request: pytest.FixtureRequest
    ) -> None:
        process, port = chat
        with contextlib.ExitStack() as stack:
            ann = stack.enter_context(contextlib.closing(Chatter(port, "ann")))
            ann.say("/who")
            assert ann.hears() == "* ann"
            bob = stack.enter_context(contextlib.closing(Chatter(port, "bob")))
            assert ann.hears() == "* bob has come"
            bob.say("hello")
            assert [ann.hears(), bob.hears()] == ["bob: hello"] * 2
            again = stack.enter_context(contextlib.closing(Chatter(port, "bob")))
            assert again.hears() == "* no name, or one that is taken"
            if "greening" in request.node.name:
                asked = [sys.executable, "-m", "greening", "dump", str(process.pid)]
                stacks = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=SECONDS)
                assert stacks.stdout.count(" in talk\n") == 1  # two with one stack
                assert len(re.findall(r"\(serve\).*: waits for descriptor \d+ \(socket .*readable", stacks.stdout)) == 2
                assert len(re.findall(r"\(send\).*: waits for an item of queue \(", stacks.stdout)) == 2
            bob.close()
            assert ann.hears() == "* bob has gone"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, out, err) == (0, "stopped\n", "")


class TestBatch:
    @pytest.fixture
    def files(self, tmp_path: Path) -> list[str]:
        paths = [tmp_path / f"file{number}" for number in range(5)]
        for number, path in enumerate(paths):
            path.write_text("one two two\n" * number + "last")
        return [str(path) for path in paths]

    def sums(self, files: list[str]) -> list[str]:
        done = subprocess.run(["cksum", *files], capture_output=True, text=True, check=True)
        return [line.split()[0] for line in done.stdout.splitlines()]

    def test_all_ways_give_their_results_and_the_trace_has_the_threads_and_the_tasks(
        self, run_program: Run, files: list[str], tmp_path: Path
    ) -> None:
        trace = tmp_path / "trace.json"
        done = run_program(
            EXAMPLES / "batch.py", *files, python_args=("-m", "greening", "--trace", str(trace)), timeout=60
        )
        words = ["last", *["two"] * 4]
        assert done.stdout.splitlines() == [
            f"file{number}: {12 * number + 4} bytes, {number} lines, checksum {check_sum}, most often {words[number]!r}"
            for number, check_sum in enumerate(self.sums(files))
        ]
        assert "Traceback" not in done.stderr
        tracks = check(load(trace)["traceEvents"]).slices
        assert sum("(fetch_all)" in name for name in tracks) == 2
        assert any(name.startswith("ThreadPoolExecutor") for name in tracks)

    def test_it_prints_the_same_without_greening(self, run_program: Run, files: list[str]) -> None:
        plain, green = (
            run_program(EXAMPLES / "batch.py", *files, python_args=words, timeout=60).stdout
            for words in ((), ("-m", "greening"))
        )
        assert plain == green != ""
