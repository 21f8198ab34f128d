"""What a server does to be measured: a row of `Metrics` while it runs, a look at its connections, a statsd."""

from collections.abc import Callable

from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.wsgi.metrics import EVICTED, INTERVAL, Counters, Metrics
from greening.wsgi.statsd import Statsd, parse_statsd


class Meter:
    """Counts for one `Server`.

    Args:
        metrics: shared with other processes; None: the server's own, for statsd alone.
        statsd: HOST:PORT of a statsd, or None. prefix: of each name that it gets.
    Attributes:
        counters: while the server runs, or else None.
    Raises:
        ValueError: `statsd` is none.
    """

    def __init__(self, metrics: Metrics | None, statsd: str | None, prefix: str) -> None:
        self.counters: Counters | None = None
        self._metrics = metrics
        self._address = None if statsd is None else parse_statsd(statsd)
        self._prefix = prefix
        self._look: Callable[[], tuple[int, int, int]] | None = None
        self._dismissed = 0  # of them, so many are counted
        self._looking: GreenThread[None] | None = None
        self._statsd: Statsd | None = None

    def start(self, look: Callable[[], tuple[int, int, int]]) -> None:
        """Take a row. A second call does nothing.

        Args:
            look: says how many connections are idle, how many are active, and how many had to go so far.
        Raises:
            OSError: no row is free.
        """
        if self.counters is not None or (self._metrics is None and self._address is None):
            return
        self._metrics = self._metrics or Metrics()
        self._look = look
        self.counters = self._metrics.claim()
        if self._address is not None:
            self._statsd = Statsd(self.counters, self._address, self._prefix)
            self._statsd.start()
        self._looking = spawn(self._look_for_ever)
        self._looking.name = "metrics"

    def refresh(self) -> None:
        """Write how many connections there are now."""
        if self.counters is not None and self._look is not None:
            idle, active, dismissed = self._look()
            self.counters.connections(idle, active)
            self.counters.count(EVICTED, dismissed - self._dismissed)
            self._dismissed = dismissed

    def stop(self) -> None:
        """Give the row back; what was counted stays. A second call does nothing."""
        self.refresh()
        counters, self.counters = self.counters, None
        if counters is None or self._metrics is None:
            return
        if self._looking is not None:
            self._looking.kill()
        counters.connections(0, 0)
        if self._statsd is not None:
            self._statsd.stop()
        self._metrics.release(counters)

    def _look_for_ever(self) -> None:
        while True:
            self.refresh()
            sleep(INTERVAL)
