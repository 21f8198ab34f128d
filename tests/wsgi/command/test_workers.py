"""The supervisor: how it ends, replaces workers, and reloads, with real processes."""

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.wsgi.processes import APP, Command, Start, change, let_go


@pytest.mark.slow
@pytest.mark.parametrize("send", ["SIGTERM", "SIGINT", "terminal"])
def test_a_signal_lets_what_is_in_flight_finish(start: Start, folder: Path, send: str) -> None:
    command = start("--workers", "2", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    if send == "terminal":  # Ctrl-C: every process gets it
        os.killpg(command.process.pid, signal.SIGINT)
    else:
        command.signal(getattr(signal, send))
    command.refuses()
    let_go(folder)
    assert held.answer()["version"] == 1
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    command = start("site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGTERM)
    command.until("another signal ends it at once")
    command.signal(signal.SIGTERM)
    assert held.data() == b""
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_worker_that_does_not_end_is_killed(start: Start, folder: Path) -> None:
    change(folder, APP.replace('open("go").close()', "while True: pass"))
    command = start("--graceful-timeout", "0", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGTERM)
    command.until("does not end; killed")
    with suppress(ConnectionResetError):
        assert held.data() == b""
    assert command.end()[0] == 0


@pytest.mark.slow
def test_ends_while_the_application_is_being_loaded(start: Start, folder: Path) -> None:
    change(folder, "import sys\nprint('loading', file=sys.stderr, flush=True)\nopen('go')\n")
    command = start("site1:app")
    command.until("loading")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_dead_workers_are_replaced(start: Start) -> None:
    command = start("--workers", "2", "site1:app").listening()
    command.until("loaded")
    seen = set()
    for _ in range(3):
        told = command.get()
        assert told["multiprocess"]
        assert told["pid"] not in seen
        seen.add(told["pid"])
        os.kill(told["pid"], signal.SIGKILL)
        command.until(f"worker {told['pid']} was killed by SIGKILL")
        command.until("loaded")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_gives_up_when_no_worker_ever_starts(start: Start, folder: Path) -> None:
    change(folder, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    command = start("--workers", "3", "site1:app")
    assert command.end() == (1, "")
    deaths = re.findall("was killed by SIGKILL before it could serve anything", command.errors)
    assert len(deaths) == 5
    assert command.errors.endswith("no worker could be started; giving up\n")


@pytest.mark.slow
def test_sighup_brings_new_workers_and_lets_the_old_ones_finish(start: Start, folder: Path) -> None:
    command = start("--workers", "2", "site1:app").listening()
    command.until("loaded")
    held = command.ask("/hold")
    command.until("holding")
    change(folder, APP.replace('"version": 1', '"version": 2'))
    command.signal(signal.SIGHUP)
    command.until("reloaded")
    command.until("loaded")
    let_go(folder)
    assert held.answer()["version"] == 1
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_an_application_that_cannot_be_loaded_again_leaves_the_old_workers(start: Start, folder: Path) -> None:
    command = start("--workers", "2", "site1:app").listening()
    command.until("loaded")
    change(folder, "import nowhere_to_be_found\n")
    command.signal(signal.SIGHUP)
    command.until("not reloaded: the old workers go on")
    assert command.get()["version"] == 1
    assert "No module named 'nowhere_to_be_found'" in command.errors
    change(folder, APP.replace('"version": 1', '"version": 2'))
    command.signal(signal.SIGHUP)
    command.until("reloaded")
    command.until("loaded")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


# Workers that are stuck, die, or have done their share


@pytest.mark.slow
@pytest.mark.parametrize("spin", ["while True: pass", "__import__('re').match('(a+)+$', 'a' * 60 + 'b')"])
def test_a_worker_that_is_stuck_is_replaced_while_others_serve(start: Start, folder: Path, spin: str) -> None:
    change(folder, APP.replace('open("go").close()', spin))
    command = start("--workers", "2", "--timeout", "0.6", "site1:app").listening()
    command.until("loaded")
    held = command.ask("/hold")
    command.until("holding")
    pid = command.get()["pid"]
    stuck = int(command.until(r"worker (\d+) has been stuck for 0.6 s; its stack follows")[1])
    assert stuck != pid
    command.until(r'File ".*/site1.py", line \d+ in app')
    with suppress(ConnectionResetError):
        assert held.data() == b""
    assert command.get()["pid"] != stuck
    if command.errors.count("loaded") < 3:  # the successor may load while the stuck one is still being ended
        command.until("loaded")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_request_that_waits_longer_than_the_timeout_is_not_stuck(start: Start, folder: Path) -> None:
    command = start("--timeout", "0.2", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    began = time.monotonic()
    while time.monotonic() - began < 0.7:
        command.get()
    let_go(folder)
    assert held.answer()["version"] == 1
    assert "stuck" not in command.errors


@pytest.mark.slow
def test_requests_that_kill_their_worker_do_not_take_the_service_away(start: Start) -> None:
    command = start("site1:app").listening()
    for _ in range(6):
        pid = command.get()["pid"]
        os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    assert command.get()["pid"] != pid
    assert time.monotonic() - began < 4  # after six deaths, a back-off that doubles would be 6 s
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_a_worker_that_has_served_its_share_leaves_when_its_successor_is_ready(start: Start, folder: Path) -> None:
    command = start("--max-requests", "3", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    first = command.get()["pid"]
    command.get()
    command.until(f"worker {first} has served 3 requests; it goes when another is ready")
    while command.get()["pid"] == first:
        pass
    let_go(folder)
    assert held.answer()["pid"] == first
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_workers_that_began_together_are_replaced_one_by_one(start: Start, folder: Path) -> None:
    (folder / "started").write_text("")
    change(folder, 'import time\nopen("started", "a").write(f"{time.monotonic()}\\n")\ntime.sleep(0.2)\n' + APP)
    command = start("--workers", "2", "--lifetime", "0.5", "site1:app").listening()
    for _ in range(2):
        command.until("has lived 1 s; it goes when another is ready")
    for _ in range(3):
        command.until("loaded")
    began = [float(line) for line in (folder / "started").read_text().split()]
    assert began[3] - began[2] >= 0.2  # the second successor was not forked before the first was ready
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_one_worker_more_and_one_fewer(start: Start) -> None:
    command = start("site1:app").listening()
    first = command.get()["pid"]
    command.signal(signal.SIGTTIN)
    command.until("2 workers from now on")
    second = int(command.until(r"loaded (\d+)")[1])
    while command.get()["pid"] != second:
        pass
    command.signal(signal.SIGTTOU)
    command.until("1 worker from now on")
    command.signal(signal.SIGTTOU)
    command.until("1 worker from now on")
    command.signal(signal.SIGUSR2)
    command.until("SIGUSR2 does nothing")
    assert command.get()["pid"] in (first, second)
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


# Workers that do not do what they should


THREAD = """
import threading, time
threading.Thread(target=lambda: [time.sleep(0.5) for _ in iter(int, 1)]).start()
"""


@pytest.mark.slow
def test_a_worker_that_serves_no_more_but_does_not_end_has_a_successor_at_once(start: Start, folder: Path) -> None:
    change(folder, THREAD + APP)
    command = start("--graceful-timeout", "0.5", "site1:app").listening()
    first = command.get()["pid"]
    os.kill(first, signal.SIGTERM)
    assert int(command.until(r"loaded (\d+)")[1]) != first
    assert command.get()["pid"] != first
    command.until(f"worker {first} does not end; killed; its stack follows")
    command.until(f"worker {first} was killed by SIG")


@pytest.mark.slow
def test_an_application_that_cannot_be_loaded_and_has_a_thread_ends_all_the_same(start: Start, folder: Path) -> None:
    change(folder, THREAD + "raise RuntimeError('no database')\n")
    command = start("site1:app")
    command.until("no worker could be started; giving up")
    assert command.end() == (1, "")
    assert "no database" in command.errors


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_a_reload_that_hangs_ends_and_leaves_the_old_workers(
    start: Start, folder: Path, options: tuple[str, ...]
) -> None:
    command = start("--start-timeout", "2", "--workers", "2", *options, "site1:app").listening()
    hang = "import sys\nprint('hangs', file=sys.stderr, flush=True)\nopen('go')\n"
    change(folder, hang)
    command.signal(signal.SIGHUP)
    command.until("hangs")
    if options:  # the old application is at hand: a worker of it that dies comes again meanwhile
        pids = {command.get()["pid"] for _ in range(30)}
        os.kill(min(pids), signal.SIGKILL)
        while not {command.get()["pid"]} - pids:
            pass
        assert "has not loaded" not in command.errors
    command.until("has not loaded the application within 2 s; its stack follows")
    command.until_each("not reloaded: the old workers go on", r'File ".*/site1.py", line 3')
    assert command.get()["version"] == 1
    change(folder, APP)
    command.signal(signal.SIGHUP)
    command.until("reloaded")


@pytest.mark.slow
def test_a_stuck_worker_names_its_requests_and_writes_its_lines(start: Start, folder: Path) -> None:
    change(folder, APP.replace('open("go").close()', "while True: pass"))
    command = start(
        "--timeout", "0.4", "--access-log", "a.log", "--access-log-format", "%(path)s", "site1:app"
    ).listening()
    command.get("/before")
    held = command.ask("/hold")
    command.until("has been stuck")
    command.until(r"worker \d+ is killed at GET /hold of 127")
    command.until(r'File ".*/site1.py", line \d+, in app')
    command.until("Fatal Python error: Aborted")
    assert command.errors.count("is killed at") == 1
    with suppress(ConnectionResetError):
        assert held.data() == b""
    assert (folder / "a.log").read_text().startswith("/before\n")


@pytest.mark.slow
def test_a_worker_that_is_stuck_when_its_supervisor_dies_lets_its_port_go(start: Start, folder: Path) -> None:
    change(folder, APP.replace('open("go").close()', "while True: pass"))
    command = start("--timeout", "0.5", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGKILL)
    command.refuses()
    with suppress(ConnectionResetError):
        assert held.data() == b""
    command.until("Fatal Python error: Aborted")


@pytest.mark.slow
def test_sigquit_ends_it_at_once(start: Start) -> None:
    command = start("site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    os.killpg(command.process.pid, signal.SIGQUIT)  # as a terminal does it
    with suppress(ConnectionResetError):
        assert held.data() == b""
    assert command.end()[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_log_files_are_opened_anew_by_workers_that_load_or_leave(
    start: Start, folder: Path, options: tuple[str, ...]
) -> None:
    change(folder, "import sys\nprint('loading', file=sys.stderr, flush=True)\nopen('go').close()\n" + APP)
    command = start("--access-log", "a.log", "--access-log-format", "%(path)s", *options, "site1:app")
    command.until("loading")
    rotate(command, folder / "a.log", 1)
    let_go(folder)
    pid = command.listening().get("/first")["pid"]
    while open_logs(pid) != ["a.log"]:  # one descriptor, of the new file
        pass
    held = command.ask("/hold")
    command.until("holding")
    os.kill(pid, signal.SIGTERM)
    rotate(command, folder / "a.log", 2)
    while open_logs(pid) != ["a.log"]:
        pass
    let_go(folder)
    assert held.answer()["pid"] == pid
    while "/hold" not in (folder / "a.log").read_text():
        pass
    assert "/hold" not in (folder / "a.log.2").read_text()


def rotate(command: Command, log: Path, number: int) -> None:
    log.rename(f"{log}.{number}")
    command.signal(signal.SIGUSR1)
    while not log.exists():
        pass


def open_logs(pid: int) -> list[str]:
    """The names of the log files that a process has open."""
    folder = Path(f"/proc/{pid}/fd")
    found = []
    for each in folder.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(each))
    return [os.path.basename(name) for name in found if "a.log" in name]
