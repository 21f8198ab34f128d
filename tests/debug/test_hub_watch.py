"""What the watchdog knows of one hub."""

import pytest

from greening._core.current import get_hub
from greening.debug import hub_watch
from greening.debug.hub_watch import HubWatch
from greening.debug.samples import Use


class FakeUse:
    """What the system says of an OS thread."""

    def __init__(self) -> None:
        self.use = Use(1.0, 1.0)

    def __call__(self, native_id: int) -> Use:
        return self.use


def test_time_in_the_queue_for_a_processor_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    use, told = FakeUse(), []
    monkeypatch.setattr(hub_watch, "use_of", use)
    hub = get_hub()
    watched = HubWatch(hub, 0.1, use.use)
    ages = iter([0.01, 0.2, 0.4, 0.0])
    monkeypatch.setattr(hub_watch, "_age", lambda hub: next(ages))
    tell = lambda block, goes_on: told.append(block)  # noqa: E731
    assert not watched.look(10.0, tell)
    use.use = Use(1.05, 1.14)
    assert not watched.look(10.19, tell), "another process had the processor"
    use.use = Use(1.25, 1.14)
    assert watched.look(10.39, tell)
    watched.look(10.5, tell)
    (block,) = told
    assert (block.seconds, block.processor, block.queued) == (0.4, pytest.approx(0.25), pytest.approx(0.14))
