"""A green thread that ticks every 10 ms, and tells when something held the hub up.

    with Heartbeat():          # in a program of a test, after monkey_patch()
        ...

The longest gap between two ticks counts, without the time in which the system had no processor for us: another
process's work is no fault of ours. A program that a test runs can import this file.
"""

import sys
import traceback
from time import monotonic
from types import TracebackType

import greening

EVERY = 0.01
TOLERANCE = 0.2


def _waited_for_processor() -> float:
    """Seconds in which this OS thread could have run and had no processor. Source: proc_pid_schedstat."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:
        return 0.0


class Heartbeat:
    """Beats inside the block; its end raises AssertionError if the hub was held up for longer than `tolerance`.

    Attributes:
        tolerance: seconds; a test that knows of something that holds the hub up sets it, and says what that is.
        longest: the longest gap so far, in seconds.
    """

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        self.tolerance = tolerance
        self.longest = 0.0
        self._thread: greening.GreenThread[None] | None = None

    def __enter__(self) -> "Heartbeat":
        self._thread = greening.spawn(self._beat)
        greening.sleep(0)
        return self

    def _beat(self) -> None:
        while True:
            begin, delay = monotonic(), _waited_for_processor()
            greening.sleep(EVERY)
            gap = monotonic() - begin - (_waited_for_processor() - delay)
            self.longest = max(self.longest, gap - EVERY)

    def reset(self) -> None:
        """Forget what was before, for example imports."""
        greening.sleep(2 * EVERY)
        self.longest = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None
        greening.sleep(2 * EVERY)  # the tick that is late is still to come
        self._thread.kill()
        message = f"the hub was held up for {self.longest:.3f} s, and {self.tolerance:.3f} s are allowed"
        if self.longest > self.tolerance:
            if error is None:
                raise AssertionError(message)
            traceback.print_exception(error)
            print(message, file=sys.stderr)
