"""Fairness to other OS threads: a hub that never sleeps gives the GIL to a thread that waits for it.

Facts (CPython 3.11 to 3.15, Python/ceval_gil.c):
- A thread that waits for the GIL asks the holder for it after 5 ms (`sys.setswitchinterval`). The 5 ms begin anew each
  time the holder releases it, however briefly.
- A release wakes one waiting thread, which takes 10 to 60 us to run. A holder that takes the GIL back at once is
  quicker, and the woken thread waits again.
- To wake a thread takes a system call. When no thread waits, there is none, and a release takes 0.05 us.

Consequence: a busy hub looks at its descriptors every 50 us or so. Each look releases the GIL, wakes a waiting thread
in vain and begins its 5 ms anew. Measured: that thread had the GIL 16 times a second.

Decision: time the release. If it was long enough for a system call, a thread waits: stay away until it has had the GIL.
Then keep the GIL for a fifth of the time away, or many threads would pass it among themselves all the time. So a thread
that computes has about four fifths, and a short call begins within one round. When no thread waits, this costs two
looks at the clock.
"""

from greening._originals import monotonic, select, time_sleep

# Seconds, except _SHARE: that part of the time away. With the kernel's timer slack a sleep of _STAY_AWAY takes about
# 0.0001.
_EVERY = 0.0002  # between two trials
_SIGNAL = 0.000002  # by which a trial is longer, at least, when it wakes a thread
_STAY_AWAY = 0.00003
_SHARE = 5
_KEEP_LEAST, _KEEP_MOST = 0.00005, 0.001


def _trial() -> float:
    began = monotonic()
    select((), (), (), 0)  # the cheapest call of the stdlib that releases the GIL
    return monotonic() - began


# Seconds that a trial takes on this machine when it wakes no thread. The first of these trials may wake a thread; that
# one does not run before the others are over.
_usual = min(_trial() for _ in range(16))


class GilShare:
    """Gives the GIL to waiting threads, for one hub. The accelerator does the same inside its `wait_epoll`."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0.0

    def give_way(self) -> None:
        """Let another OS thread have the GIL if one waits for it. Call it before each look at descriptors."""
        now = monotonic()
        if now < self._next:
            return
        if _trial() <= 2 * _usual + _SIGNAL:
            self._next = now + _EVERY
            return
        gone = monotonic()
        time_sleep(_STAY_AWAY)
        back = monotonic()
        self._next = back + min(max((back - gone) / _SHARE, _KEEP_LEAST), _KEEP_MOST)
