"""Slices of time: how long a task may go on without a switch. See fairness."""

# Seconds after which a task that has not been switched from lets others run at the next call that may wait.
SLICE_SECONDS = 0.001
# Seconds after which a round of the hub ends, whatever is left of it. A single slice may take longer: nothing can
# interrupt it.
ROUND_SECONDS = 0.001
# So many slices after its beginning one is over in any case: a call may have waited without using the processor.
LONG_AGO = 50
# So many slices of time that was not used let others run in any case, whichever slices it was in: calls that really
# block, one after the other, use no processor either.
UNUSED = 10
# Calls after which it does so in any case.
TRIES = 1024


class _Slice:
    """Process-wide, on purpose: a wrong answer costs one look at the hub's own. See fairness.

    Attributes:
        until: before this time (of `time.monotonic`) there is no need to look whether a slice is over.
        tries: calls that are left before others run in any case.
    """

    __slots__ = ("tries", "until")

    def __init__(self) -> None:
        self.until = 0.0
        self.tries = TRIES


SLICE = _Slice()
