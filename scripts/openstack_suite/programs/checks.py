"""For the programs beside this file: named checks, whose outcomes are written as `recorder` writes those of tests."""

import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKS: dict[str, Callable[[], object]] = {}


def check(function: Callable[[], object]) -> Callable[[], object]:
    """Register a check: it passes if it returns."""
    CHECKS[function.__name__] = function
    return function


def run() -> None:
    """Run all checks in order, and end the program with 1 if one fails."""
    failed = False
    for name, function in CHECKS.items():
        try:
            function()
        except BaseException:  # noqa: BLE001  # it is what a check says
            traceback.print_exc()
            write("failed", name)
            failed = True
        else:
            write("passed", name)
    sys.exit(failed)


def write(outcome: str, name: str) -> None:
    """Write one line of the record."""
    print(f"{outcome}: {name}", flush=True)
    record = os.environ.get("OPENSTACK_RECORD")
    if record:
        with Path(record).open("a", encoding="utf-8") as file:
            file.write(f"{outcome}\t{name}\n")


def engines() -> list[str]:
    """What `import eventlet` means in this process, and in a Python program that it starts."""
    import eventlet

    command = [sys.executable, "-W", "ignore", "-c", "import eventlet; print(eventlet.__name__)"]
    return [eventlet.__name__, subprocess.check_output(command, text=True).strip()]


def expected_engines() -> list[str]:
    """What `engines` has to say on this side."""
    return [{"eventlet": "eventlet", "greening": "greening.compat.eventlet"}[os.environ["OPENSTACK_SIDE"]]] * 2


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """Wait until somebody listens.

    Raises:
        TimeoutError: nobody does; the process may have ended.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nobody listens on port {port}; the server's exit status is {process.poll()}")


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program that runs during a `with` block; SIGTERM ends it.

    OPENSTACK_DOOR, such as "-m greening --as-eventlet", are options of the interpreter in front of it.
    """
    door = os.environ.get("OPENSTACK_DOOR", "").split()
    process = subprocess.Popen([sys.executable, *door, *arguments], env={**os.environ, **environment})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
