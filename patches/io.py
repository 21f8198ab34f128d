"""io: `open`, which is also the builtin; standard input and the builtin `input`.

What blocks here: opening a FIFO, until the other end is opened, too; and reads and writes of what it returns for a FIFO
or for the descriptor of a pipe, a socket or a terminal; reads of `sys.stdin`; `input` and the interpreter's prompt.
Fact: only stat(2) tells a FIFO from a file, and costs about a quarter of what opening a file costs.
Decision: it is asked where other green threads would stand still, and nowhere else.
What stays: files on disk, `FileIO(path)` and `open_code`.
"""

import builtins
import io
import sys
from functools import partial
from typing import Any

from greening._core.current import get_hub, has_hub
from greening._originals import builtin_open
from greening.net import lineinput
from greening.net.builtin import Home
from greening.net.fileio import open_fd, open_green
from greening.net.transfer import is_fifo, open_file
from greening.patcher.spec import Patch, Undo

_home = Home(builtin_open.__module__)
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
    if opener is None and _others() and type(mode) is str and not {"+", "x"}.intersection(mode) and is_fifo(file):
        return open_green(file, mode, buffering, encoding, errors, newline, closefd, _open_fifo)
    return builtin_open(file, mode, buffering, encoding, errors, newline, closefd, opener)


def _others() -> bool:
    """False if no other green thread would stand still."""
    if not has_hub():
        return False
    hub = get_hub()
    return bool(hub.carriers or hub.ready)


def _open_fifo(path: Any, flags: int) -> int:
    return open_file(path, flags, 0o666)


def _after(undo: Undo) -> None:
    builtin: Any = builtins
    for module in (builtin, _real_io):
        undo.add(partial(setattr, module, "open", module.open))
        module.open = open
    for step in lineinput.take_over():
        undo.add(step)


PATCH = Patch(target="io", flag="os", replaces={"open": open}, after=_after)
