"""The three sick programs in scripts/examples/sick: one command each names the cause, function and line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greening._compiled import accelerator

pytestmark = pytest.mark.slow  # whole programs, and others that ask them

ROOT = Path(__file__).resolve().parents[2]
SICK = ROOT / "scripts" / "examples" / "sick"
SECONDS = 30  # for anything that hangs

# A name that is long enough to take a while, and has no place where the pattern could stop early.
SLOW_ADDRESS = b"ann_margaret_smith_of"

Run = Callable[..., subprocess.CompletedProcess[str]]


def line_of(name: str, text: str) -> int:
    """The number of the only line of a program that has this text."""
    lines = (SICK / name).read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return number


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    libraries = (str(Path(path)) for path in sys.path if path.endswith("site-packages"))
    path = os.pathsep.join([str(ROOT), *libraries])
    return {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": path, "COLUMNS": "80"}


@contextmanager
def serving(environment: dict[str, str], *words: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A sick program that serves on loopback, and its port."""
    command = [sys.executable, "-m", "greening", *words, "127.0.0.1:0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                pytest.fail(f"it does not listen: {line}{process.communicate()[1]}")
            yield process, int(line.rpartition(":")[2])
        finally:
            process.kill()


def asked(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "greening", *words], env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def post(port: int, body: bytes) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", body, timeout=SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class TestSignup:
    def test_the_watchdog_names_the_call_that_blocks(self, environment: dict[str, str]) -> None:
        with serving(environment, "--watch", "0.02", str(SICK / "signup.py")) as (process, port):
            assert post(port, b"ann@example.org") == (201, {"address": "ann@example.org"})
            assert post(port, SLOW_ADDRESS)[0] == 400
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=SECONDS)
        assert out == "stopped\n"
        assert re.search(r"^Thread-\d+ \(process_request_thread\) kept its OS thread for \d+\.\d\d s", err, re.M)
        place = line_of("signup.py", "ADDRESS.fullmatch(")
        assert f'  File "{SICK / "signup.py"}", line {place}, in Subscribers.enter\n' in err
        assert "  The call: ADDRESS.fullmatch(address)\n" in err
        assert "  What to do: a pattern that backtracks less" in err


class TestRelay:
    def send(self, port: int, count: int) -> None:
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
                client.sendall(b"hello\n")
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""

    def test_top_names_what_leaks_and_dump_where_it_waits(self, environment: dict[str, str]) -> None:
        pytest.importorskip("rich", reason="the extra `top` is not installed")
        words = ("--inspect", str(SICK / "relay.py"))
        with serving(environment, *words) as (process, port):
            self.send(port, 20)
            pid, place = str(process.pid), line_of("relay.py", "lines.get()")
            screen = asked(environment, "top", pid, "--once", "--seconds", "0.1")
            stacks = asked(environment, "dump", pid)
        assert re.search(rf"^ *20 +forward +relay\.py:{place} in forward +queue", screen, re.M), screen
        assert "20 of greening.sync.queue.Queue, 0 items" in screen
        assert "... and 15 more with the same stack" in stacks
        assert f'  File "{SICK / "relay.py"}", line {place}, in forward\n' in stacks

    def test_top_shows_the_growth_while_it_watches(self, environment: dict[str, str]) -> None:
        pytest.importorskip("rich", reason="the extra `top` is not installed")
        with serving(environment, "--inspect", str(SICK / "relay.py")) as (process, port):
            self.send(port, 1)  # so that the function is known
            command = [sys.executable, "-m", "greening", "top", str(process.pid), "--once", "--seconds", "0.5"]
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as top:
                end = time.monotonic() + SECONDS
                while top.poll() is None and time.monotonic() < end:
                    self.send(port, 1)
                assert top.stdout is not None
                screen = top.stdout.read()
        place = line_of("relay.py", "lines.get()")
        assert re.search(rf"^ *[\d,]+ +\+[\d,]+ +forward +relay\.py:{place} in forward +queue", screen, re.M), screen


class TestLedger:
    def told(self, done: "subprocess.CompletedProcess[str]") -> None:
        places = {
            text: line_of("ledger.py", text) for text in ("self.history.append", "return sum(", "transfers.join()")
        }
        path = SICK / "ledger.py"
        worker = f"{path}:{places['self.history.append'] - 1} in record"
        reporter = f"{path}:{places['return sum('] - 1} in totals"
        for place in (worker, reporter, f"main greenlet: {path}:{places['transfers.join()']} in main"):
            assert place in done.stderr
        assert "The program handles SIGINT, SIGTERM, but no signal has come for 0.1 s" in done.stderr
        if accelerator is None:
            assert "the holder of a Lock is unknown" in done.stderr
            return
        cycle = re.search(
            rf"  \+-> (.+)  {re.escape(worker)}\n"
            r"  \|       waits for self\.history_lock \(lock at 0x\w+\), which (.+) holds\n"
            rf"  \|   (.+)  {re.escape(reporter)}\n"
            r"  \|       waits for self\.balances_lock \(lock at 0x\w+\), which (.+) holds\n"
            r"  \+-- (.+)\n",
            done.stderr,
        )
        assert cycle is not None, done.stderr
        one, other, again, first, last = cycle.groups()
        assert (one, other) == (first, again) == (last, other)

    def test_a_plain_run_ends_with_the_cycle_although_it_handles_signals(self, run_program: Run) -> None:
        path = SICK / "ledger.py"
        done = run_program(path, env={"GREENING_DEADLOCK": "0.1"}, python_args=("-m", "greening"), check=False)
        assert done.returncode == 1
        self.told(done)
