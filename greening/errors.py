"""Every exception that greening defines. Each says when you get it, and when you do not."""

import sys
from collections.abc import Sequence

from greenlet import GreenletExit as GreenletExit  # re-exported: eventlet's users import it from the top


class GreeningError(Exception):
    """Base of the errors below. Errors of the stdlib's own kind (OSError, ValueError) stay what they are."""


class Deadlock(GreeningError, RuntimeError):
    """Every green thread of this OS thread waits for another: nothing is runnable, no timer is set, no descriptor is
    waited for, no native thread is at work. Raised in the main greenlet. The message says where each of them waits.

    You do not get it while a Python signal handler is installed, or while another OS thread runs that could wake us.
    """

    def __init__(self, waiting: Sequence[str] = ()) -> None:
        lines = "".join(f"\n  {line}" for line in waiting)
        super().__init__(f"deadlock: everything waits and nothing can wake it{lines}")
        self.waiting = tuple(waiting)


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
