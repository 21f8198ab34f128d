"""PyOS_InputHook: the function that C code calls before, and while, it waits for the terminal.

Facts: the prompt of the interpreter itself (`python -i`, up to 3.12 or with PYTHON_BASIC_REPL) waits in C. It calls the
hook first. GNU readline calls it again after each character, ten times a second, and after a signal, before it looks
which signal it was. Only a signal ends the wait, and only one that arrives during it. A Python function may be
interrupted by a signal as soon as it is called; a generator goes on inside its `try`.
Decision: the hook is a generator, and lets others run until there is input. A Ctrl-C that arrives in the hook is sent
once more while there is no hook. The handler puts the hook back.

Fact: the prompt of 3.13 and later is written in Python. It calls the hook ten times a second, and waits by itself.
Decision: others have one turn in each such call.
"""

import _signal
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from greening._core.current import hubless, in_hub
from greening._core.poller import IN
from greening._core.waiting import wait_fd, yield_now
from greening._originals import get_ident, getsignal, set_signal, start_new_thread, time_sleep

# Seconds in which C gets from the hook to its wait. If that is not enough, the signal is sent again.
_SOON = 0.005


class _Hook:
    """The C variable and the C function that is put there. Made at first use, since ctypes takes long to import."""

    def __init__(self) -> None:
        ctypes: Any = importlib.import_module("ctypes")
        self._variable = ctypes.c_void_p.in_dll(ctypes.pythonapi, "PyOS_InputHook")
        self._calls = self._answer()
        next(self._calls)
        self._function = ctypes.CFUNCTYPE(ctypes.c_int)(self._calls.__next__)
        self._address = ctypes.cast(self._function, ctypes.c_void_p).value

    def install(self) -> bool:
        """Put the hook there. False: there is another one (tkinter has one), or ours already."""
        if self._variable.value:
            return False
        self._variable.value = self._address
        return True

    def remove(self) -> None:
        """Take the hook away, if it is ours."""
        if self._variable.value == self._address:
            self._variable.value = None

    def _answer(self) -> Iterator[int]:
        """Run once for each call of the hook, in the OS thread that waits for the terminal, with the GIL."""
        while True:
            try:
                yield 0
                if not (hubless() or in_hub()):
                    if _is_called_by_python():
                        yield_now()
                    else:
                        wait_fd(0, IN)
            except GeneratorExit:
                return
            except OSError:  # the terminal is gone: the read will report it
                pass
            except KeyboardInterrupt:
                self._send_again()
            except BaseException as error:  # noqa: BLE001  # it cannot be raised: C is waiting
                sys.excepthook(type(error), error, error.__traceback__)

    def _send_again(self) -> None:
        handler: Any = getsignal(_signal.SIGINT)

        def once(signum: int, frame: Any) -> None:
            set_signal(_signal.SIGINT, handler)
            self.install()
            if frame is None:  # the interpreter's prompt
                _show_no_traceback()
            if callable(handler):
                handler(signum, frame)

        def send(thread: int) -> None:
            time_sleep(_SOON)
            while getsignal(_signal.SIGINT) is once:
                _signal.pthread_kill(thread, _signal.SIGINT)
                time_sleep(_SOON)

        self.remove()
        set_signal(_signal.SIGINT, once)
        start_new_thread(send, (get_ident(),))


def _show_no_traceback() -> None:
    """Have the next KeyboardInterrupt shown without the traceback of the handler, as at any prompt."""
    theirs = sys.excepthook

    def once(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> object:
        sys.excepthook = theirs
        if kind is KeyboardInterrupt:
            trace = error.__traceback__ = None
        return theirs(kind, error, trace)

    sys.excepthook = once


def _is_called_by_python() -> bool:
    mine = sys._getframe(1)
    return mine.f_back is not None and str(mine.f_back.f_globals.get("__name__")).startswith("_pyrepl.")


_hooks: list[_Hook] = []


def _hook() -> _Hook:
    if not _hooks:
        _hooks.append(_Hook())
    return _hooks[0]


def install() -> bool:
    """Have others run while C waits for the terminal. False: a hook is there already."""
    return _hook().install()


def remove() -> None:
    """Take the hook away, if it is ours."""
    if _hooks:
        _hooks[0].remove()


@contextmanager
def installed() -> Iterator[None]:
    """Have others run while the body waits for the terminal in C."""
    mine = install()
    try:
        yield
    finally:
        if mine:
            remove()


def is_interactive() -> bool:
    """Return True if the interpreter has a prompt of its own, or will have one when the program has ended."""
    return bool(sys.flags.interactive) or hasattr(sys, "ps1")
