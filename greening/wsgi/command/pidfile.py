"""The file that says which process the supervisor is."""

import fcntl
import os
import tempfile
import time

_TRIES, _PAUSE = 20, 0.1  # seconds: writing the file takes another server a moment


class PidFileTaken(Exception):
    """Another process that lives is named there, or it is no such file."""


class PidFile:
    """Writes the number of this process to a file, whole or not at all.

    Args:
        path: of the file. One that a dead process has left behind is replaced.
    Raises:
        PidFileTaken: see there, or another process keeps the folder locked.
        OSError: the file cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._pid = os.getpid()
        folder = os.path.dirname(self._path)
        lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _lock(lock, folder)
            self._check()
            descriptor, new = tempfile.mkstemp(prefix=os.path.basename(path), dir=folder)
            with open(descriptor, "w") as file:
                file.write(f"{self._pid}\n")
                os.fchmod(descriptor, 0o644)
            os.replace(new, self._path)
        finally:
            os.close(lock)

    def remove(self) -> None:
        """Remove the file, if it still names this process."""
        if _content(self._path) == str(self._pid):
            try:
                os.unlink(self._path)
            except OSError:
                pass  # its folder is not ours any more; the next server replaces it

    def _check(self) -> None:
        content = _content(self._path)
        if not content:
            return
        if not content.isdecimal():
            raise PidFileTaken(f"--pid: {self._path} is there, and has no process number in it: it was not replaced")
        if content != str(self._pid) and _lives(int(content)):
            raise PidFileTaken(f"--pid: process {content} of {self._path} lives: is this server running already?")


def _lock(descriptor: int, folder: str) -> None:
    """Of two servers that begin at once, one sees the other's file. Others can hold this lock, too: not for ever."""
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not left:
                raise PidFileTaken(f"--pid: another process keeps the folder {folder} locked (flock)") from None
            time.sleep(_PAUSE)


def _content(path: str) -> str:
    """The beginning of a file; "" when there is none."""
    try:
        with open(path, encoding="latin-1") as file:
            return file.read(32).strip()
    except FileNotFoundError:
        return ""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    return pid > 0
