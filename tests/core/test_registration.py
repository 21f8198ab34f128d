"""One descriptor of one hub: its waiters, its news, its end."""

import errno
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import spawn
from greening._core.poller import ERR, IN, OUT, PRI, RDHUP
from greening._core.registration import Registration
from greening._core.task import PARKED, RUNNING, Task
from greening.testing import Fake, FakePoller, settle

pytestmark = pytest.mark.usefixtures("fake")

FD = 1007


@pytest.fixture
def reg() -> Registration:
    return Registration(FD, None, True, True)


def parked(fake: Fake[FakePoller]) -> Task:
    """A task that is in no queue yet."""
    task = Task(fake.hub)
    task.state = PARKED
    return task


@pytest.mark.parametrize(
    ("mask", "wanted", "lots"),
    [
        (IN, IN | PRI | RDHUP, (1, 0)),
        (PRI, IN | PRI | RDHUP, (1, 0)),
        (OUT, OUT, (0, 1)),
        (ERR, IN | PRI | RDHUP, (1, 0)),
    ],
)
def test_a_waiter_waits_in_the_direction_of_its_events(
    reg: Registration, fake: Fake[FakePoller], mask: int, wanted: int, lots: tuple[int, int]
) -> None:
    task = parked(fake)
    assert reg.wanted == 0
    reg.enter(task, mask)
    assert reg.wanted == wanted
    assert (len(reg.readers or ()), len(reg.writers or ())) == lots
    reg.leave(task)
    assert reg.wanted == 0


def test_a_waiter_for_both_directions_leaves_both(reg: Registration, fake: Fake[FakePoller]) -> None:
    task, other = parked(fake), parked(fake)
    reg.enter(task, IN | OUT)
    reg.enter(other, IN | OUT)
    assert reg.wanted == IN | PRI | RDHUP | OUT
    reg.leave(task)
    assert list(reg.readers or ()) == list(reg.writers or ()) == [other]


def test_to_leave_where_no_task_waits_does_nothing(reg: Registration, fake: Fake[FakePoller]) -> None:
    reg.leave(parked(fake))
    assert reg.readers is None
    assert reg.writers is None


def test_news_are_taken_once_and_for_their_direction(reg: Registration) -> None:
    assert not reg.take_news(IN | OUT)
    reg.read_news = reg.write_news = True
    assert reg.take_news(IN)
    assert not reg.take_news(IN)
    assert reg.take_news(OUT)
    assert not reg.take_news(OUT)


def test_a_wait_is_entered_unless_there_are_news(reg: Registration) -> None:
    me = current()
    assert reg.enter_unless_news(me, IN)
    assert me.state == PARKED
    assert list(reg.readers or ()) == [me]
    reg.leave(me)
    me.cancel_park()
    reg.read_news = True
    assert not reg.enter_unless_news(me, IN)
    assert me.state == RUNNING
    assert not reg.readers
    assert not reg.read_news


def test_without_edges_news_end_no_wait() -> None:
    """Each wait arms its descriptor, and what is ready then is reported."""
    reg, me = Registration(FD, None, False, False), current()
    reg.read_news = True
    assert reg.enter_unless_news(me, IN)
    reg.leave(me)
    me.cancel_park()


def wait_in(reg: Registration, mask: int) -> Any:
    me = current()
    me.state = PARKED
    reg.enter(me, mask)
    try:
        return me.park()
    except OSError as error:
        return error.errno


def test_all_waiters_of_a_descriptor_that_is_closed_are_told(reg: Registration) -> None:
    threads = [spawn(wait_in, reg, mask) for mask in (IN, OUT, IN | OUT)]
    settle()
    reg.end()
    assert not reg.readers
    assert not reg.writers
    assert [thread.wait() for thread in threads] == [errno.EBADF] * 3
    assert reg.take_news(IN), "for a task that is on its way to a wait"
    assert reg.take_news(OUT)


def test_waiters_that_are_released_try_again(reg: Registration) -> None:
    threads = [spawn(wait_in, reg, mask) for mask in (IN, OUT)]
    settle()
    reg.release(ERR)
    assert [thread.wait() for thread in threads] == [ERR, ERR]
    assert reg.read_news and reg.write_news


def test_a_descriptor_without_waiters_may_end(reg: Registration) -> None:
    reg.release(ERR)
    reg.end()
    assert (reg.readers, reg.writers) == (None, None)
