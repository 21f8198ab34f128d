"""One prompt: reads commands from a connection, runs them, and answers."""

import io
import linecache
import logging
import sys
import traceback
from _socket import AF_UNIX, IPPROTO_TCP, TCP_NODELAY
from code import InteractiveConsole
from collections.abc import Iterator, MutableMapping
from itertools import count
from types import CodeType
from typing import Any

from greenlet import GreenletExit

from greening.backdoor.entrance import LONGEST, CutOff, Entrance, text_of
from greening.backdoor.streams import Input, Output, attach, detach
from greening.debug.dumping import dump

FIRST, NEXT = ">>> ", "... "

_log = logging.getLogger("greening.backdoor")
_numbers = count(1)


class Prompt(InteractiveConsole):
    """One connection: reads commands, runs them, and answers.

    Args:
        connection, address: what `accept` returned.
        names: what the commands see; None: names of their own.
        entrance: lets the client in, or not. banner: what it gets to read first; None: which Python this is.

    `InteractiveConsole` knows when a command is complete. Its `interact` is not used: it sets `sys.ps1`, from which
    others conclude that the process is interactive.
    """

    def __init__(
        self,
        connection: Any,
        address: Any,
        names: dict[str, Any] | None,
        entrance: Entrance,
        banner: str | None = None,
    ) -> None:
        super().__init__(names)
        self._banner = banner
        self._entrance = entrance
        self._cut_off: CutOff | None = None
        self._connection = connection
        if connection.family != AF_UNIX:
            connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # answers and prompts are small, and must not wait
        self._lines = connection.makefile("rb")
        self._address = address
        self._names = _Names(self.locals)
        self._sources: list[str] = []
        output = Output(self)
        self.streams: dict[str, io.TextIOBase] = {"stdin": Input(self), "stdout": output, "stderr": output}

    def run(self) -> None:
        """Body of the prompt's green thread."""
        try:
            self._entrance.admit(self._connection, self._lines)
            _log.info("backdoor opened to %s", self._address)
            attach(self)
            try:
                self._converse()
            finally:
                detach(self)
                _log.info("backdoor closed to %s", self._address)
        except CutOff as error:
            _log.warning("backdoor: %s was cut off: %s", self._address or "a client", error)
        except (OSError, SystemExit):  # the client is gone; exit()
            pass
        finally:
            for name in self._sources:
                linecache.cache.pop(name, None)
            for it in (self._lines, self._connection):
                try:
                    it.close()
                except OSError:
                    pass

    def _converse(self) -> None:
        hints = "exit() or end-of-file ends this connection only. stacks() shows the green threads."
        python = f"Python {sys.version} on {sys.platform}\n{hints}\n"
        self.write(python if self._banner is None else self._banner)
        prompt = FIRST
        while True:
            try:
                line = self.raw_input(prompt)
            except EOFError:
                self.write("\n")
                return
            except KeyboardInterrupt:
                self.write("\nKeyboardInterrupt\n")
                self.resetbuffer()
                prompt = FIRST
            else:
                prompt = NEXT if self.push(line) else FIRST

    def raw_input(self, prompt: str = "") -> str:
        """A line, without its end. Raises EOFError, and KeyboardInterrupt for telnet's Ctrl-C."""
        self.write(prompt)
        line = self.read_line()
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    def read_line(self) -> str:
        """A line with its end; "": the end of input. Raises: KeyboardInterrupt, CutOff, OSError."""
        # A command that reads may have caught the first one: the connection ends all the same.
        if self._cut_off is None:
            try:
                return text_of(self._lines.readline(LONGEST + 1))
            except CutOff as error:
                self._cut_off = error
        raise self._cut_off

    def write(self, data: str) -> None:
        self._connection.sendall(data.encode(errors="backslashreplace"))

    def show(self, value: object) -> None:
        """What `sys.displayhook` does, with a `_` of the prompt's own: the one in builtins may be gettext's."""
        if value is not None:
            self.write(f"{value!r}\n")
            self._names["_"] = value

    # InteractiveInterpreter

    def runsource(self, source: str, filename: str = "", symbol: str = "single") -> bool:
        if len(self.buffer) == 1:
            self._sources.append(f"<backdoor-{next(_numbers)}>")
        name = self._sources[-1]
        # For tracebacks. Without a time of modification, it is never compared with a file.
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        return super().runsource(source, name, symbol)

    def runcode(self, code: CodeType) -> None:
        try:
            exec(code, self.locals, self._names)
        except (SystemExit, GreenletExit):
            raise
        except BaseException:  # noqa: BLE001  # whatever a command raises is its user's business
            self.showtraceback()

    def showtraceback(self) -> None:
        """Show the exception that is being handled, from the command on; `sys.excepthook` is for the process's own."""
        error = sys.exception()
        assert error is not None
        assert error.__traceback__ is not None
        try:
            self.write("".join(traceback.format_exception(type(error), error, error.__traceback__.tb_next)))
        finally:
            del error

    def showsyntaxerror(self, filename: str | None = None, **_: Any) -> None:
        """The same for a command that cannot be compiled."""
        self.write("".join(traceback.format_exception_only(sys.exception())))


class _Exit:
    """`exit` and `quit` of a prompt: those of `site` close the process's standard input."""

    def __call__(self, code: object = None) -> None:
        raise SystemExit(code)

    def __repr__(self) -> str:
        return "Use exit() or end-of-file to end this connection; the process goes on"


class _Stacks:
    """`stacks` of a prompt: writes what `greening.debug.dump` writes."""

    def __call__(self, *, locals: bool = False) -> None:
        dump(sys.stdout, locals=locals)

    def __repr__(self) -> str:
        return "Use stacks() to see what each green thread does or waits for; stacks(locals=True) adds local variables"


class _Names(MutableMapping[str, Any]):
    """What a command sees: the shared names, and the prompt's own `_`, `exit`, `quit` and `stacks`."""

    def __init__(self, shared: dict[str, Any]) -> None:
        self._shared = shared
        self._own: dict[str, Any] = {"exit": _Exit(), "quit": _Exit(), "stacks": _Stacks()}

    def _home(self, name: str) -> dict[str, Any]:
        own = name in self._own and (name == "_" or name not in self._shared)
        return self._own if own else self._shared

    def __getitem__(self, name: str) -> Any:
        return self._home(name)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        (self._own if name == "_" else self._shared)[name] = value

    def __delitem__(self, name: str) -> None:
        del self._home(name)[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._own, **self._shared})

    def __len__(self) -> int:
        return len({**self._own, **self._shared})
