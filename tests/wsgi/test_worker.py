"""One worker process: what it finishes before it ends, and how it reloads."""

import os
import signal
from pathlib import Path

import pytest

from tests.wsgi.command import APP, Start, change, let_go


@pytest.mark.slow
def test_what_takes_longer_than_the_graceful_timeout_is_cut_off(start: Start) -> None:
    command = start("--graceful-timeout", "0.2", "site1:app").listening()
    held = command.ask("/hold")
    command.until("holding")
    command.signal(signal.SIGTERM)
    assert held.data() == b""
    assert command.end()[0] == 0


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
