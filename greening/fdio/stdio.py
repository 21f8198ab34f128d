"""`sys.stdout` and `sys.stderr` on a pipe, a socket or a terminal: a write to a full one lets others run.

Facts: log handlers, `sys.__stdout__` and modules with `from sys import stdout` keep the stream object for good.
`TextIOWrapper.__init__` may be called again.
Decision: the object stays, and is initialised again on a buffer of ours.
"""

import io
import sys
from _io import FileIO as _FileIO
from collections.abc import Callable
from functools import partial
from typing import Any

from greening.fdio.fileio import open_fd
from greening.fdio.rawfile import comes_and_goes


def take_over() -> list[Callable[[], None]]:
    """Make both streams cooperative, where they are the interpreter's own. Others have their own ways to write.

    Returns:
        Functions that take it back.
    """
    undo = []
    for name in ("__stdout__", "__stderr__"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper and not stream.closed:
            plain: Any = stream.buffer
            raw = getattr(plain, "raw", plain)  # with `python -u` there is no buffer
            if type(raw) is _FileIO and comes_and_goes(raw.fileno()):
                undo.append(_put_on(stream, plain, raw))
    return undo


def _put_on(stream: io.TextIOWrapper, plain: Any, raw: _FileIO) -> Callable[[], None]:
    green = open_fd(raw.fileno(), "wb", 0 if plain is raw else -1, closefd=False)
    getattr(green, "raw", green).name = raw.name
    _reinitialise(stream, green)
    return partial(_give_back, stream, green, plain, raw)


def _reinitialise(stream: io.TextIOWrapper, buffer: Any) -> None:
    how = (stream.encoding, stream.errors, "\n", stream.line_buffering, stream.write_through)
    stream.flush()
    stream.__init__(buffer, *how)  # type: ignore[misc]  # see above


def _give_back(stream: io.TextIOWrapper, green: Any, plain: Any, raw: _FileIO) -> None:
    if not stream.closed and stream.buffer is green:
        _reinitialise(stream, _as_it_is_now(plain, raw))


def _as_it_is_now(plain: Any, raw: _FileIO) -> Any:
    """Return `plain`, on a fresh raw file if the descriptor is not what it was.

    A text layer asks whether its buffer can be sought, and then for the position. A FileIO remembers its first answer,
    but `os.dup2` may have put a pipe where a file was. The position would be an error, and the stream without a buffer.
    """
    try:
        if raw.seekable():
            raw.tell()
    except OSError:
        fresh = _FileIO(raw.fileno(), "wb", closefd=False)
        fresh.name = raw.name
        if plain is raw:
            return fresh
        plain.flush()
        plain.__init__(fresh)
    return plain
