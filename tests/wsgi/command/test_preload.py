"""`--preload`: the application is loaded once, and workers share its memory."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.wsgi.processes import APP, Start, change, let_go

# 400,000 objects: without gc.freeze, one collection in a worker would copy the memory of them all.
BIG = "import gc\nDATA = [[number] for number in range(400000)]\n" + APP.replace(
    "    body = repr", "    gc.collect()\n    body = repr"
)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def own_memory(pid: int) -> int:
    """Bytes that the process shares with no other."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) << 10 for size in re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE))


@pytest.mark.slow
def test_workers_share_the_memory_of_what_was_loaded_once(start: Start, folder: Path) -> None:
    change(folder, BIG)
    command = start("--workers", "2", "--preload", "site1:app").listening()
    pids = set()
    while len(pids) < 2:
        told = command.get()
        assert told["patched"]
        pids.add(told["pid"])
    while not pids < set(children(command.process.pid)):
        pass  # the process in between, whose children they were, is about to end
    assert command.errors.count("loaded") == 1
    resident = int(Path(f"/proc/{min(pids)}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert resident > 40 << 20
    for pid in pids:
        assert own_memory(pid) < resident / 2
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_worker_that_dies_comes_again_from_memory(start: Start) -> None:
    command = start("--preload", "site1:app").listening()
    pid = command.get()["pid"]
    os.kill(pid, signal.SIGKILL)
    command.until(f"worker {pid} was killed by SIGKILL")
    assert command.get()["pid"] != pid
    assert "loaded" not in command.errors.partition("was killed")[2]
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_the_process_that_preloads_comes_again_when_it_is_needed(start: Start) -> None:
    command = start("--preload", "site1:app").listening()
    pid = command.get()["pid"]
    (template,) = set(children(command.process.pid)) - {pid}
    os.kill(template, signal.SIGKILL)
    command.until(f"the process that preloads {template} was killed by SIGKILL")
    assert command.get()["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    command.until("loaded")
    assert command.get()["pid"] != pid
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_sighup_loads_the_application_anew(start: Start, folder: Path) -> None:
    command = start("--preload", "--workers", "2", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    change(folder, "import nowhere_to_be_found\n")
    command.signal(signal.SIGHUP)
    command.until("not reloaded: the old workers go on")
    assert command.get()["version"] == 1
    change(folder, APP.replace('"version": 1', '"version": 2'))
    command.signal(signal.SIGHUP)
    command.until("reloaded")
    let_go(folder)
    assert held.answer()["version"] == 1
    while command.get()["version"] == 1:  # the last old worker leaves when the second new one is ready
        pass
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_an_application_that_cannot_be_preloaded(start: Start, folder: Path) -> None:
    change(folder, "1 / 0\n")
    command = start("--preload", "site1:app")
    assert command.end() == (1, "")
    assert "ZeroDivisionError" in command.errors
    assert command.errors.endswith("no worker could be started; giving up\n")


@pytest.mark.slow
def test_all_end_when_the_supervisor_is_killed(start: Start) -> None:
    command = start("--preload", "--workers", "2", "site1:app").listening()
    command.get()
    command.signal(signal.SIGKILL)
    command.until("supervisor is gone")
    command.end()  # the pipes are closed when the last process has gone
    command.refuses()
