"""Signs of life: of the workers, which the supervisor listens to, and of the service, which systemd listens to.

A worker's hub sends one whenever its turn comes. A worker that computes without end sends none, in Python or in C; one
whose requests all wait does. Until a worker is ready it sends none: to load an application may take long, and has a
limit of its own.

systemd kills the whole service when it hears nothing for the time of its watchdog. That time may be shorter than the
one after which a single worker counts as stuck: the service lives as long as a worker does, or is about to be replaced.
"""

from collections.abc import Iterable
from time import monotonic

from greening.wsgi.command.channel import Child
from greening.wsgi.command.systemd import Notifier

_BEAT = 1.0  # seconds between two signs of life, at most
_SHARE = 4  # so many fit into the time after which it would count as stuck


class Pulse:
    """Knows which workers are stuck.

    Args:
        timeout: seconds without a sign of life; 0: no matter how long. start_timeout: the same until it is ready.
        notifier: wants signs of life, perhaps.
    Attributes:
        beat: seconds between two signs of life; 0: nothing wants any.
    """

    def __init__(self, timeout: float, start_timeout: float, notifier: Notifier) -> None:
        self._timeout = timeout
        self._start_timeout = start_timeout
        self._notifier = notifier
        self._watchdog = notifier.watchdog
        self._next = monotonic()
        wanted = [each / _SHARE for each in (timeout, self._watchdog) if each]
        self.beat = min([*wanted, _BEAT]) if wanted else 0.0

    def due(self, workers: Iterable[Child]) -> list[float]:
        """When there may be something to do, on the monotonic clock."""
        times = [child.beat + limit for child in workers if (limit := self._limit(child))]
        return [*times, self._next] if self._watchdog else times

    def slept(self, workers: Iterable[Child]) -> None:
        """The supervisor came too late itself: the whole machine, or container, was stopped. All begin anew."""
        for child in workers:
            child.beat = monotonic()

    def stuck(self, workers: Iterable[Child]) -> list[Child]:
        """Those that were silent for too long."""
        now = monotonic()
        return [child for child in workers if (limit := self._limit(child)) and child.beat + limit <= now]

    def _patience(self, child: Child) -> float:
        return max(self._watchdog, self._timeout) if child.ready else self._start_timeout or float("inf")

    def _limit(self, child: Child) -> float:
        return self._timeout if child.ready else self._start_timeout

    def tell_watchdog(self, workers: Iterable[Child]) -> None:
        """Tell systemd that the service lives, when it is due, if a worker does, or is loading or being replaced."""
        now = monotonic()
        if self._watchdog and now >= self._next:
            if any(now - child.beat <= self._patience(child) for child in workers):
                self._next = now + self._watchdog
                self._notifier.alive()
            else:  # there may be one in a moment
                self._next = now + min(_BEAT, self._watchdog)
