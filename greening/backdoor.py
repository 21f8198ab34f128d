"""A Python prompt inside a running process, over a socket: look at it, call its functions, change it.

    greening.spawn(backdoor_server, greening.listen(("127.0.0.1", 3000)), {"app": app})

    $ nc 127.0.0.1 3000            (`rlwrap nc ...` has history and line editing)
    >>> app.sessions

Facts: who reaches the prompt owns the process; TCP on loopback is reached by every user of the machine, a Unix socket
by those whom the permissions of its file let. `sys.stdout`, `sys.stderr`, `sys.stdin` and `sys.displayhook` belong to
the whole process.
Decisions: anything but loopback and Unix sockets must be asked for. While there are prompts, those four are stand-ins
that ask which green thread wants them: a prompt's own gets its connection, all others get what was there before. What
a command prints in green threads or OS threads that it starts is therefore not the prompt's.
"""

import io
import ipaddress
import linecache
import logging
import re
import sys
import traceback
from _socket import AF_INET, AF_INET6, AF_UNIX, IPPROTO_TCP, TCP_NODELAY
from code import InteractiveConsole
from collections.abc import Iterator, MutableMapping
from itertools import count
from types import CodeType
from typing import Any

from greenlet import GreenletExit
from greenlet import getcurrent as _getcurrent

from greening._core.greenthread import GreenThread, spawn
from greening._core.lot import guard
from greening.net.stream_server import StreamServer

_FIRST, _NEXT = ">>> ", "... "
# A browser can be made to send a request to loopback by any page; its body would be run line by line.
_HTTP = re.compile(rb"[A-Za-z]+ \S+ HTTP/\d")
_INTERRUPT = b"\xff\xf4"  # telnet's Ctrl-C: IAC IP (RFC 854)
_END = "\x04"  # Ctrl-D, from clients that send it

_log = logging.getLogger("greening.backdoor")
_numbers = count(1)


def backdoor_server(sock: Any, locals: dict[str, Any] | None = None, *, allow_remote: bool = False) -> None:
    """Serve prompts on a listening socket, one per connection, until the socket is closed or the caller is killed.

    Args:
        sock: as `greening.listen` makes it, on loopback or a Unix socket. It is closed at the end; prompts go on.
        locals: the names that all prompts share, also those that they define. None: each has its own.
        allow_remote: any other address is fine. There is no password: who can connect can do anything.
    Raises:
        ValueError: others than this machine could connect. OSError: accept failed for good, e.g. `sock` was closed.
    Thread-safety: commands run in the OS thread that calls this, between its other green threads; one that blocks
    parks, one that computes stops them all.
    """
    if not (allow_remote or _is_local(sock)):
        raise ValueError(
            f"a prompt on {sock.getsockname()!r} would be open to other machines: listen on 127.0.0.1, ::1 or a Unix "
            "socket, or say allow_remote=True"
        )
    server = StreamServer(sock, lambda connection, address: _Prompt(connection, address, locals).run())
    _log.info("backdoor server listening on %s", server.address)
    try:
        server.serve_forever()
    finally:
        server.close()


def backdoor(conn_info: tuple[Any, Any], locals: dict[str, Any] | None = None) -> GreenThread[None]:
    """Give a prompt to an accepted connection, in a green thread of its own. Does not block; for accept loops.

    Args:
        conn_info: what `accept` returned. The caller may close the connection; it stays open as long as the prompt.
        locals: see `backdoor_server`.
    Returns:
        The green thread; to kill it ends the prompt. (eventlet returns nothing.)
    """
    return spawn(_Prompt(*conn_info, locals).run)


def _is_local(sock: Any) -> bool:
    if sock.family == AF_UNIX:
        return True
    if sock.family not in (AF_INET, AF_INET6):
        return False
    address = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


class _Prompt(InteractiveConsole):
    """One connection: reads commands, runs them, and answers.

    `InteractiveConsole` knows when a command is complete. Its `interact` is not used: it sets `sys.ps1`, from which
    others conclude that the process is interactive.
    """

    def __init__(self, connection: Any, address: Any, names: dict[str, Any] | None) -> None:
        super().__init__(names)
        self._connection = connection
        if connection.family != AF_UNIX:
            connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # answers and prompts are small, and somebody waits
        self._lines = connection.makefile("rb")
        self._address = address
        self._names = _Names(self.locals)
        self._sources: list[str] = []
        output = _Output(self)
        self.streams: dict[str, io.TextIOBase] = {"stdin": _Input(self), "stdout": output, "stderr": output}

    def run(self) -> None:
        """Body of the prompt's green thread."""
        _log.info("backdoor opened to %s", self._address)
        _open(self)
        try:
            self._converse()
        except (OSError, SystemExit):  # the client is gone; exit()
            pass
        finally:
            _close(self)
            for name in self._sources:
                linecache.cache.pop(name, None)
            for it in (self._lines, self._connection):
                try:
                    it.close()
                except OSError:
                    pass
            _log.info("backdoor closed to %s", self._address)

    def _converse(self) -> None:
        self.write(f"Python {sys.version} on {sys.platform}\nexit() or end-of-file ends this connection only.\n")
        prompt = _FIRST
        while True:
            try:
                line = self.raw_input(prompt)
            except EOFError:
                self.write("\n")
                return
            except KeyboardInterrupt:
                self.write("\nKeyboardInterrupt\n")
                self.resetbuffer()
                prompt = _FIRST
            else:
                prompt = _NEXT if self.push(line) else _FIRST

    def raw_input(self, prompt: str = "") -> str:
        """A line, without its end. Raises EOFError, and KeyboardInterrupt for telnet's Ctrl-C."""
        self.write(prompt)
        line = self.read_line()
        if not line or line.startswith(_END):
            raise EOFError
        return line.removesuffix("\n")

    def read_line(self) -> str:
        octets: bytes = self._lines.readline()
        if _INTERRUPT in octets:
            raise KeyboardInterrupt
        if not self._sources and _HTTP.match(octets):
            _log.warning("backdoor: %s sent an HTTP request, and was cut off", self._address)
            raise ConnectionAbortedError("an HTTP request")
        return octets.decode(errors="replace").replace("\r\n", "\n")

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


class _Names(MutableMapping[str, Any]):
    """What a command sees: the shared names, and the prompt's own `_`, `exit` and `quit`."""

    def __init__(self, shared: dict[str, Any]) -> None:
        self._shared = shared
        self._own: dict[str, Any] = {"exit": _Exit(), "quit": _Exit()}

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


class _Output(io.TextIOBase):
    """`sys.stdout` and `sys.stderr` of a prompt."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, prompt: _Prompt) -> None:
        self._prompt = prompt

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._prompt.write(text)
        return len(text)


class _Input(io.TextIOBase):
    """`sys.stdin` of a prompt: for `input()`, `help()` and pdb."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, prompt: _Prompt) -> None:
        self._prompt = prompt

    def readable(self) -> bool:
        return True

    def readline(self, size: int = -1) -> str:  # type: ignore[override]  # the size is positional there
        return self._prompt.read_line()

    def read(self, size: int | None = -1) -> str:
        return "".join(self)


class _Nowhere(io.TextIOBase):
    """For a process whose standard stream is None."""

    def write(self, text: str) -> int:
        return len(text)


# -- The stand-ins -----------------------------------------------------------------------------------------------------

_prompts: dict[object, _Prompt] = {}  # by task


def _prompt() -> _Prompt | None:
    """The prompt whose green thread this is."""
    return _prompts.get(getattr(_getcurrent(), "_greening_task", None))


class _Stream:
    """Stands for one of the process's standard streams. Somebody may keep it for ever: it needs no prompt to work."""

    def __init__(self, name: str, real: Any) -> None:
        self._name = name
        self.real = real

    def _target(self) -> Any:
        prompt = _prompt()
        if prompt is not None:
            return prompt.streams[self._name]
        return _Nowhere() if self.real is None else self.real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def __iter__(self) -> Any:
        return iter(self._target())

    def __next__(self) -> Any:
        return next(self._target())

    def __enter__(self) -> Any:
        return self._target().__enter__()

    def __exit__(self, *error: Any) -> Any:
        return self._target().__exit__(*error)


class _Display:
    """Stands for `sys.displayhook`."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __call__(self, value: object) -> None:
        prompt = _prompt()
        if prompt is None:
            self.real(value)
        else:
            prompt.show(value)


def _open(prompt: _Prompt) -> None:
    with guard:
        _prompts[_getcurrent()._greening_task] = prompt  # type: ignore[attr-defined]  # ours
        for name in prompt.streams:
            if not isinstance(getattr(sys, name), _Stream):
                setattr(sys, name, _Stream(name, getattr(sys, name)))
        if not isinstance(sys.displayhook, _Display):
            sys.displayhook = _Display(sys.displayhook)


def _close(prompt: _Prompt) -> None:
    with guard:
        del _prompts[_getcurrent()._greening_task]  # type: ignore[attr-defined]  # ours
        if _prompts:
            return
        for name in prompt.streams:
            stream = getattr(sys, name)
            if isinstance(stream, _Stream):  # somebody may have put one of his own there
                setattr(sys, name, stream.real)
        if isinstance(sys.displayhook, _Display):
            sys.displayhook = sys.displayhook.real
