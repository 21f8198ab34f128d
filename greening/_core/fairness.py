"""Fairness: a task that never has to wait lets others run, at its next call that may wait.

All such calls share one budget. It counts the time since the last switch, and tries, since a test's clock may stand
still. It is checked before a call is tried, when nothing has been taken or read yet.

Facts: the clock costs 40 ns from Python; the accelerator reads the counter of the processor in 10. A lock takes 300 ns.
On a busy machine a program may lose the processor for many milliseconds, which it has not used. The CPU time of the OS
thread shows that, but to read it costs up to 900 ns.
Decision: `SLICE.until` is the end of the slice that was checked last, in any OS thread. When it has passed,
`yield_if_used_up` checks the hub's own slice, and the CPU time.
"""

from greening._compiled import accelerator, double
from greening._core.critical import guard
from greening._core.hub import Hub
from greening._core.running import known_task
from greening._core.slices import LONG_AGO, SLICE, SLICE_SECONDS, TRIES, UNUSED
from greening._core.task import RUNNING
from greening._originals import monotonic, thread_time


@double
def fairness_tick() -> None:
    """Let others run if the slice is over. Call it before a call that may wait is tried. Thread-safe.

    The next park raises an error that comes meanwhile: see `Task.pass_turn`. In the hub, in a critical step and in an
    OS thread without a hub it does nothing.
    """
    SLICE.tries -= 1
    if SLICE.tries <= 0:
        SLICE.tries = TRIES
        _let_others_run()
    elif monotonic() >= SLICE.until:
        yield_if_used_up()


def yield_if_used_up() -> None:
    """Let others run if this OS thread's own slice is over: `SLICE.until` may be another's. See `fairness_tick`."""
    task = known_task()
    if task is None or _is_used_up(task.hub):
        _let_others_run()
    else:
        SLICE.until = task.hub.slice_end


def _is_used_up(hub: Hub) -> bool:
    """Whether the slice is over and this OS thread used it, rather than waited for the processor of a busy machine."""
    now = hub.now()
    left = hub.slice_end - now
    if left > 0:
        return False
    elapsed = SLICE_SECONDS - left
    if not hub.timed or elapsed > LONG_AGO * SLICE_SECONDS:
        return True
    used = thread_time()
    lost = max(0.0, (now - hub.looked_up) - (used - hub.used_then))
    hub.unused += lost
    if elapsed - lost >= 0.9 * SLICE_SECONDS or hub.unused > UNUSED * SLICE_SECONDS:
        hub.unused = 0.0
        return True
    hub.looked_up, hub.used_then = now, used
    hub.slice_end = now + SLICE_SECONDS - max(0.0, elapsed - lost)
    return False


def _let_others_run() -> None:
    task = known_task()
    if task is not None and task.state == RUNNING and task.takes_turns and not guard.is_owned():
        task.pass_turn()
        task.hub.begin_slice(task.hub.now())
    else:  # it may not switch here, or the greenlet has no task
        begin_slice()


@double
def begin_slice() -> None:
    """Begin a slice: nothing is checked before it is over."""
    SLICE.tries = TRIES
    SLICE.until = monotonic() + SLICE_SECONDS


if accelerator is not None:
    accelerator.tell_let_others_run(_let_others_run)
