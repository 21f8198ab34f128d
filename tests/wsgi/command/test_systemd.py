"""What a service manager is told, through a socket such as systemd's."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greening.wsgi.command import systemd
from greening.wsgi.command.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@greening-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0"))
        sock.settimeout(10)
        yield name, sock


def test_every_state_is_told(manager: tuple[str, socket.socket]) -> None:
    name, sock = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("fine")
    assert sock.recv(500) == b"READY=1\nMAINPID=%d\nSTATUS=fine" % os.getpid()
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    reloading, when, status = sock.recv(500).split(b"\n")
    assert (reloading, status) == (b"RELOADING=1", b"STATUS=reloading")
    assert before <= int(when.removeprefix(b"MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    notifier.alive()
    assert sock.recv(500) == b"WATCHDOG=1"
    notifier.stopping()
    assert sock.recv(500) == b"STOPPING=1\nSTATUS=finishing what is in flight"


def test_variables_are_not_for_programs_of_the_application() -> None:
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid()), "A": "b"}
    assert Notifier(environ).watchdog == 1.5
    assert environ == {"A": "b"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "3000000"},
    ],
)
def test_without_a_watchdog(environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    assert notifier.watchdog == 0.0
    notifier.ready("there is nothing that listens, and no error")


def test_a_manager_that_does_not_read_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_PATIENCE", 0.001)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(50):  # more than net.unix.max_dgram_qlen
            notifier.alive()
