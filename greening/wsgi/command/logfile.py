"""Log files are opened for appending, and never somebody else's file by mistake.

Facts: with `--user`, the supervisor is root, and the folder of a log may belong to the user of the workers. That user
can put a link there, to a file or as the folder itself, and have root append to a foreign file, or give it away.
Decision: for the user of the workers a file is opened with that user's rights: what those do not reach is not reached
by root either. Where they do not suffice to make a new file, as in /var/log, root makes it and gives it to that user;
but only in a folder that nobody else can put a link into. A file that is there already changes neither owner nor mode.
"""

import os
import stat

from greening.wsgi.command.privileges import Identity

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
_MODE = 0o640  # of a file that is made: addresses of clients are personal data


def open_log(path: str, owner: Identity | None = None) -> int:
    """Open a log file for appending; make it if there is none. Returns its descriptor.

    Args:
        path: a file, or a FIFO that has a reader.
        owner: the user who is to write it as well, later; None: that of this process.
    Raises:
        OSError: that is impossible, or `owner` may not write to it. It has the path.
    """
    if owner is None:
        descriptor = os.open(path, _FLAGS, _MODE)
    else:
        descriptor = _open_for(path, owner)
    # O_NONBLOCK was for the opening alone: a FIFO without a reader is an error, and not a wait.
    os.set_blocking(descriptor, True)
    return descriptor


def _open_for(path: str, owner: Identity) -> int:
    try:
        with owner.assumed():
            return os.open(path, _FLAGS, _MODE)
    except PermissionError:
        folder = os.path.dirname(os.path.abspath(path))
        if os.path.lexists(path) or not _is_private(folder):
            raise
    descriptor = os.open(path, _FLAGS | os.O_EXCL | os.O_NOFOLLOW, _MODE)
    try:
        os.fchown(descriptor, owner.uid, owner.gid)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_private(folder: str) -> bool:
    """Nobody but root and the user of this process can replace the folder, or one above it, by a link."""
    trusted = (0, os.geteuid())
    for path in {folder, os.path.realpath(folder)}:
        while True:
            status = os.stat(path)
            shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
            if status.st_uid not in trusted or shared:
                return False
            if path == os.path.dirname(path):
                break
            path = os.path.dirname(path)
    return True
