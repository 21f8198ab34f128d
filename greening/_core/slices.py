"""Slices of time: how long a task may go on without a switch. See fairness."""

# Seconds that a task runs before it lets others run at its next call that may wait.
SLICE_SECONDS = 0.001
# Seconds after which a round of the hub ends, whatever is left of it. A single slice may take longer: nothing can
# interrupt it.
ROUND_SECONDS = 0.001
# Slice lengths. A slice that began longer ago is over, whatever CPU time it used: a call may have blocked.
LONG_AGO = 50
# Slices of time without the processor, in all, after which others run in any case: calls that really block, one after
# the other, use no CPU time either.
UNUSED = 10
# Calls that may wait, after which others run in any case.
TRIES = 1024


class _Slice:
    """Process-wide, on purpose: if it is another OS thread's, that costs one look at the hub's own. See fairness.

    Attributes:
        until: before this time (of `time.monotonic`) no check is needed whether a slice is over.
        tries: calls that are left before others run in any case.
    """

    __slots__ = ("tries", "until")

    def __init__(self) -> None:
        self.until = 0.0
        self.tries = TRIES


SLICE = _Slice()
