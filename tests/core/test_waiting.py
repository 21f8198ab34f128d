"""Sleeping, yielding, and waiting for descriptors that are not ours."""

import errno
import os
import re
from typing import Any

import pytest

from greening._core.critical import guard
from greening._core.current import current
from greening._core.greenthread import spawn
from greening._core.poller import IN, OUT, ROOM_PAUSE
from greening._core.task import PARKED
from greening._core.waiting import (
    forget_fd,
    sleep,
    sleep_or_look,
    wait_fd,
    wait_for_room,
    wait_read,
    wait_readable,
    wait_writable,
    wait_write,
    yield_now,
)
from greening._originals import allocate_lock, start_new_thread, time_sleep
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.testing import Fake, FakePoller, settle, wait_until_parked

FD = 1007


def test_a_sleep_lasts_as_long_as_it_says_and_lets_others_run(fake: Fake[FakePoller]) -> None:
    others: list[int] = []
    spawn(others.append, 1)
    sleep(5)
    assert fake.clock.now() == 1005.0
    assert others == [1]


def test_a_sleep_of_next_to_nothing_is_a_turn(fake: Fake[FakePoller]) -> None:
    """There is no time between now and then that a float could tell."""
    others: list[int] = []
    spawn(others.append, 1)
    sleep(1e-300)
    assert fake.clock.now() == 1000.0
    assert others == [1]


@pytest.mark.parametrize("seconds", [0, 2])
def test_code_that_interrupts_a_wait_may_sleep(fake: Fake[FakePoller], seconds: float) -> None:
    me = current()
    me.state = PARKED
    sleep(seconds)
    assert me.state == PARKED
    assert me.wake("woken")
    assert me.park() == "woken"


def test_a_sleep_that_looks_lets_those_run_first_whose_descriptor_is_ready_or_time_has_come() -> None:
    order: list[str] = []
    reader, writer = os.pipe()
    try:
        spawn(lambda: (wait_readable(reader), order.append("reader")))
        spawn(lambda: (sleep(0.001), order.append("timer")))
        settle()
        os.write(writer, b"x")
        time_sleep(0.002)
        sleep_or_look(0)
        assert sorted(order) == ["reader", "timer"]
    finally:
        os.close(reader)
        os.close(writer)


def test_a_sleep_that_looks_is_a_sleep_in_all_else(fake: Fake[FakePoller]) -> None:
    order: list[str] = []
    spawn(order.append, "other")
    sleep_or_look()
    assert order == ["other"]
    sleep_or_look(5)
    assert fake.clock.now() == 1005.0
    sleep_or_look(-1)
    with pytest.raises(TypeError):
        sleep_or_look("1")  # type: ignore[arg-type]  # that is what is tested
    assert fake.clock.now() == 1005.0


def test_a_sleep_that_looks_can_be_interrupted_and_leaves_nothing_behind() -> None:
    reader, writer = os.pipe()
    order: list[str] = []

    def looker() -> None:
        try:
            sleep_or_look()
        finally:
            order.append("end")
        order.append("never")

    def killer() -> None:
        wait_readable(reader)
        order.append("kill")
        thread.kill()

    spawn(killer)
    settle()
    os.write(writer, b"x")
    thread = spawn(looker)
    thread.link(order.append)
    with pytest.raises(GreenletExit):
        thread.wait()
    assert order == ["kill", "end", thread]
    os.close(reader)
    os.close(writer)


def test_a_yield_lets_others_run_but_not_in_a_critical_step(fake: Fake[FakePoller]) -> None:
    others: list[int] = []
    spawn(others.append, 1)
    with guard:
        yield_now()
    assert others == []
    yield_now()
    assert others == [1]


def test_a_yield_in_the_hub_does_nothing(fake: Fake[FakePoller]) -> None:
    fired: list[int] = []
    fake.hub.call_at(fake.hub.now(), lambda: (yield_now(), fired.append(1)))
    sleep(1)
    assert fired == [1]
    assert not fake.hub.stand_ins


def test_a_descriptor_is_waited_for_in_either_direction(fake: Fake[FakePoller]) -> None:
    reader, writer = spawn(wait_readable, FD), spawn(wait_writable, FD)
    settle()
    fake.poller.fire(FD, IN)
    assert reader.wait() is True
    assert not writer.dead
    fake.poller.fire(FD, OUT)
    assert writer.wait() is True
    assert wait_readable(FD, 1) is False
    assert wait_writable(FD, 0) is False


def test_a_negative_descriptor_is_ebadf(fake: Fake[FakePoller]) -> None:
    with pytest.raises(OSError) as caught:
        wait_fd(-1, IN)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ENOMEM])
def test_a_wait_that_the_poller_has_no_room_for_is_tried_again(fake: Fake[FakePoller], number: int) -> None:
    fake.poller.refuse[FD] = OSError(number, "no room")
    thread = spawn(wait_fd, FD, IN)
    settle()
    sleep(3 * ROOM_PAUSE)
    assert not thread.dead
    fake.poller.refuse.clear()
    fake.poller.fire(FD, IN)
    sleep(ROOM_PAUSE)
    fake.poller.fire(FD, IN)
    assert thread.wait() == IN


def test_where_there_is_no_room_a_wait_ends_in_time_all_the_same(fake: Fake[FakePoller]) -> None:
    fake.poller.refuse[FD] = OSError(errno.ENOSPC, "no room")
    assert wait_fd(FD, IN, 2.5 * ROOM_PAUSE) == 0
    assert fake.clock.now() == pytest.approx(1000 + 2.5 * ROOM_PAUSE)


def test_what_else_the_poller_says_is_raised(fake: Fake[FakePoller]) -> None:
    fake.poller.refuse[FD] = OSError(errno.EIO, "odd")
    with pytest.raises(OSError, match="odd"):
        wait_fd(FD, IN)


def test_room_is_waited_for_until_the_deadline(fake: Fake[FakePoller]) -> None:
    now = fake.clock.now()
    assert wait_for_room(None)
    assert fake.clock.now() == pytest.approx(now + ROOM_PAUSE)
    assert wait_for_room(fake.clock.now() + 0.001)
    assert not wait_for_room(fake.clock.now())


def test_to_forget_a_descriptor_that_no_task_waits_for_does_nothing(fake: Fake[FakePoller]) -> None:
    before = list(fake.poller.calls)
    forget_fd(FD)
    assert fake.poller.calls == before


def test_a_waiter_in_another_os_thread_is_told_that_its_descriptor_is_closed() -> None:
    reads, writes = os.pipe()
    made: list[Any] = []
    begun, done = allocate_lock(), Event()
    begun.acquire()

    def wait() -> object:
        try:
            return wait_readable(reads, 20)
        except OSError as error:
            return error.errno

    def body() -> None:
        thread = spawn(wait)
        made.append(thread)
        begun.release()
        done.send(thread.wait())

    start_new_thread(body, ())
    begun.acquire()
    wait_until_parked(made[0])
    forget_fd(reads)
    assert done.wait(20) == errno.EBADF
    os.close(reads)
    os.close(writes)


def test_waiting_needs_an_open_descriptor() -> None:
    reads, writes = os.pipe()
    os.close(writes)
    assert wait_readable(reads, 1), "the end of a file can be read"
    os.close(reads)
    with pytest.raises(OSError) as caught:
        wait_fd(reads, IN)
    assert caught.value.errno == errno.EBADF


# -- For users ---------------------------------------------------------------------------------------------------------


def test_wait_read_and_wait_write_take_a_number_or_an_object_with_fileno() -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as source, open(writer, "wb", buffering=0) as sink:
        assert wait_write(writer)
        assert not wait_read(source, timeout=0)
        spawn(sink.write, b"x")
        assert wait_read(reader, timeout=30)
        assert wait_read(source)


@pytest.mark.parametrize("wrong", [None, "5", object(), 1.0])
def test_what_is_no_descriptor_is_an_error_that_names_it(wrong: object) -> None:
    for call in (wait_read, wait_write):
        with pytest.raises(TypeError, match=re.escape(repr(wrong))):
            call(wrong)


def test_a_closed_one_is_an_error() -> None:
    with open(os.devnull, "rb") as file:
        pass
    with pytest.raises(ValueError, match="closed file"):
        wait_read(file)
    with pytest.raises(OSError, match="Errno 9"):
        wait_write(-1)
