"""Every exception that greening defines. Each says when you get it, and when you do not."""

import sys
from collections.abc import Sequence

from greenlet import GreenletExit as GreenletExit  # re-exported: eventlet's users import it from the top


class GreeningError(Exception):
    """Base of the errors below. Errors of the stdlib's own kind (OSError, ValueError) stay what they are."""


class Deadlock(GreeningError, RuntimeError):
    """Every green thread of this OS thread waits for another: nothing is runnable, no timer is set, no descriptor is
    waited for, no native thread is at work. Raised in the main greenlet. The message begins with the cycle, if there is
    one (who holds what, and who waits for it), and says where each of them waits.

    While the program has signal handlers, you get it when no signal has come for 5 seconds. `GREENING_DEADLOCK` in the
    environment sets another time, in seconds; `off` has no deadlock reported at all. A program that waits for signals
    says so: by `signal.pause`, `sigwait`, `set_wakeup_fd`, or an alarm that is set. You do not get it while another OS
    thread runs that could wake us.

    Attributes:
        waiting: one line for each task, the main greenlet's first.
        cycle: the names of the tasks that wait for one another in a circle; empty: there is no such circle.
        edges: for each task its name, what it waits for, and the name of the task that has to act ("": unknown).
    """

    def __init__(
        self,
        waiting: Sequence[str] = (),
        cycle: Sequence[str] = (),
        edges: Sequence[tuple[str, str, str]] = (),
        text: str | None = None,
    ) -> None:
        lines = "".join(f"\n  {line}" for line in waiting) if text is None else f"\n{text}"
        super().__init__(f"deadlock: everything waits and nothing can wake it{lines}")
        self.waiting = tuple(waiting)
        self.cycle = tuple(cycle)
        self.edges = tuple(edges)


class Cancelled(GreenletExit):
    """Raised in a green thread whose nursery is cancelled: a neighbour has failed, or the block around it was left.

    It is raised once, at the wait that it interrupts. Clean up and let it pass; a green thread that catches it and goes
    on keeps its nursery waiting. It is a GreenletExit, so that it is no failure, and `except Exception` does not catch
    it. Difference from `trio.Cancelled`: there, every further wait raises it again.
    """


class StopServe(Exception):
    """Raise it in a handler of `greening.serve` to make `serve` return quietly."""


class PatchWarning(RuntimeWarning):
    """Something stays as it is that was to be made green, and may block. The message names it, and what to do.

    You get it at `monkey_patch()`, or when a module is imported later; as any warning it is shown once, and
    `python -W error::greening.errors.PatchWarning` makes an error of it.
    """


class PatchError(GreeningError, RuntimeError):
    """A patch could not be applied; what had been done is undone. The message names the module and the attribute."""


if sys.version_info < (3, 13):

    class ShutDown(Exception):
        """`put` or `get` on a queue that was shut down: `queue.ShutDown` of Python 3.13, for those before it."""
