"""Standard streams that ask which green thread wants them."""

import io
import sys
from typing import Any, Protocol

from greening._core.critical import guard
from greening._core.current import current
from greening._core.running import known_task


class Owner(Protocol):
    """What a prompt is to its streams. `streams`: by their names in `sys`."""

    streams: dict[str, io.TextIOBase]

    def read_line(self) -> str: ...

    def write(self, data: str) -> None: ...

    def show(self, value: object) -> None: ...


class Output(io.TextIOBase):
    """`sys.stdout` and `sys.stderr` of a prompt."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, prompt: Owner) -> None:
        self._prompt = prompt

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._prompt.write(text)
        return len(text)


class Input(io.TextIOBase):
    """`sys.stdin` of a prompt: for `input()`, `help()` and pdb."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, prompt: Owner) -> None:
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


_prompts: dict[object, Owner] = {}  # by task


def _prompt() -> Owner | None:
    """The prompt whose green thread this is."""
    return _prompts.get(known_task())


class _Stream:
    """Stands for one of the process's standard streams. It may be kept for ever: it needs no prompt to work."""

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


def attach(prompt: Owner) -> None:
    """From now on the streams of the running green thread are the prompt's."""
    with guard:
        _prompts[current()] = prompt
        for name in prompt.streams:
            if not isinstance(getattr(sys, name), _Stream):
                setattr(sys, name, _Stream(name, getattr(sys, name)))
        if not isinstance(sys.displayhook, _Display):
            sys.displayhook = _Display(sys.displayhook)


def detach(prompt: Owner) -> None:
    """Undo `attach`, in the same green thread. The last one gives the process's own streams back."""
    with guard:
        del _prompts[current()]
        if _prompts:
            return
        for name in prompt.streams:
            stream = getattr(sys, name)
            if isinstance(stream, _Stream):  # it may have been replaced meanwhile
                setattr(sys, name, stream.real)
        if isinstance(sys.displayhook, _Display):
            sys.displayhook = sys.displayhook.real
