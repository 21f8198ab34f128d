"""What the command says: access lines on standard output or in a file, everything else on standard error.

Facts: a write for each line costs more than the line. A reader of standard output that pauses would stop the writer. A
write with O_APPEND goes to the end of a file in one step, whatever other processes append (open(2)).
Decision: access lines are gathered for a tenth of a second, and written in whole lines by a green thread, in pieces
that a pipe takes at once, so that those of several processes do not mix. What SIGKILL finds gathered is lost.

A file that takes no more, because its disk is full, breaks no connection: that is told once, lines are counted in place
of written, and each later write tries again.
"""

import os
import stat
import sys
from typing import Any

from greening._core.greenthread import spawn_after
from greening.sync.lock import Lock
from greening.wsgi.command.logfile import open_log
from greening.wsgi.command.privileges import Identity
from greening.wsgi.log import Log

DELAY = 0.1  # seconds that lines are gathered
_FULL = 10_000  # lines: the request that has one more waits until they are written
_PIECE = 4096  # bytes: PIPE_BUF, what a pipe takes at once
_FILE_PIECE = 65536  # the same for a file
_ERRORS = 2  # the descriptor of standard error


def say(text: str) -> None:
    """Write a line on standard error, as everything that is not an access line. A reader that is gone is no error."""
    descriptor = descriptor_of(sys.stderr)
    if descriptor is not None:
        _tell(descriptor, f"greening.wsgi: {text}")


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


def redirect_errors(path: str, owner: Identity | None = None) -> None:
    """Have standard error, of this process and of those that it starts from now on, in a file.

    A second call opens the file anew, in one step: no line is lost or written twice.

    Args:
        path, owner: as in `open_log`.
    Raises:
        OSError: the file cannot be opened; standard error is what it was.
    """
    descriptor = open_log(path, owner)
    try:
        os.dup2(descriptor, _ERRORS)
    finally:
        os.close(descriptor)


def reopen_errors(path: str | None) -> None:
    """Open the file of standard error by its name again; None: it is in none. A failure is told."""
    if path is not None:
        try:
            redirect_errors(path)
        except OSError as error:
            say(f"cannot reopen the error log {path}: {error.strerror}; the old file stays")


class Output(Log):
    """The `Log` of a server that the command runs.

    Args:
        access: False: no access lines. debug: see `Log`.
        descriptor: where they go; None: nowhere.
        path: the file where they go, in place of `descriptor`. errors: the file of `redirect_errors`, for `reopen`.
    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(
        self,
        access: bool = True,
        debug: bool = False,
        descriptor: int | None = 1,
        path: str | None = None,
        errors: str | None = None,
    ) -> None:
        if path is not None:
            descriptor = open_log(path)
        super().__init__(None, access and descriptor is not None, debug)
        self._path = path
        self._errors = errors
        self._name = "standard output" if path is None else path
        self._descriptor = descriptor
        self._given = descriptor if self.output else None
        self._lines: list[str] = []
        self._writing = Lock()
        self._lost = 0  # lines since the file took no more
        self._torn = False  # the file ends in a part of a line

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

    def _write(self, line: str) -> None:
        """What is wrong, and what `debug` is for: standard error."""
        descriptor = descriptor_of(sys.stderr)
        try:
            if descriptor is None:
                super()._write(line)
            else:
                _tell(descriptor, line)
        except (OSError, ValueError):
            pass  # the application has closed it: no reason to break a connection

    def flush(self) -> None:
        """Write what was gathered. Parks while the reader pauses."""
        with self._writing:
            lines, self._lines = self._lines, []
            if self._descriptor is not None and lines:
                self._put(self._descriptor, lines)

    def reopen(self) -> None:
        """Open the files by their names again: something has renamed them. Lines that are gathered go to the new file.

        A file that cannot be opened is told, and the one that is open stays. Standard output is tried again if it had
        no reader. Parks while the reader pauses.
        """
        with self._writing:
            if self._path is not None:
                try:
                    descriptor = open_log(self._path)
                except OSError as error:
                    say(f"cannot reopen the access log {self._path}: {error.strerror}; the old file stays")
                else:
                    assert self._descriptor is not None
                    os.close(self._descriptor)
                    self._descriptor, self._torn = descriptor, False
            elif self._given is not None:
                self._descriptor, self.output = self._given, True
        reopen_errors(self._errors)

    def _put(self, descriptor: int, lines: list[str]) -> None:
        pieces = _pieces(lines, _FILE_PIECE if stat.S_ISREG(os.fstat(descriptor).st_mode) else _PIECE)
        if self._torn:
            pieces[0] = b"\n" + pieces[0]
        for number, piece in enumerate(pieces):
            left = piece
            try:
                while left:
                    left = left[os.write(descriptor, left) :]
            except OSError as error:
                if len(left) < len(piece):
                    self._torn = piece[-len(left) - 1 : -len(left)] != b"\n"
                later = b"".join(pieces[number + 1 :])
                self._failed(error, left.count(b"\n") - left.startswith(b"\n") + later.count(b"\n"))
                return
            self._torn = False
        if self._lost:
            say(f"access lines go to {self._name} again; {self._lost} are lost")
            self._lost = 0

    def _failed(self, error: OSError, lost: int) -> None:
        why = os.strerror(error.errno or 0)
        if self._path is None:
            # Its reader is gone, and with it everything that could be found in a later line.
            self._descriptor, self.output = None, False
            say(f"no more access lines: {self._name}: {why}")
        elif not self._lost:
            say(f"access lines are lost until {self._name} takes them again: {why}")
        self._lost += lost


def _pieces(lines: list[str], limit: int) -> list[bytes]:
    pieces: list[bytes] = []
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        if size + len(data) > limit and gathered:
            pieces.append(b"".join(gathered))
            gathered, size = [], 0
        gathered.append(data)
        size += len(data)
    pieces.append(b"".join(gathered))
    return pieces


def _tell(descriptor: int, text: str) -> None:
    """Write to a descriptor, past `sys.stderr`: what that could not write would be tried again at the end, and change
    the exit status.
    """
    data = f"{text}\n".encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        pass
