"""When a worker has done its share, and is to be replaced: after so many requests, so long, or with so much memory."""

import random
from collections.abc import Callable
from os import sysconf
from time import monotonic
from typing import Any

from greening.wsgi.command.config import Settings
from greening.wsgi.command.console import say

_PAGE = sysconf("SC_PAGE_SIZE")  # bytes


def resident() -> int:
    """Bytes of this process that are in memory, shared ones included. Source: proc_pid_statm(5)."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE


class Lifetime:
    """The limits of one worker.

    Each draws its own share of the jitter, so that workers that began together do not have to be replaced together.

    Args:
        settings: of the command. reached: called once, with the reason, when a limit is reached.
    """

    def __init__(self, settings: Settings, reached: Callable[[str], object]) -> None:
        requests, seconds = settings.max_requests, settings.lifetime
        self._left = requests + random.randint(0, settings.max_requests_jitter) if requests else 0
        self._began = monotonic()
        self._seconds = seconds + random.uniform(0, settings.lifetime_jitter) if seconds else 0.0
        self._bytes = settings.max_memory
        if self._bytes and (size := resident()) >= self._bytes:
            say(f"--max-memory {self._bytes} does not count: the application has {size} bytes as soon as it is loaded")
            self._bytes = 0  # to replace the worker would not help
        self._reached: Callable[[str], object] | None = reached
        self._served = 0

    @property
    def watches(self) -> bool:
        """`look` has something to look at."""
        return bool(self._seconds or self._bytes)

    def look(self) -> None:
        """Compare age and memory with their limits. To be called now and then."""
        age = monotonic() - self._began
        if self._seconds and age >= self._seconds:
            self._end(f"has lived {age:.0f} s")
        elif self._bytes and (size := resident()) >= self._bytes:
            self._end(f"holds {size} bytes of memory")

    def counted(self, app: Any) -> Any:
        """The application, with its requests counted; the same object when there is no limit."""
        if not self._left:
            return app

        def count(environ: dict[str, Any], start_response: Any) -> Any:
            self._served += 1
            if self._served == self._left:
                self._end(f"has served {self._served} requests")
            return app(environ, start_response)

        return count

    def _end(self, why: str) -> None:
        reached, self._reached = self._reached, None
        if reached is not None:
            reached(why)
