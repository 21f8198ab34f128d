"""`input()` on a terminal: others run while a line is typed and edited.

Facts: with a terminal on both sides the builtin `input` waits in C for a whole line: in GNU readline if the module
`readline` is loaded, else in fgets(3). Readline has a second interface, for programs with a loop of their own. It is
called when there is a character, and calls back when there is a line. The module `readline` itself uses it. Its
functions are found through the module's file and ctypes.
Decision: this file does what the builtin does around the wait, and waits for the descriptor. Where readline's functions
cannot be found (a Python in one piece), the builtin does it all, and others run in its hook (`inputhook`).
"""

import builtins
import importlib
import os
import sys
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType
from typing import Any

from greening._builtin_method import ModuleSelf
from greening._core.current import hubless
from greening._core.poller import IN
from greening._core.waiting import wait_fd
from greening._originals import os_isatty
from greening.fdio import inputhook
from greening.fdio.pipe import write
from greening.fdio.stdin import is_green, make_green
from greening.sync.lock import Lock

_real_input = builtins.input
_home = ModuleSelf("builtins")
# Held while a line is typed: one at a time, as with threads.
_turn = Lock()


@_home.builtin
def input(_: Any, prompt: object = "", /) -> str:
    """Read a line from standard input, without its end. Other green threads run meanwhile.

    Args:
        prompt: written first, without a line end.
    Raises:
        EOFError: the input has ended.
        BaseException: what interrupts the wait: KeyboardInterrupt, a Timeout, a kill.
    Source: the builtin `input`.
    """
    return read_line(prompt)


def take_over() -> list[Callable[[], object]]:
    """Put `input` into builtins, make standard input cooperative, and have the interpreter's prompt let others run.

    Returns:
        What takes it back.
    """
    builtin: Any = builtins
    undo: list[Callable[[], object]] = []
    if type(builtin.input) is BuiltinFunctionType:  # a prompt's own is written in Python, and green
        undo.append(partial(_restore_input, builtin.input))
        builtin.input = input
    undo += filter(None, map(make_green, {id(stream): stream for stream in (sys.stdin, sys.__stdin__)}.values()))
    if inputhook.is_interactive() and inputhook.install():
        undo.append(inputhook.remove)
    return undo


def _restore_input(before: object) -> None:
    builtin: Any = builtins
    if builtin.input is input:
        builtin.input = before


def read_line(prompt: object) -> str:
    """Do what `builtins.input` does. Raises EOFError, and what interrupts the wait."""
    text = str(prompt)
    if "\0" in text or hubless() or not _is_on_terminal():
        return _real_input(prompt)
    with _turn:
        editor = _editor() if "readline" in sys.modules else None
        if editor is None and ("readline" in sys.modules or not is_green(sys.stdin)):
            with inputhook.installed():
                return _real_input(prompt)
        sys.audit("builtins.input", prompt)
        _flush()
        line = _read_plain(text) if editor is None else editor.read(text)
        sys.audit("builtins.input/result", line)
        return line


def _is_on_terminal() -> bool:
    try:
        return all(
            stream.fileno() == number and os_isatty(number) for number, stream in enumerate((sys.stdin, sys.stdout))
        )
    except (AttributeError, OSError, ValueError):
        return False  # the builtin raises the right error


def _flush() -> None:
    for stream in (sys.stderr, sys.stdout):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def _read_plain(prompt: str) -> str:
    """Read a line without readline: the terminal itself gives whole lines."""
    write(2, _encode(prompt))  # to standard error, as PyOS_StdioReadline does
    line = sys.stdin.readline()
    if not line:
        raise EOFError("EOF when reading a line")
    return line.removesuffix("\n")


def _encode(text: str) -> bytes:
    return text.encode(sys.stdout.encoding, sys.stdout.errors or "strict")


class _Editor:
    """GNU readline (or libedit in its place), called for every character. One per process: readline has one state."""

    def __init__(self, module: Any, ctypes: Any) -> None:
        library = ctypes.PyDLL(module.__file__)
        self._module = module
        self._install = library.rl_callback_handler_install
        self._remove = library.rl_callback_handler_remove
        self._read_character = library.rl_callback_read_char
        self._resize = library.rl_resize_terminal
        self._give_up = (library.rl_free_line_state, library.rl_callback_sigcleanup, library.rl_cleanup_after_signal)
        self._string_at = ctypes.string_at
        self._free = library.free
        self._free.argtypes = (ctypes.c_void_p,)
        self._on_line = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._take_line)
        self._line: bytes | None = None
        self._done = False

    def read(self, prompt: str) -> str:
        """Read a line, without its end. Raises EOFError."""
        self._done = False
        size = _terminal_size()
        self._install(_encode(prompt), self._on_line)
        try:
            while not self._done:
                wait_fd(0, IN)
                before, size = size, _terminal_size()
                if size != before:
                    self._resize()
                self._read_character()
        except BaseException:
            for step in (*self._give_up, self._remove):
                step()
            raise
        if self._line is None:
            raise EOFError
        line = self._line.decode(sys.stdin.encoding, sys.stdin.errors or "strict")
        self._remember(line)
        return line

    def _take_line(self, address: int | None) -> None:
        """Take the line at `address` (None: Ctrl-D). Called by readline."""
        self._remove()  # otherwise it shows the prompt again
        self._line = None if address is None else self._string_at(address)
        self._free(address)
        self._done = True

    def _remember(self, line: str) -> None:
        """Add a line to the history, unless it is empty or the same as the last one."""
        count = self._module.get_current_history_length()
        if line and (not count or self._module.get_history_item(count) != line):
            self._module.add_history(line)


_editors: dict[str, _Editor | None] = {}


def _editor() -> _Editor | None:
    """Return the editor of lines; None: the functions of readline cannot be found."""
    if "" not in _editors:
        try:
            _editors[""] = _Editor(sys.modules["readline"], importlib.import_module("ctypes"))
        except (ImportError, AttributeError, OSError):
            _editors[""] = None
    return _editors[""]


def _terminal_size() -> tuple[int, ...]:
    try:
        return os.get_terminal_size(0)
    except OSError:
        return ()
