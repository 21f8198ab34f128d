"""`python -m greening top PID`: a running program, watched second by second.

The program needs --inspect, and this side rich, the extra `top`. The program itself looks at what it does, for as long
as each question lasts; nothing is left in it when this ends.
"""

import os
import signal
import sys
import termios
import tty
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from select import select
from typing import Any, NoReturn

from greening.debug.asking import PATIENCE, NoAnswer, ask, wait_for_answer
from greening.debug.observing import LONGEST, Observation, from_plain

USAGE = """\
usage: python -m greening top PID [--once] [--seconds S]

Show what the green threads of a running program do, and where its time goes. The program must have been started with
`python -m greening --inspect`, or with GREENING_INSPECT=1 in its environment. q or Ctrl-C ends it.

  --once        print one screen and end
  --seconds S   watch for so many seconds before each screen: 0.1 to 10; default: 1
"""

WITHOUT_RICH = """\
greening: top needs rich: pip install 'greening-toolkit[top]'
"""


def top_command(words: list[str]) -> int:
    """Do what the words say.

    Returns:
        The exit status: 0; 1: the program cannot be asked; 2: the words make no sense, or rich is not installed.
    """
    try:
        pid, once, seconds = _parse(list(words))
    except ValueError as error:
        sys.stderr.write(f"greening: {error}\n{USAGE}" if str(error) else USAGE)
        return 2 if str(error) else 0
    try:
        console = import_module("rich.console").Console()
        live = import_module("rich.live").Live
        draw = import_module("greening.debug.screen").screen
    except ImportError:
        sys.stderr.write(WITHOUT_RICH)
        return 2
    try:
        first, command = _look(pid, seconds)
        if once:
            console.print(draw(first, command))
        else:
            screen = live(console=console, screen=True, auto_refresh=False)
            with Keys() as keys:
                _watch(pid, seconds, lambda seen: draw(seen, command), first, screen, keys)
    except NoAnswer as error:
        sys.stderr.write(f"greening: {error}\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _parse(words: list[str]) -> tuple[int, bool, float]:
    """The number of the process, whether one screen is enough, and the seconds before each.

    Raises:
        ValueError: the words make no sense; without a text: help is wanted.
    """
    pid, once, seconds = 0, False, 1.0
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word in ("--help", "-h"):
            raise ValueError
        if word == "--once":
            once = True
        elif name == "--seconds":
            value = value if equals else (words.pop(0) if words else "")
            seconds = _seconds(value)
        elif word.isdecimal() and not pid:
            pid = int(word)
        else:
            raise ValueError(
                f"unknown option {word}" if word.startswith("-") else f"{word!r} is no number of a process"
            )
    if not pid:
        raise ValueError("the number of a process is needed")
    return pid, once, seconds


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= LONGEST:
        raise ValueError(f"--seconds takes a number from 0.1 to {LONGEST:g}, not {text!r}")
    return seconds


def _look(
    pid: int,
    seconds: float,
    last: Observation | None = None,
    wait: Callable[[Any, float], object] = wait_for_answer,
) -> tuple[Observation, list[str]]:
    """One observation, since the end of the `last` one, and the words of the program."""
    found = ask(pid, "top", wait=wait, seconds=seconds, again=last is not None)
    seen = from_plain(found["observation"])
    return (seen if last is None else replace(seen, before=last.after)), found["command"]


def _watch(
    pid: int, seconds: float, draw: Callable[[Observation], Any], seen: Observation, live: Any, keys: "Keys"
) -> None:
    """One screen after the other, in place, until the program ends, or q or Ctrl-C comes."""
    with live:
        while True:
            live.update(draw(seen), refresh=True)
            try:
                seen, _ = _look(pid, seconds, seen, keys.wait)
            except NoAnswer as error:
                raise NoAnswer(f"process {pid} has ended, or does not answer any more ({error})") from None


class Keys:
    """The keyboard, if standard input is one: each key comes at once, and unseen. As a context manager: the terminal is
    as before at the end of the block, which SIGTERM ends, too."""

    def __init__(self) -> None:
        self._fd = -1
        self._mode: list[Any] = []
        self._terminated: Any = None

    def __enter__(self) -> "Keys":
        self._terminated = signal.signal(signal.SIGTERM, _terminate)
        try:
            fd = sys.stdin.fileno()
            if os.tcgetpgrp(fd) == os.getpgrp():  # in the background the system would stop what changes the terminal
                self._mode = termios.tcgetattr(fd)
                tty.setcbreak(fd)
                self._fd = fd
        except (AttributeError, OSError, ValueError, termios.error):
            pass  # there is no terminal
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._mode:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._mode)
        signal.signal(signal.SIGTERM, self._terminated)

    def wait(self, program: Any, seconds: float) -> None:
        """Wait until a program answers.

        Args:
            program: a socket.
            seconds: that the answer takes.
        Raises:
            KeyboardInterrupt: q was pressed. TimeoutError: there is no answer.
        """
        while True:
            files = [program] if self._fd < 0 else [program, self._fd]
            ready = select(files, [], [], seconds + PATIENCE)[0]
            if program in ready:
                return
            if not ready:
                raise TimeoutError
            keys = os.read(self._fd, 64)
            if keys in (b"q", b"Q"):
                raise KeyboardInterrupt
            if not keys:  # the terminal has gone
                self._fd = -1


def _terminate(*_: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)
