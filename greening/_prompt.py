"""The prompt of `python -m greening`: others run while it waits, and `await` works in its commands.

Facts: from 3.13 on CPython has a prompt that is written in Python (`_pyrepl`), with colours, a history and commands of
several lines. It reads by os.read and select.poll, which are cooperative when they are patched. Before, and where a
terminal cannot do what it needs, `input()` reads a line, with readline if that is there.
Decision: the interpreter's own is taken where it can be had, as `python -m asyncio` does. Its modules are not part of
the documented library: if one of them has moved, lines are read as before 3.13.

Fact: a command with `await` compiles to a coroutine. Decision: it runs on the shared loop of `greening.aio`, which goes
on between the commands: a task that one command has made runs while the next one is typed.
"""

import ast
import os
import sys
from code import InteractiveConsole
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from inspect import CO_COROUTINE
from traceback import format_exception_only
from types import CodeType, FunctionType, TracebackType
from typing import Any

from greening.fdio import inputhook
from greening.patcher.ledger import LEDGER

# Takes the frames off a traceback that are not the user's.
Trim = Callable[[TracebackType | None], TracebackType | None]

_BASIC = "PYTHON_BASIC_REPL"
_MORE = 'green threads run while this waits, "await" works, Ctrl-D ends it.\n'


def run(namespace: dict[str, Any], trim: Trim, banner: str | None = None) -> None:
    """Read commands and run them, until the end of the input.

    Args:
        namespace: what the commands see.
        trim: what tracebacks go through.
        banner: shown first; None: which Python this is, and PYTHONSTARTUP is run, as at the prompt of `python`.
    Raises:
        SystemExit: a command has called exit().
    """
    own = _own_prompt()
    _prepare_history(basic=own is None)
    console = _console(own, namespace, trim)
    console.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    text = _banner() if banner is None else banner
    if banner is None:
        console.run_startup_file()
    # Without a patch the wait is in C, or in a poll that stops this OS thread.
    with nullcontext() if "select" in LEDGER.flags and "os" in LEDGER.flags else inputhook.installed():
        if own is None:
            console.interact(banner=text.rstrip("\n"), exitmsg="")
        else:
            console.write(text)
            own.run_multiline_interactive_console(console)


def _own_prompt() -> Any:
    """The module of the interpreter's own prompt. None: there is none, or it cannot work here."""
    if sys.version_info < (3, 13) or os.environ.get(_BASIC) or not sys.stdin.isatty():
        return None
    try:
        usable = import_module("_pyrepl.main").CAN_USE_PYREPL
        own = import_module("_pyrepl.simple_interact") if usable else None
    except (ImportError, AttributeError):
        return None
    return own if hasattr(own, "run_multiline_interactive_console") else None


def _prepare_history(*, basic: bool) -> None:
    """Have Tab complete names, and the history read now and written at the end, as the interpreter does."""
    hook = getattr(sys, "__interactivehook__", None)
    if hook is None or not sys.stdin.isatty():
        return
    sys.audit("cpython.run_interactivehook", hook)
    before = os.environ.get(_BASIC)
    if basic:  # from 3.13 on the hook prepares readline for nothing else
        os.environ[_BASIC] = "1"
    try:
        hook()
    finally:
        if before is None:
            os.environ.pop(_BASIC, None)
        else:
            os.environ[_BASIC] = before


def _banner() -> str:
    version = sys.modules["greening"].__version__
    return f"Python {sys.version} on {sys.platform}\ngreening {version}: {_MORE}"


def _console(own: Any, namespace: dict[str, Any], trim: Trim) -> Any:
    """A console on the class that goes with the prompt; both have the same interface."""
    base = InteractiveConsole if own is None else import_module("_pyrepl.console").InteractiveColoredConsole

    class Console(base):  # type: ignore[misc, valid-type]  # chosen above
        """Runs commands in the calling green thread, and those with `await` on the loop."""

        def runcode(self, code: CodeType) -> None:
            try:
                result = FunctionType(code, self.locals)()
                if code.co_flags & CO_COROUTINE:
                    import_module("greening.aio").run(result)
            except SystemExit:
                raise
            except BaseException as error:  # noqa: BLE001  # whatever a command raises is its user's business
                trace = error.__traceback__ = _behind(error.__traceback__, trim)
                if trace is not None and trace.tb_next is not None:
                    self.showtraceback()  # it takes one frame off: that of this method
                else:  # where there is an excepthook, it does not before 3.13
                    self.write("".join(format_exception_only(error)))

        def run_startup_file(self) -> None:
            path = os.environ.get("PYTHONSTARTUP")
            if path and not sys.flags.ignore_environment:
                sys.audit("cpython.run_startup", path)
                try:
                    with open(path, "rb") as file:
                        source = file.read()
                    exec(compile(source, path, "exec"), self.locals)
                except SystemExit:
                    raise
                except BaseException:  # noqa: BLE001  # as `python` does: it is shown, and the prompt comes
                    self.showtraceback()

    return Console(namespace, filename="<stdin>")


def _behind(trace: TracebackType | None, trim: Trim) -> TracebackType | None:
    if trace is None:
        return None
    return TracebackType(trim(trace.tb_next), trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
