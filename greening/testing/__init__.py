"""Testing what runs on greening: fake time, fake descriptors, and a hub of the test's own.

from greening.testing import fake_hub, settle

def test_a_slow_thing_is_given_up_after_a_minute():
    with fake_hub() as fake:
        worker = greening.spawn(do_with_timeout_of_a_minute)
        settle()
        fake.clock.advance(60)
        ...
"""

from greening.testing.clock import FakeClock
from greening.testing.hub import Fake, fake_hub, fake_time, settle, unfinished
from greening.testing.poller import FakePoller, JumpingPoller, NothingWillHappen
from greening.testing.waiting import wait_until_parked

__all__ = [
    "Fake",
    "FakeClock",
    "FakePoller",
    "JumpingPoller",
    "NothingWillHappen",
    "fake_hub",
    "fake_time",
    "settle",
    "unfinished",
    "wait_until_parked",
]
