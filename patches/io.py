"""io: `open`, which is also the builtin; `FileIO` and the Buffered classes; the standard streams; `input`.

What blocks here: opening a FIFO, until the other end is opened, too; reads and writes of pipes, FIFOs, sockets and
terminals, by descriptor or by path; `input` and the interpreter's prompt.
Fact: only stat(2) tells a FIFO from a file, and it costs about a quarter of what opening a file costs.
Decision: stat(2) is called only where other green threads would be held up. An opened file is asked whether it is
seekable (see fileclass).
What stays: files on disk, and `open_code`.
"""

import builtins
import io
import sys
from functools import partial
from typing import Any

from greening._builtin_method import ModuleSelf
from greening._originals import builtin_open
from greening.fdio import fileclass, lineinput, stdio
from greening.fdio.fileclass import open_fifo, others, reopened
from greening.fdio.fileio import open_fd, open_green
from greening.fdio.os_io import is_fifo
from greening.patcher.spec import Patch, Undo

_home = ModuleSelf(builtin_open.__module__)
_real_io: Any = sys.modules["_io"]


@_home.builtin
def open(
    _: Any,
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """Open a file; as the builtin, and others run while a FIFO waits for its other end."""
    if encoding is None and sys.flags.warn_default_encoding and type(mode) is str and "b" not in mode:
        encoding = io.text_encoding(None)  # it would warn of this line
    if type(file) is int:
        return open_fd(file, mode, buffering, encoding, errors, newline, closefd, opener)
    if opener is None and others() and type(mode) is str and not {"+", "x"}.intersection(mode) and is_fifo(file):
        return open_green(file, mode, buffering, encoding, errors, newline, closefd, open_fifo)
    opened = builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    if opened.seekable():
        return opened
    return reopened(opened, file, mode, buffering, encoding, errors, newline)


# Not in `replaces`: a class of this name that a module has captured, and an object that was made of it, are right for
# files on disk, and the audit would list them all.
_CLASSES: dict[str, object] = {
    "FileIO": fileclass.FileIO,
    "BufferedReader": fileclass.BufferedReader,
    "BufferedWriter": fileclass.BufferedWriter,
    "BufferedRWPair": fileclass.BufferedRWPair,
}


def _after(undo: Undo) -> None:
    builtin: Any = builtins
    places: list[tuple[Any, str, object]] = [(builtin, "open", open), (_real_io, "open", open)]
    places += [(module, name, green) for module in (io, _real_io) for name, green in _CLASSES.items()]
    for module, name, green in places:
        undo.add(partial(setattr, module, name, getattr(module, name)))
        setattr(module, name, green)
    for step in (*lineinput.take_over(), *stdio.take_over()):
        undo.add(step)


PATCH = Patch(target="io", flag="os", replaces={"open": open}, after=_after)
