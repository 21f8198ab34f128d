"""Runs one suite on one side, in a process of its own, and reads what it has recorded."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from openstack_suite.places import HERE, Places, environment_of
from openstack_suite.suites import Suite

# For one that hangs: where it hangs is written to the log this many seconds before it is ended.
_LAST_WORDS = 5


@dataclass(frozen=True)
class Results:
    """What one suite came to on one side.

    Args:
        tests: the name of a test -> its outcome.
        seconds: how long it took.
        status: exit status; None: it was ended, since its time was up.
        log: what it printed.
    """

    tests: dict[str, str]
    seconds: float
    status: int | None
    log: Path

    def count(self, *outcomes: str) -> int:
        """Number of tests with one of these outcomes."""
        return sum(outcome in outcomes for outcome in self.tests.values())


def command_of(suite: Suite, places: Places) -> list[str]:
    """What is run. It is the same on both sides."""
    python = str(places.python)
    if suite.runner == "program":
        return [python, str(HERE / "programs" / suite.targets[0]), *suite.targets[1:]]
    if suite.runner == "unittest":
        return [python, "-m", "unittest_recorder", *suite.targets]
    # No configuration: the suite's own may want plug-ins, and the one of this project is none of its business.
    options = ["-q", "--tb=short", "-p", "recorder", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=."]
    options += ["-o", f"faulthandler_timeout={max(suite.seconds - _LAST_WORDS, 1)}"]
    return [python, "-m", "pytest", *options, *suite.targets]


def run(suite: Suite, side: str, places: Places, results: Path) -> Results:
    """Run it, politely (nice 10). Records and logs are in `results`, under the names of suite and side."""
    results.mkdir(parents=True, exist_ok=True)
    stem = f"{suite.name.replace('/', '-').replace(' ', '-')}.{side}"
    record, log = results / f"{stem}.tsv", results / f"{stem}.log"
    record.unlink(missing_ok=True)
    # In memory, if there is room: Swift's object servers want large extended attributes.
    memory = Path("/dev/shm")
    scratch = Path(tempfile.mkdtemp(prefix="openstack-", dir=memory if memory.is_dir() else None))
    environment = environment_of(side, scratch) | suite.environment
    environment |= {"OPENSTACK_RECORD": str(record), "OPENSTACK_SIDE": side}
    begun = time.monotonic()
    try:
        with log.open("wb") as output:
            status = _end_of(
                ["nice", "-n", "10", *command_of(suite, places)],
                suite.seconds,
                environment,
                places.of(suite.place),
                output,
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Results(_read(record), time.monotonic() - begun, status, log)


def _end_of(
    command: list[str], seconds: float, environment: dict[str, str], folder: Path, output: IO[bytes]
) -> int | None:
    """The exit status; None: its time was up."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):  # children that the suite has left behind, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read(record: Path) -> dict[str, str]:
    if not record.exists():
        return {}
    lines = record.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("\t") for line in lines)
    return {test: outcome for outcome, _, test in pairs}
