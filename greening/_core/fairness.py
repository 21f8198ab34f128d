"""Fairness: a task that never has to wait lets the others run, at the next call that might have waited.

One budget for everything, counted in time (since the last switch) and in tries (a clock of a test's own may stand
still). It is asked before such a call is tried, and not after: nothing has been taken or read yet.

Facts: the clock costs 40 ns from Python; the accelerator reads the counter of the processor in 10. A lock takes 300 ns.
On a busy machine a program loses the processor for many milliseconds, and has not used them: the time of the OS thread
on the processor tells, but to look it up costs up to 900 ns.
Decision: `SLICE.until` remembers when the slice ends that was asked for last, for whichever OS thread. When it has
passed, `yield_if_used_up` looks at the hub's own, and at the time on the processor.
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
    """A call that may wait is about to be tried: let the others run first when the slice is over. Thread-safe.

    It is no point of interruption: see `Task.pass_turn`. In the hub, in a critical step and in an OS thread without a
    hub it does nothing.
    """
    SLICE.tries -= 1
    if SLICE.tries <= 0:
        SLICE.tries = TRIES
        _let_others_run()
    elif monotonic() >= SLICE.until:
        yield_if_used_up()


def yield_if_used_up() -> None:
    """Let the others run if this OS thread's slice is over, which another's may have hidden. See `fairness_tick`."""
    task = known_task()
    if task is None or _is_used_up(task.hub):
        _let_others_run()
    else:
        SLICE.until = task.hub.slice_end


def _is_used_up(hub: Hub) -> bool:
    """Whether the slice is over, and was spent here, and not waiting for the processor, on a busy machine."""
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
    if task is not None and task.state == RUNNING and not guard.is_owned():
        task.pass_turn()
        task.hub.begin_slice(task.hub.now())
    else:  # it must not here, or has no others
        begin_slice()


@double
def begin_slice() -> None:
    """There is no need to look before another slice is over."""
    SLICE.tries = TRIES
    SLICE.until = monotonic() + SLICE_SECONDS


if accelerator is not None:
    accelerator.tell_let_others_run(_let_others_run)
