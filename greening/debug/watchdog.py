"""The watchdog: tells which green thread kept its OS thread, where, and for how long.

An OS thread of its own looks at every hub a few times in the threshold. A hub that is awake says how long its running
task has gone on. When that is longer than the threshold, the watchdog takes samples of the stack until it is over.

Facts: the watchdog needs the GIL to look. A green thread that computes in Python gives it up within 5 ms, and one that
waits in C has given it up. One in a C function that keeps it gives it up when that returns, and is then still at the
line of the call, or at the next one that calls. So this is seen late; see last_resort for one that never returns.
Decision: no signals, which would interrupt system calls of the program; no timer of a hub, which would wake it and hide
deadlocks. A hub pays for nothing but the GIL that the watchdog has for some 20 us at each look.
"""

import atexit
import os
import sys
from collections.abc import Callable
from math import inf
from typing import Any, Final, Protocol

from greening._core import deadlock
from greening._core.current import get_hub, hubs
from greening._core.hub import Hub
from greening._core.unhandled import report_unraisable
from greening._originals import builtin_open, getpid, monotonic
from greening.debug.blocks import Block, Book
from greening.debug.gil_watch import GilWatch
from greening.debug.hub_watch import HubWatch
from greening.debug.last_resort import LEAST, LastResort
from greening.debug.periodic import Periodic
from greening.debug.samples import use_of

# Looks in the threshold, and while something blocks. A turn that is seen is looked at again when it reaches the
# threshold, give or take _SOON seconds.
_LOOKS: Final = 2
_SAMPLES: Final = 10
_SOON: Final = 0.001


class Writer(Protocol):
    """What reports can be written to: an open file, `sys.stderr`."""

    def write(self, text: str, /) -> Any:
        """Write it."""
        ...


class Watch:
    """A watchdog that runs; made by `watch`. As a context manager it stops at the end of the block.

    Attributes:
        threshold: seconds.
    """

    def __init__(self, threshold: float, to: Any) -> None:
        self.threshold = threshold
        self._to = to
        self._book = Book()
        self._hubs: dict[Hub, HubWatch] = {}
        self._gil = GilWatch(threshold)
        self._due = inf  # when the next look is to be
        self._use = use_of(getpid())  # of the first OS thread, as long as it has no hub
        self._last = LastResort(max(LEAST, 10 * threshold), _descriptor_of(to))
        self._thread = Periodic(self._look, threshold / _LOOKS, self._started, self._paused, self._in_child)

    @property
    def blocks(self) -> list[Block]:
        """The last block of each place, with how many there were, in the order of their seconds, the most first."""
        return sorted(self._book.blocks.values(), key=lambda block: -block.total)

    def begin(self) -> None:
        """Start to look."""
        _running.append(self)
        self._hubs = {hub: HubWatch(hub, self.threshold, use_of(hub.native_id)) for hub in tuple(hubs)}
        self._last.begin()
        self._thread.begin()

    def stop(self) -> None:
        """End it, and tell how often each place blocked that was only counted. Thread-safe, idempotent."""
        if self in _running:
            _running.remove(self)
            self._thread.end()
            self._last.end()
            for watched in tuple(self._hubs.values()):
                watched.close(self._tell)
            for block in self._book.untold():
                self._put(_counted(block), block)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    # In the OS thread

    def _look(self) -> float:
        """Look at every hub. Seconds until the next look."""
        now, blocks = monotonic(), False
        kept = self._gil.look(now - self._due, self._thread)
        without_gil = 0.0 if kept is None else kept.seconds
        living = tuple(hubs)
        for hub in living:
            if hub.thread != self._thread.ident:
                if hub not in self._hubs:
                    use = self._use if hub.thread == deadlock.first_thread else None
                    self._hubs[hub] = HubWatch(hub, self.threshold, use)
                blocks = self._hubs[hub].look(self._tell, without_gil) or blocks
        for hub in self._hubs.keys() - set(living):
            self._hubs.pop(hub).close(self._tell)
        if not living:
            self._use = use_of(getpid())
        if self._gil.confirmed(kept, self._thread) and kept is not None:
            self._tell(kept, False)
        self._last.put_off(now)
        end = monotonic()
        # At once, if it was held up by what it has to see.
        pause = self._pause(blocks) if end - now < self.threshold else 0.0
        self._due = end + pause
        return pause

    def _pause(self, blocks: bool) -> float:
        """Seconds until the next look."""
        if blocks:
            return self.threshold / _SAMPLES
        oldest = max((watched.age for watched in self._hubs.values()), default=0.0)
        soon = self.threshold - oldest + _SOON if oldest < self.threshold else inf
        return min(self.threshold / _LOOKS, soon)

    def _started(self) -> None:
        self._last.put_off(monotonic())

    def _paused(self) -> None:
        self._due = inf
        self._last.cancel()

    def _in_child(self) -> bool:
        self._hubs.clear()
        self._use = use_of(getpid())  # the only OS thread: its time begins anew
        self._last.in_child()
        return True

    # What is told

    def _tell(self, block: Block, goes_on: bool) -> None:
        told = self._book.enter(block, goes_on)
        if told is None:
            return
        if goes_on:
            text = f"{told.name} went on after {told.seconds:.2f} s: the block at {told.line} is over."
        elif told.count > 1:
            text = _counted(told)
        else:
            text = str(told)
        self._put(text, told)

    def _put(self, text: str, block: Block) -> None:
        try:
            self._write(text, block)
        except Exception as error:  # noqa: BLE001  # the program's function, or its file; the watchdog goes on
            report_unraisable(error, "exception in what the watchdog reports to", self._to)

    def _write(self, text: str, block: Block) -> None:
        to = self._to
        if to is None and "logging" in sys.modules:
            to = sys.modules["logging"].getLogger("greening.debug.watch")
        if callable(to):
            to(block)
        elif hasattr(to, "warning"):
            to.warning("%s", text)
        elif isinstance(to, str | os.PathLike):
            # The name of a file may have bytes that are no UTF-8.
            with builtin_open(to, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{text}\n")
        else:
            stream = sys.stderr if to is None else to
            if stream is not None:
                stream.write(f"{text}\n")
                stream.flush()


def _counted(block: Block) -> str:
    return (
        f"{block.line}: {block.count} blocks, {block.total:.2f} s in all; the last one by {block.name}, "
        f"{block.seconds:.2f} s."
    )


def _descriptor_of(to: Any) -> int:
    """Where stacks are written when no Python code runs."""
    try:
        return int(to.fileno())
    except (AttributeError, OSError, ValueError):
        return 2


def watch(
    threshold: float = 0.1, to: "Callable[[Block], object] | str | os.PathLike[str] | Writer | Any" = None
) -> Watch:
    """Begin to watch all hubs of the process: which green thread keeps its OS thread from all others, and where.

    A block is told once for each place, with its stack, where the time went, and what to do. Then places are counted:
    the 10th block is told, the 100th and so on, and the rest at the end. A block that goes on is told after a second.
    Forked children are watched, too. A program that only begins to import, and has no green thread yet, blocks nobody.

    The calling OS thread gets a hub, if it has none.

    Args:
        threshold: seconds from which on it is a block.
        to: where reports go: a function, which is called with each `Block` in the watchdog's OS thread; a logger; the
            path of a file, to which is appended; an open file. None: the logger "greening.debug.watch" if the program
            has imported `logging`, otherwise standard error.
    Returns:
        The watchdog, for `stop` or `with`. It also ends with the interpreter.
    Raises:
        TypeError, ValueError: it is no number of seconds above 0; nothing can be written to `to`.
        OSError: the file cannot be written.
    Thread-safety: call it in any OS thread.
    Difference from eventlet's `debug.hub_blocking_detection`: it uses no signal, does not raise in what blocks, finds C
    code, and takes samples.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise TypeError(f"the threshold is a number of seconds, not {threshold!r}")
    _check(threshold)
    paths_and_writers = to is None or isinstance(to, str | os.PathLike) or hasattr(to, "write")
    if not (paths_and_writers or callable(to) or hasattr(to, "warning")):
        raise TypeError(f"reports go to a function, a logger, the path of a file or an open file, not to {to!r}")
    get_hub()
    return _begun(threshold, to)


def _check(threshold: float) -> None:
    if not 0 < threshold < inf:
        raise ValueError(f"the threshold is a number of seconds above 0, not {threshold!r}")


def _begun(threshold: float, to: Any) -> Watch:
    if isinstance(to, str | os.PathLike):
        to = os.path.abspath(to)  # the program may go to another folder meanwhile
        with builtin_open(to, "a", encoding="utf-8"):
            pass  # what is wrong with it is told now, and not at the first block
    watchdog = Watch(threshold, to)
    watchdog.begin()
    return watchdog


def watch_by(text: str) -> Watch:
    """Begin to watch, with the hubs that there will be, as GREENING_WATCH, or `--watch`, says: "0.1", or "0.1:FILE".

    Raises:
        ValueError: it begins with no number of seconds above 0. OSError: the file cannot be written.
    """
    seconds, _, path = text.partition(":")
    try:
        threshold = float(seconds)
    except ValueError:
        raise ValueError(f"a watchdog: a number of seconds is needed, as in 0.1 or 0.1:FILE, not {text!r}") from None
    _check(threshold)
    return _begun(threshold, path or None)


# Those that run.
_running: list[Watch] = []


def _stop_all() -> None:
    for watchdog in tuple(_running):
        watchdog.stop()


atexit.register(_stop_all)
