"""The interpreter under test."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ABOUT = """
import json, os, sys
try:
    import test
    folder = os.path.dirname(test.__file__)
except ImportError:
    folder = ""
missing = []
for name in ("greenlet", "wrapt"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
print(json.dumps([sys.version, "%d.%d" % sys.version_info[:2], folder, missing]))
"""


class CannotRun(Exception):
    """This interpreter cannot be used; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Attributes:
    executable: as it was given.
    build: `sys.version`, which tells builds apart.
    version: "3.13".
    tests: the folder of the package `test`.
    """

    executable: str
    build: str
    version: str
    tests: Path


def look_at(executable: str) -> Interpreter:
    """Ask an interpreter about itself.

    Raises:
        CannotRun: it cannot be started, or lacks the package `test` or a dependency of greening.
    """
    try:
        done = subprocess.run([executable, "-c", _ABOUT], capture_output=True, text=True, check=True, cwd="/")
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotRun(f"{executable}: {error}") from error
    build, version, folder, missing = json.loads(done.stdout)
    if not folder:
        raise CannotRun(f"{executable} comes without the package `test`; on Debian: apt install libpython3-testsuite")
    if missing:
        raise CannotRun(f"{executable} comes without {' and '.join(missing)}")
    return Interpreter(executable, build, version, Path(folder))
