"""One call in a native thread. Pools of them are tested in test_native.py."""

import pytest

from greening.testing import Fake, FakePoller
from greening.threads.native_job import Job


def test_the_outcome_is_the_result_or_the_error_once(fake: Fake[FakePoller]) -> None:
    job = Job(fake.hub, divmod, (7, 2), {})
    job.run()
    job.run()  # the call is made once
    assert job.outcome() == (3, 1)
    failing = Job(fake.hub, divmod, (7, 0), {})
    failing.run()
    with pytest.raises(ZeroDivisionError):
        failing.outcome()
    assert failing.outcome() is None


def test_what_an_abandoned_call_returns_is_dropped(fake: Fake[FakePoller]) -> None:
    made: list[int] = []
    job = Job(fake.hub, lambda: job.abandon() or made.append(1) or "result", (), {})
    job.run()
    assert made == [1] and job.result is None
    late = Job(fake.hub, made.append, (2,), {})
    late.abandon()
    late.run()
    assert made == [1]
