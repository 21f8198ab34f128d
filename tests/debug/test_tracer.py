"""`greening.debug.trace` and `--trace`: real programs, and what a viewer would show of them."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import greenlet
import pytest

import greening
from greening import Event, Queue, getcurrent, kill, sleep, spawn
from greening._core.journal import JOURNAL
from greening._core.registry import arrivals
from greening.debug import trace
from greening.debug.tracer import VIEWERS
from greening.testing import settle
from tests.trace_rules import Told, check, load

ROOT = Path(__file__).resolve().parent.parent.parent


def told(file: Path) -> Told:
    return check(load(file)["traceEvents"])


def test_green_threads_that_talk(tmp_path: Path) -> None:
    queue = Queue(1)

    def producer() -> None:
        for number in range(3):
            queue.put(number)

    def consumer() -> None:
        for _ in range(3):
            queue.get()

    with trace(tmp_path / "t.json") as made:
        threads = [spawn(producer), spawn(consumer)]
        for thread in threads:
            thread.wait()
    found = told(made.file)
    names = [thread.name for thread in threads]
    assert all(name in found.slices for name in names)
    assert "waits: queue" in found.names(names[0])
    args = next(one.args for one in found.slices[names[0]] if one.name == "waits: queue")
    assert args["for"] == f"a place in Queue at {id(queue):#x}"
    assert args["at"].startswith(__file__)
    assert (names[1], "running", names[0], "running") in found.arrows
    assert (names[0], "running", names[1], "running") in found.arrows
    assert found.names(getcurrent().name)[0] == "running"
    assert (made.noted, made.lost) == (load(made.file)["otherData"]["events"], 0)


def test_a_socket_is_told_by_its_ends(tmp_path: Path) -> None:
    with greening.listen(("127.0.0.1", 0)) as server, trace(tmp_path / "t.json") as made:
        with greening.connect(server.getsockname()) as client:
            connection, _ = server.accept()
            with connection:
                thread = spawn(connection.recv, 10)
                settle()
                client.sendall(b"x")
                thread.wait()
                ends = f"127.0.0.1:{server.getsockname()[1]} to 127.0.0.1:{client.getsockname()[1]}"
    waits = [one.args["for"] for one in told(made.file).slices[thread.name] if one.name == "waits: descriptor"]
    assert len(waits) == 1
    assert waits[0].endswith(f" (socket {ends}) to be readable")


def test_sockets_that_were_there_before_are_told_too(tmp_path: Path) -> None:
    with greening.listen(("127.0.0.1", 0)) as server:
        thread = spawn(server.accept)
        settle()
        with trace(tmp_path / "t.json") as made:
            greening.connect(server.getsockname()).close()
            thread.wait()[0].close()
            again = spawn(server.accept)
            settle()
        port = server.getsockname()[1]
        kill(again)
    waits = [one.args["for"] for one in told(made.file).slices[again.name] if one.name == "waits: descriptor"]
    assert waits[0].endswith(f" (socket 127.0.0.1:{port}) to be readable")


def test_green_threads_from_before_have_their_names(tmp_path: Path) -> None:
    event = Event()
    thread = spawn(event.wait)
    settle()
    with trace(tmp_path / "t.json") as made:
        event.send()
        thread.wait()
    assert thread.name in told(made.file).slices


def test_one_that_is_killed_tells_so(tmp_path: Path) -> None:
    with trace(tmp_path / "t.json") as made:
        thread = spawn(Event().wait)
        settle()
        kill(thread)
    assert told(made.file).slices[thread.name][-1].args == {"after": "GreenletExit"}


def test_the_last_events_are_kept(tmp_path: Path) -> None:
    with trace(tmp_path / "t.json", events=100) as made:
        for _ in range(200):
            sleep(0)
    assert made.lost == made.noted - 100 > 0
    assert load(made.file)["otherData"]["lost"] == made.lost
    assert getcurrent().name in told(made.file).slices


def test_a_file_that_ends_in_gz_is_compressed(tmp_path: Path) -> None:
    with trace(tmp_path / "t.json.gz") as made:
        spawn(sleep).wait()
    assert made.file.read_bytes()[:2] == b"\x1f\x8b"
    told(made.file)


def test_there_is_one_recording_at_a_time(tmp_path: Path) -> None:
    with trace(tmp_path / "t.json"), pytest.raises(RuntimeError, match=r"recorded already, for .*t\.json: stop"):
        trace(tmp_path / "u.json")
    assert not (tmp_path / "u.json").exists()
    trace(tmp_path / "u.json").stop()


def test_a_file_that_cannot_be_written_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        trace(tmp_path / "missing" / "t.json")
    assert not JOURNAL.on


def test_room_for_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least"):
        trace(tmp_path / "t.json", events=0)
    assert not JOURNAL.on


def test_nothing_is_left_of_it_when_it_has_stopped(tmp_path: Path) -> None:
    made = trace(tmp_path / "t.json")
    made.stop()
    made.stop()
    assert (JOURNAL.on, len(JOURNAL), arrivals) == (False, 0, [])


def test_a_disk_that_is_full_at_the_end_leaves_nothing_behind(tmp_path: Path) -> None:
    made = trace("/dev/full")
    with pytest.raises(OSError) as raised:
        made.stop()
    assert raised.value.errno == errno.ENOSPC
    assert (JOURNAL.on, len(JOURNAL), arrivals) == (False, 0, [])


@pytest.mark.slices_end
def test_others_run_while_the_file_is_written(tmp_path: Path) -> None:
    made = trace(tmp_path / "t.json")
    for _ in range(3000):
        sleep(0)
    turns = []

    def ticks() -> None:
        while True:
            turns.append(1)
            sleep(0)

    thread = spawn(ticks)
    made.stop()
    kill(thread)
    assert len(turns) > 2


@pytest.mark.slices_end
def test_no_other_recording_begins_while_the_file_is_written(tmp_path: Path) -> None:
    made = trace(tmp_path / "t.json")
    for _ in range(3000):
        sleep(0)
    refused = []

    def tries() -> None:
        try:
            trace(tmp_path / "u.json").stop()
        except RuntimeError as error:
            refused.append(str(error))

    spawn(tries)
    made.stop()
    assert len(refused) == 1
    told(made.file)


def test_a_foreign_greenlet_has_a_track_with_a_name(tmp_path: Path) -> None:
    names = []

    def parks() -> None:
        names.append(getcurrent().name)
        sleep(0.001)

    with trace(tmp_path / "t.json") as made:
        foreign = greenlet.greenlet(parks)
        foreign.switch()
    assert told(made.file).names(names[0])[:2] == ["sleeps", "ready"]


def test_the_child_of_a_fork_is_not_recorded(tmp_path: Path) -> None:
    with trace(tmp_path / "t.json") as made:
        pid = os.fork()
        if pid == 0:
            made.stop()
            forgotten = not JOURNAL.on and not len(JOURNAL) and not arrivals
            with trace(tmp_path / "child.json") as own:
                spawn(sleep).wait()
            os._exit(0 if forgotten and "GreenThread" in own.file.read_text() else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert made.file.read_bytes() == b""
        spawn(sleep).wait()
    told(made.file)


OS_THREADS = """
from greening import Event, spawn
from greening._core.current import get_hub
from greening.debug import trace
import threading

get_hub()
here, there, end = Event(), Event(), threading.Event()

def other():
    def inner():
        here.send()
        there.wait()
    spawn(inner).wait()
    if threading.current_thread().name == "stays":
        end.wait()

with trace("t.json"):
    for name in ("goes", "stays"):
        here, there = Event(), Event()
        thread = threading.Thread(target=other, name=name)
        thread.start()
        here.wait()
        there.send()
        if name == "goes":
            thread.join()
end.set()
"""


def test_each_os_thread_is_a_process(run_program: Callable[..., Any], tmp_path: Path) -> None:
    done = run_program(OS_THREADS)
    found = told(tmp_path / "t.json")
    program = Path(done.args[-1]).name
    assert {program, f"{program}, OS thread stays"} < found.processes.keys()
    (goes,) = found.processes.keys() - {program, f"{program}, OS thread stays"}
    assert goes.startswith(f"{program}, OS thread 0x")  # it has ended, and its name with it
    inner = next(name for name in found.processes[goes] if name.endswith("(inner)"))
    assert "main greenlet" in found.processes[goes]
    assert (inner, "running", "main greenlet", "running") in found.arrows


PROGRAM = """
import asyncio, queue, socket, subprocess, threading, time

def serve(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()

def handle(connection):
    with connection:
        while data := connection.recv(100):
            connection.sendall(data)

def client(address):
    with socket.create_connection(address) as sock:
        for _ in range(3):
            sock.sendall(b"x" * 64)
            sock.recv(100)

async def fetch(number):
    await asyncio.sleep(0.001 * number)

async def main():
    await asyncio.gather(*(fetch(number) for number in range(3)))

listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
clients = [threading.Thread(target=client, args=(listener.getsockname(),)) for _ in range(2)]
for thread in clients:
    thread.start()
lock = threading.Lock()
def fights():
    with lock:
        time.sleep(0.001)
for _ in range(2):
    threading.Thread(target=fights).start()
asyncio.run(main())
subprocess.run(["sleep", "0.02"])
for thread in clients:
    thread.join()
print("done")
"""


def test_a_whole_program(run_program: Callable[..., Any], tmp_path: Path) -> None:
    done = run_program(PROGRAM, python_args=("-m", "greening", "--trace", "t.json.gz"))
    assert done.stdout == "done\n"
    assert done.stderr.startswith("greening: trace: ")
    assert done.stderr.endswith(" events in " + str(tmp_path / "t.json.gz") + ": open it at " + VIEWERS + "\n")
    found = told(tmp_path / "t.json.gz")
    tracks = " ".join(found.slices)
    assert all(name in tracks for name in ("hub", "main greenlet", "(serve)", "(handle)", "(client)", "Task-1 (main)"))
    waits = {one.name for slices in found.slices.values() for one in slices}
    assert {"running", "ready", "turn", "sleeps", "waits: descriptor", "waits: lock", "waits: child"} <= waits
    assert {"awaits: sleep"} <= waits
    assert len(found.arrows) > 20


def test_threads_that_go_on_after_the_end_of_the_program_are_recorded(
    run_program: Callable[..., Any], tmp_path: Path
) -> None:
    source = "import threading, time\nthreading.Thread(target=lambda: time.sleep(0.02), name='late').start()\n"
    run_program(source, python_args=("-m", "greening", "--trace=t.json"))
    assert told(tmp_path / "t.json").names("late")[-1] == "running"


def test_a_program_that_fails_is_recorded_and_fails_as_ever(run_program: Callable[..., Any], tmp_path: Path) -> None:
    done = run_program("\n1 / 0\n", python_args=("-m", "greening", "--trace", "t.json"), check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    told(tmp_path / "t.json")


def test_a_child_of_fork_leaves_the_file_to_its_parent(run_program: Callable[..., Any], tmp_path: Path) -> None:
    source = "import os, sys\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()\n"
    done = run_program(source, python_args=("-m", "greening", "--trace", "t.json"))
    assert done.stderr.count("greening: trace:") == 1
    told(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--trace"], "--trace needs a file"),
        (["--trace=", "x.py"], "--trace needs a file"),
        (["--trace", "/missing/t.json", "-c", ""], "/missing/t.json cannot be written: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_is_refused(arguments: list[str], text: str) -> None:
    command = [sys.executable, "-m", "greening", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr


def test_the_tracer_is_imported_when_it_is_asked_for(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import sys
import greening, greening.debug, greening._cli
assert not {name for name in sys.modules if name.startswith("greening.debug.trace")}
assert "trace" in dir(greening.debug)
assert greening.debug.trace.__module__ == "greening.debug.tracer"
"""
    )
