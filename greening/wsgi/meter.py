"""What a server does to be measured: a row of `Metrics` while it runs, a look at its connections, a statsd."""

import logging
from collections.abc import Callable
from functools import cache

from greening._core.current import get_hub
from greening._core.greenthread import GreenThread, spawn
from greening._core.switching import switches_of
from greening._core.waiting import sleep
from greening.wsgi.metrics import EVICTED, INTERVAL, Counters, Metrics
from greening.wsgi.statsd import Statsd, parse_statsd

_log = logging.getLogger("greening.wsgi")


class Meter:
    """Counts for one `Server`.

    Args:
        metrics: shared with other processes; None: for statsd alone, those of all servers of this
            process that send to the same statsd.
        statsd: HOST:PORT of a statsd, or None. prefix: of each name that it gets.
    Attributes:
        counters: while the server runs, or else None.
    Raises:
        ValueError: `statsd` is none.
    """

    def __init__(self, metrics: Metrics | None, statsd: str | None, prefix: str) -> None:
        self.counters: Counters | None = None
        self._started = False
        self._metrics = metrics
        self._address = None if statsd is None else parse_statsd(statsd)
        self._prefix = prefix
        self._look: Callable[[], tuple[int, int, int]] | None = None
        self._dismissed = 0  # of them, so many are counted
        self._late = 0.0  # seconds: how much too late the last look was
        self._looking: GreenThread[None] | None = None
        self._statsd: Statsd | None = None

    def start(self, look: Callable[[], tuple[int, int, int]]) -> None:
        """Take a row. A second call does nothing. Where there is none, that is logged, and nothing is counted.

        Args:
            look: says how many connections are idle, how many are active, and how many had to go so far.
        """
        if self._started or (self._metrics is None and self._address is None):
            return
        self._started = True
        try:
            if self._metrics is None:
                self._metrics = _common_metrics(self._address, self._prefix)
            self.counters = self._metrics.claim()
        except OSError as error:
            _log.warning("this server is not counted in the metrics: %s", error)
            return
        self._look = look
        if self._address is not None:
            self._statsd = Statsd(self._metrics, self.counters, self._address, self._prefix)
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
            hub = get_hub()
            at_work = len(hub.runners) - len(hub.idle)
            self.counters.hub(hub.rounds, switches_of(hub), at_work, len(hub.ready), self._late)

    def stop(self) -> None:
        """Give the row back; what was counted stays. A second call does nothing."""
        self.refresh()
        self._started = False
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
        now = get_hub().now
        while True:
            self.refresh()
            due = now() + INTERVAL
            sleep(INTERVAL)
            self._late = max(0.0, now() - due)


@cache
def _common_metrics(address: tuple[str, int] | None, prefix: str) -> Metrics:
    """Those of the servers of this process that send to one statsd: a gauge has to be the sum over them."""
    return Metrics()
