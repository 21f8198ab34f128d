"""Every exception that greening defines. Each says when you get it, and when you do not."""

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


class StopServe(Exception):
    """Raise it in a handler of `greening.serve` to make `serve` return quietly."""


class PatchWarning(RuntimeWarning):
    """Something stays as it is that was to be made green, and may block. The message names it, and what to do.

    You get it at `monkey_patch()`, or when a module is imported later; as any warning it is shown once, and
    `python -W error::greening.errors.PatchWarning` makes an error of it.
    """


class PatchError(GreeningError, RuntimeError):
    """A patch could not be applied; what had been done is undone. The message names the module and the attribute."""
