"""The signals of the supervisor: they arrive as numbers to be read between two steps of its loop, not within one."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NUMBERS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
# What a new process has as it was before. The supervisor decides about the others, which a terminal or an administrator
# may send to all processes.
_OF_CHILDREN = (signal.SIGTERM, signal.SIGCHLD)


class Signals:
    """Takes over the signals of this process.

    Thread-safety: for the main thread, as `signal.signal`.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before: dict[int, Any] = {number: signal.signal(number, ignore) for number in _NUMBERS}
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """The descriptor that can be read when one has come."""
        return self._reader

    def read(self) -> bytes:
        """The numbers of those that have come since. There is at least one, as `fileno` tells."""
        return os.read(self._reader, 512)

    def close(self) -> None:
        """Read no more. The handlers stay: one more signal at the end must not change the exit status."""
        if self._reader >= 0:
            signal.set_wakeup_fd(-1)
            os.close(self._reader)
            os.close(self._writer)
            self._reader = self._writer = -1

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """None arrives: for a fork, since it would be told to both processes."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def forget(self) -> None:
        """In a new process: nothing of what the supervisor had."""
        self.close()
        for number, handler in self._before.items():
            signal.signal(number, handler if number in _OF_CHILDREN else ignore)


def ignore(number: int, frame: object) -> None:
    """A handler that does nothing. Not SIG_IGN: programs that the application starts would inherit that."""


def signal_name(number: int) -> str:
    """SIGKILL for 9; the number of one that has no name."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
