"""One worker process: what it finishes before it ends, and how it reloads."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.wsgi.processes import APP, Start, change, let_go


@pytest.mark.slow
def test_what_takes_longer_than_the_graceful_timeout_is_cut_off(start: Start) -> None:
    command = start("--graceful-timeout", "0.2", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGTERM)
    assert held.data() == b""
    assert command.end()[0] == 0
    assert re.search(r"worker \d+ cuts off GET /hold of 127\.0\.0\.1:\d+, stood here \(.*\):\n", command.errors)
    assert re.search(r'  File ".*/site1.py", line \d+, in app\n    open\("go"\)', command.errors)


@pytest.mark.slow
def test_workers_end_when_the_supervisor_is_killed(start: Start, folder: Path) -> None:
    command = start("--workers", "2", "site1:app").listening()
    command.until("loaded")  # the second one
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGKILL)
    command.until("supervisor is gone")
    let_go(folder)
    assert held.answer()["version"] == 1
    command.end()  # the pipes are closed when the last worker has gone
    command.refuses()


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_finishes_and_is_replaced(start: Start, folder: Path) -> None:
    command = start("site1:app").listening()
    pid = command.get()["pid"]
    held = command.ask("/hold")
    command.until("holding")
    os.kill(pid, signal.SIGTERM)
    let_go(folder)
    assert held.answer()["pid"] == pid
    command.until(f"worker {pid} ended with status 0")
    assert command.get()["pid"] != pid


@pytest.mark.slow
def test_a_request_that_is_on_its_way_to_an_old_worker_is_answered(start: Start) -> None:
    command = start("site1:app").listening()
    with command.connect() as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.recv(65536)
        command.signal(signal.SIGHUP)
        command.until("reloaded")
        answer = b""
        while b"\r\nConnection: close\r\n" not in answer:  # the first ones may come before it knows that it is old
            idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = idle.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert command.get()["version"] == 1


@pytest.mark.slow
def test_reload_when_a_file_changes(start: Start, folder: Path) -> None:
    command = start("--reload", "site1:app").listening()
    assert command.get()["version"] == 1
    change(folder, APP.replace('"version": 1', '"version": 2'))
    command.until("site1.py has changed")
    command.until("reloaded")
    change(folder, "def app(:\n")
    command.until("not reloaded: the old workers go on")
    change(folder, APP.replace('"version": 1', '"version": 3'))
    command.until("reloaded")
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_reload_waits_for_an_application_that_can_be_loaded(start: Start, folder: Path) -> None:
    change(folder, "import helper1\n" + APP)
    (folder / "helper1.py").write_text("1 / 0\n")
    command = start("--reload", "site1:app")
    command.until("ZeroDivisionError")
    (folder / "helper1.py").write_text("fine = True\n")
    assert command.listening().get()["version"] == 1
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.slow
def test_hooks_are_called_in_their_processes(start: Start, folder: Path) -> None:
    (folder / "hooks1.py").write_text(
        "import os, sys\n"
        "from greening.monkey import is_monkey_patched\n"
        "def tell(name):\n"
        "    def hook(settings):\n"
        "        patched = is_monkey_patched('socket')\n"
        "        print('hook', name, os.getpid(), patched, 'site1' in sys.modules, file=sys.stderr, flush=True)\n"
        "    return hook\n"
        "starting, fork, ready, leave = map(tell, ('starting', 'fork', 'ready', 'leave'))\n"
        "def broken(settings):\n"
        "    1 / 0\n"
    )
    hooks = {"on-starting": "starting", "post-fork": "fork", "worker-ready": "ready", "worker-exit": "leave"}
    arguments = [word for option, name in hooks.items() for word in (f"--{option}", f"hooks1:{name}")]
    command = start(*arguments, "--on-exit", "hooks1:broken", "site1:app").listening()
    worker, supervisor = command.get()["pid"], command.process.pid
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0
    assert re.findall("hook (.*)", command.errors) == [
        f"starting {supervisor} False False",
        f"fork {worker} True False",
        f"ready {worker} True True",
        f"leave {worker} True True",
        "on-exit, 'hooks1:broken', failed:",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["--on-starting", "--post-fork"])
def test_a_hook_that_fails_before_the_start_ends_it(start: Start, folder: Path, hook: str) -> None:
    (folder / "hooks1.py").write_text("def broken(settings):\n    1 / 0\n")
    command = start(hook, "hooks1:broken", "site1:app")
    assert command.end() == (1, "")
    assert f"the hook {hook[2:]}, 'hooks1:broken', failed:\n" in command.errors
    assert "ZeroDivisionError" in command.errors


@pytest.mark.slow
def test_sigusr1_has_every_worker_open_its_log_anew(start: Start, folder: Path) -> None:
    (folder / "hooks1.py").write_text(
        "import os\n"
        "from greening.wsgi.command.console import Output\n"
        "def ready(settings):\n"
        "    Output.reopen = lambda log: os.write(2, b'opened anew by %d\\n' % os.getpid())\n"
    )
    command = start("--workers", "2", "--worker-ready", "hooks1:ready", "site1:app").listening()
    pids = set()
    while len(pids) < 2:
        pids.add(command.get()["pid"])
    command.signal(signal.SIGUSR1)
    assert {int(command.until(r"opened anew by (\d+)")[1]) for _ in range(2)} == pids
