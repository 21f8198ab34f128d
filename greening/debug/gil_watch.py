"""An OS thread without a hub, a native call of `tpool` for instance, that kept the GIL: no hub could run meanwhile.

Facts: the watchdog cannot look then either, so it comes late. While C code keeps the GIL, its thread uses the
processor, as a rule; when it returns, the watchdog has the GIL next, and finds the thread at the line of the call.
Consequence: if the watchdog comes late, the OS thread that has used the processor most since the last look had the GIL.
Hubs that waited for the GIL in the middle of a turn are not to blame for that time.
"""

from time import clock_gettime, pthread_getcpuclockid
from types import FrameType

from greening._core import deadlock
from greening._core.current import hubs
from greening._originals import current_frames, thread_count
from greening.debug.blocks import Block
from greening.debug.calls import Call, call_of, remedy_for
from greening.debug.frames import is_ours_file
from greening.debug.periodic import Periodic
from greening.debug.samples import Line, Use, stack_of, use_of, users_line

# Part of the time that its thread must have been on a processor. Others may have had that for a while.
_PART = 0.25

_RETURNED = Line("", 0, "a native call that has returned")


class GilWatch:
    """Finds the OS thread that kept the GIL. In the watchdog's OS thread only.

    Args:
        threshold: seconds.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._used: dict[int, float] = {}
        self._own: Use | None = None

    def look(self, late: float, mine: Periodic) -> Block | None:
        """What kept the GIL for the `late` seconds by which this look is late, if it is an OS thread without a hub.

        It gives up the GIL for nothing: the hubs are looked at afterwards. `confirmed` has to be asked then.

        Args:
            mine: the watchdog's OS thread.
        """
        if thread_count() <= 1:  # the watchdog's; the first OS thread is not counted
            self._used, self._own = {}, None
            return None
        # A thread that made a native call has a hub, perhaps, and no green thread: to that hub it is healthy.
        known = {mine.ident, deadlock.first_thread, *(hub.thread for hub in tuple(hubs) if hub.tasks())}
        frames = current_frames()
        # None of these threads ends before this one gives up the GIL: their idents are valid.
        used = {ident: clock_gettime(pthread_getcpuclockid(ident)) for ident in frames if ident not in known}
        before, self._used = self._used, used
        if not used or late < self._threshold:
            return None
        ident = max(used, key=lambda ident: used[ident] - before.get(ident, 0.0))
        return _block(frames[ident], late, used[ident] - before.get(ident, 0.0))

    def confirmed(self, found: Block | None, mine: Periodic) -> bool:
        """Whether the look was late for want of the GIL, and not because other processes had the processors."""
        if not self._used:
            return False
        before, self._own = self._own, use_of(mine.native_id)
        queued = 0.0 if before is None or self._own is None else self._own.queued - before.queued
        return found is not None and found.seconds - queued >= self._threshold


def _block(frame: FrameType, late: float, processor: float) -> Block | None:
    """What is told of the thread with this frame. None: it did not use the processor for long enough."""
    if processor < _PART * late:
        return None
    lasti, stack = frame.f_lasti, stack_of(frame)
    call, modules = call_of(frame, lasti), [str(frame.f_globals.get("__name__", ""))]
    if is_ours_file(users_line(stack).file):  # a hub had the GIL before the watchdog: the thread has gone on
        stack, call, modules = (_RETURNED,), Call(""), []
    return Block(
        name="An OS thread" if stack[0] is _RETURNED else f"An OS thread ({stack[0].function.rpartition('.')[2]})",
        seconds=late,
        processor=min(late, processor),
        queued=0.0,
        over=True,
        line=users_line(stack),
        stack=stack,
        places=((stack[-1], 1.0),),
        call=call.text,
        # It is in an OS thread already.
        remedy=remedy_for(call, modules, computed=True, in_thread=True),
        kept="the GIL",
    )
