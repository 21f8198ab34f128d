"""What the command says: access lines on standard output, everything else on standard error.

Facts: a write for each line costs more than the line. A reader of standard output that pauses would stop the writer.
Decision: access lines are gathered for a tenth of a second, and written in whole lines by a green thread, in pieces
that a pipe takes at once, so that those of several processes do not mix. What SIGKILL finds gathered is lost.
"""

import os
import sys
from typing import Any

from greening._core.greenthread import spawn_after
from greening.sync.lock import Lock
from greening.wsgi.log import Log

DELAY = 0.1  # seconds that lines are gathered
_FULL = 10_000  # lines: the request that has one more waits until they are written
_PIECE = 4096  # bytes: PIPE_BUF, what a pipe takes at once


def say(text: str) -> None:
    """Write a line on standard error, as everything that is not an access line. A reader that is gone is no error."""
    descriptor = descriptor_of(sys.stderr)
    if descriptor is not None:
        try:
            # Past `sys.stderr`: what it could not write would be tried again at the end, and change the exit status.
            _write(descriptor, f"greening.wsgi: {text}\n".encode("utf-8", "backslashreplace"))
        except OSError:
            pass


def descriptor_of(stream: Any) -> int | None:
    """The number under a file such as `sys.stdout`; None: there is none."""
    try:
        return int(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return None


def flush_standard_streams() -> None:
    """Before a fork: what is gathered in there must not be written twice."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


class Output(Log):
    """The `Log` of a server that the command runs.

    Args:
        access: False: no access lines. debug: see `Log`.
        descriptor: where they go; None: nowhere.
    """

    def __init__(self, access: bool = True, debug: bool = False, descriptor: int | None = 1) -> None:
        super().__init__(None, access and descriptor is not None, debug)
        self._descriptor = descriptor
        self._lines: list[str] = []
        self._writing = Lock()

    def access(self, line: str) -> None:
        """A request was answered. Written a little later."""
        lines = self._lines
        lines.append(line)
        if len(lines) == 1:
            spawn_after(DELAY, self.flush)
        elif len(lines) > _FULL:
            self.flush()

    def info(self, line: str) -> None:
        """Started, stopped: the supervisor says that."""

    def error(self, line: str) -> None:
        """Something is wrong with the application, or with us: standard error."""
        try:
            super().error(line)
        except (OSError, ValueError):
            pass  # its reader is gone, or the application has closed it: no reason to break a connection

    def debug(self, line: str) -> None:
        """A client was refused, or went away: the same."""
        try:
            super().debug(line)
        except (OSError, ValueError):
            pass

    def flush(self) -> None:
        """Write what was gathered. Parks while the reader pauses."""
        with self._writing:
            lines, self._lines = self._lines, []
            if self._descriptor is None or not lines:
                return
            try:
                for piece in _pieces(lines):
                    _write(self._descriptor, piece)
            except OSError as error:
                self._descriptor, self.output = None, False
                say(f"no more access lines: standard output: {os.strerror(error.errno or 0)}")


def _pieces(lines: list[str]) -> list[bytes]:
    pieces: list[bytes] = []
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        if size + len(data) > _PIECE and gathered:
            pieces.append(b"".join(gathered))
            gathered, size = [], 0
        gathered.append(data)
        size += len(data)
    pieces.append(b"".join(gathered))
    return pieces


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
