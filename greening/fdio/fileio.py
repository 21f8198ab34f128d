"""File objects over pipes, sockets and terminals: the stdlib's own layers on a raw file that parks instead of blocking.

The raw file is in rawfile, the buffers on top of it are in buffers.
"""

import io
import sys
import warnings
from typing import Any, cast

from greening._originals import builtin_open
from greening.fdio.buffers import GreenReader, GreenWriter
from greening.fdio.rawfile import GreenFileIO, comes_and_goes

_NOTHING = (None, None, None)
# From 3.14 on `open` gives large buffers to every file.
_LARGE_BUFFERS = sys.version_info >= (3, 14)


def open_fd(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """Open a file as `io.open`, cooperatively if `file` is the descriptor of a pipe, a socket or a terminal.

    Args, Raises: as `io.open`.
    Returns:
        The stdlib's layers (TextIOWrapper, Buffered...) over a GreenFileIO; for other files what `io.open` returns.
    """
    if type(file) is not int or not comes_and_goes(file):
        return builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    return open_green(file, mode, buffering, encoding, errors, newline, closefd, opener)


def open_green(
    file: Any,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    closefd: bool,
    opener: Any,
) -> Any:
    """Open a file whose data comes and goes, cooperatively unless the arguments are odd."""
    kind = mode.replace("b", "", 1).replace("t", "", 1) if isinstance(mode, str) else ""
    binary = kind != mode and "b" in mode
    access = kind if buffering else kind.replace("+", "", 1)  # a buffer for both ways needs a file that can be sought
    usual = access in ("r", "w", "a") and (not binary or ("t" not in mode and (encoding, errors, newline) == _NOTHING))
    if not usual or (not buffering and not binary):
        return builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    raw = GreenFileIO(file, kind, closefd, opener)
    try:
        return _layers(raw, mode, kind, binary, buffering, (encoding, errors, newline))
    except BaseException:
        raw.close()
        raise


def _layers(
    raw: GreenFileIO,
    mode: str,
    kind: str,
    binary: bool,
    buffering: int,
    text: tuple[str | None, str | None, str | None],
) -> Any:
    if not buffering:
        return raw
    line_buffering = buffering == 1 or (buffering < 0 and raw.isatty())
    if buffering == 1 and binary:
        message = "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used"
        warnings.warn(message, RuntimeWarning, stacklevel=5)  # the caller of `open` or `fdopen`
    raw.whole = False
    size = buffering if buffering > 1 else _default_size(raw)
    buffer = GreenReader(cast(io.RawIOBase, raw), size) if kind == "r" else GreenWriter(raw, size)
    if binary:
        return buffer
    wrapper = io.TextIOWrapper(buffer, text[0], text[1], text[2], line_buffering)
    wrapper.mode = mode  # type: ignore[misc]  # what io.open does
    return wrapper


def _default_size(raw: GreenFileIO) -> int:
    blksize: int = raw._blksize  # type: ignore[attr-defined]  # set by FileIO for io.open
    if _LARGE_BUFFERS:
        return max(min(blksize, 8 * 1024 * 1024), io.DEFAULT_BUFFER_SIZE)
    return blksize if blksize > 1 else io.DEFAULT_BUFFER_SIZE
