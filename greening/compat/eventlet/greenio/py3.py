"""eventlet.greenio.py3: green files over pipes."""

import os
from socket import SocketIO as _fileobject
from typing import Any

from greening.fdio.fileio import open_fd
from greening.fdio.os_io import open_file
from greening.fdio.rawfile import GreenFileIO

__all__ = ["GreenFileIO", "GreenPipe", "_fileobject"]

_FLAGS = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}


def GreenPipe(
    name: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """A file that parks while its pipe (socket, terminal) has nothing to read, or no room, whether or not its
    descriptor has O_NONBLOCK.

    Args:
        name: a descriptor, which the file owns if `closefd`; a file, which is taken over and closed; or a path.
        mode: as for `open`.
        buffering: bytes of the buffer; 0: none (binary modes); -1: the default.
        encoding, errors, newline, closefd, opener: as for `open`.
    Returns:
        What `open` returns: a text file, or a binary one.
    Raises:
        OSError, ValueError: as `open`.
    Difference from eventlet: O_NONBLOCK is not set on the descriptor, which others may share.
    """
    if hasattr(name, "fileno"):
        descriptor = os.dup(name.fileno())
        name.close()
        closefd = True
    elif isinstance(name, int):
        descriptor = name
    elif opener is not None:
        descriptor = opener(name, _flags(mode))
    else:
        descriptor = open_file(name, _flags(mode), 0o666)
    try:
        file = open_fd(descriptor, mode, buffering, encoding, errors, newline, closefd)
    except BaseException:
        if not isinstance(name, int):
            os.close(descriptor)
        raise
    raw = getattr(file, "buffer", file)
    raw = getattr(raw, "raw", raw)
    if isinstance(raw, GreenFileIO):
        raw.parks_always = True
    return file


def _flags(mode: str) -> int:
    flags = _FLAGS.get(mode[:1], os.O_RDONLY)  # `open` refuses another mode
    return (flags & ~os.O_WRONLY | os.O_RDWR if "+" in mode else flags) | os.O_CLOEXEC
