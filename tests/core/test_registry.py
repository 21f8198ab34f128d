"""Which task waits for which descriptor, against a poller whose events the test makes up."""

import errno
import gc
import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from greening._core.current import current
from greening._core.greenthread import GreenThread, kill, spawn
from greening._core.poller import ERR, HUP, IN, NVAL, OUT, PRI, RDHUP
from greening._core.registry import interruptions
from greening._core.task import PARKED
from greening._core.waiting import forget_fd, wait_fd, wait_readable, wait_writable
from greening.testing import Fake, FakePoller, fake_hub, settle
from greening.timeout import Timeout

FD = 1007


class Owner:
    """Stands for a socket of ours."""


def wait_owned(owner: Owner, mask: int = IN, fd: int = FD, timeout: float | None = None) -> int:
    task = current()
    hub = task.hub
    reg = hub.registry.socket(fd, owner, True)
    return hub.registry.wait(reg, task, mask, None if timeout is None else hub.now() + timeout)


def error_of(func: Callable[..., object], *args: object) -> BaseException | None:
    """What `func(*args)` raises."""
    try:
        func(*args)
    except BaseException as error:  # whatever it is: it is the result
        return error
    return None


def calls(poller: FakePoller, name: str) -> list[tuple[int, int]]:
    return [(fd, mask) for called, fd, mask in poller.calls if called == name and fd == FD]


@pytest.fixture(params=[True, False], ids=["edge", "level"])
def both(request: pytest.FixtureRequest) -> Any:
    with fake_hub(edge=request.param) as fake:
        yield fake


def test_a_socket_is_armed_once_for_all_its_waits(fake: Fake[FakePoller]) -> None:
    owner = Owner()
    for _ in range(3):
        for mask in (IN, OUT):
            fake.poller.fire(FD, mask)
            assert wait_owned(owner, mask) == mask
    assert calls(fake.poller, "arm_edge") == [(FD, 0)]
    assert calls(fake.poller, "arm_once") == []


def test_without_edges_every_wait_arms() -> None:
    with fake_hub(edge=False) as fake:
        owner = Owner()
        for _ in range(3):
            fake.poller.fire(FD, IN)
            assert wait_owned(owner) == IN
        assert [mask for _, mask in calls(fake.poller, "arm_once")] == [IN | PRI | RDHUP] * 3


def test_reader_and_writer_are_woken_by_their_own_events(both: Fake[FakePoller]) -> None:
    owner = Owner()
    reader, writer = spawn(wait_owned, owner, IN), spawn(wait_owned, owner, OUT)
    settle()
    both.poller.fire(FD, OUT)
    settle()
    assert writer.dead
    assert not reader.dead
    both.poller.fire(FD, IN)
    assert reader.wait() == IN
    assert writer.wait() == OUT


@pytest.mark.parametrize("event", [HUP, ERR, IN | OUT])
def test_error_and_hangup_wake_both_directions(both: Fake[FakePoller], event: int) -> None:
    owner = Owner()
    waiters = [spawn(wait_owned, owner, mask) for mask in (IN, OUT, IN | OUT)]
    settle()
    both.poller.fire(FD, event)
    assert [waiter.wait() for waiter in waiters] == [event] * 3


def test_one_task_may_wait_for_both_directions_at_once(both: Fake[FakePoller]) -> None:
    owner = Owner()
    waiter = spawn(wait_owned, owner, IN | OUT)
    settle()
    both.poller.fire(FD, OUT)
    assert waiter.wait() == OUT
    assert not both.hub.registry.waiting()


def test_two_readers_are_woken_in_order_of_arrival(both: Fake[FakePoller]) -> None:
    owner, order = Owner(), []
    readers = [spawn(lambda name=name: (wait_owned(owner), order.append(name))) for name in "abc"]
    settle()
    both.poller.fire(FD, IN)
    for reader in readers:
        reader.wait()
    assert order == ["a", "b", "c"]


def test_a_wait_times_out_and_leaves_nothing_behind(both: Fake[FakePoller]) -> None:
    owner = Owner()
    start = both.clock.now()
    assert wait_owned(owner, timeout=3) == 0
    assert both.clock.now() == start + 3
    assert not both.hub.registry.waiting()


def test_a_killed_waiter_leaves_nothing_behind(both: Fake[FakePoller]) -> None:
    owner = Owner()
    first, second = spawn(wait_owned, owner), spawn(wait_owned, owner)
    settle()
    kill(first)
    assert both.hub.registry.waiting()
    both.poller.fire(FD, IN)
    assert second.wait() == IN
    assert not both.hub.registry.waiting()


def test_stale_events_are_dropped(both: Fake[FakePoller]) -> None:
    both.poller.fire(FD, IN | OUT | HUP)
    settle()
    owner = Owner()
    both.poller.fire(FD, IN)  # before any task waits
    settle()
    assert wait_owned(owner, timeout=1) == 0


def test_an_event_after_forget_wakes_no_task(both: Fake[FakePoller]) -> None:
    owner = Owner()
    reader = spawn(error_of, wait_owned, owner)
    settle()
    forget_fd(FD)
    both.poller.fire(FD, IN)
    error = reader.wait()
    assert isinstance(error, OSError)
    assert error.errno == errno.EBADF


def test_forget_wakes_readers_and_writers_with_ebadf_and_disarms(both: Fake[FakePoller]) -> None:
    owner = Owner()
    waiters = [spawn(error_of, wait_owned, owner, mask) for mask in (IN, IN, OUT)]
    settle()
    forget_fd(FD)
    forget_fd(FD)
    assert FD not in both.poller.armed
    for waiter in waiters:
        error = waiter.wait()
        assert isinstance(error, OSError)
        assert error.errno == errno.EBADF
        assert "Bad file descriptor" in str(error)


def test_a_reused_number_gets_a_registration_of_its_own(both: Fake[FakePoller]) -> None:
    old, new = Owner(), Owner()
    stale = spawn(wait_owned, old)
    settle()
    fresh = spawn(wait_owned, new)
    settle()
    assert stale.dead, "its retry finds out that it is closed"
    assert not fresh.dead
    assert both.hub.regs[FD].owner() is new  # type: ignore[misc]  # it has one
    both.poller.fire(FD, IN)
    assert fresh.wait() == IN


def test_a_reused_number_whose_owner_is_gone(fake: Fake[FakePoller]) -> None:
    owner = Owner()
    fake.poller.fire(FD, IN)
    wait_owned(owner)
    fake.hub.regs[FD].drained = True
    del owner
    gc.collect()
    new = Owner()
    fake.poller.fire(FD, IN)
    wait_owned(new)
    assert not fake.hub.regs[FD].drained
    assert len(calls(fake.poller, "arm_edge")) == 2


def test_an_event_tells_that_there_may_be_more_to_read(fake: Fake[FakePoller]) -> None:
    reg = fake.hub.registry.socket(FD, owner := Owner(), True)
    reg.drained = True
    fake.poller.fire(FD, OUT)
    settle()
    assert not reg.drained
    assert reg.stream
    for event in (RDHUP, HUP, ERR, PRI):
        reg.stream = True
        fake.poller.fire(FD, IN | event)
        settle()
        assert not reg.stream, "a short read proves nothing any more"
    del owner


# Raw descriptors: not ours, one wait at a time


def test_a_raw_wait_is_one_shot_and_leaves_the_poller(both: Fake[FakePoller]) -> None:
    both.poller.fire(FD, IN)
    assert wait_readable(FD)
    assert FD not in both.poller.armed
    assert FD not in both.hub.regs
    both.poller.fire(FD, OUT)
    assert wait_writable(FD)
    assert calls(both.poller, "arm_edge") == []


def test_a_raw_wait_for_a_regular_file_is_over_at_once(both: Fake[FakePoller]) -> None:
    both.poller.refuse[FD] = PermissionError(errno.EPERM, "Operation not permitted")
    assert wait_fd(FD, IN | OUT) == IN | OUT
    assert wait_readable(FD, 0)
    assert FD not in both.hub.regs


def test_a_raw_wait_for_a_closed_descriptor_is_ebadf(both: Fake[FakePoller]) -> None:
    both.poller.refuse[FD] = OSError(errno.EBADF, "Bad file descriptor")
    with pytest.raises(OSError) as caught:
        wait_readable(FD)
    assert caught.value.errno == errno.EBADF
    assert FD not in both.hub.regs
    assert not both.hub.registry.waiting()
    with pytest.raises(OSError):
        wait_readable(-1)


def test_nval_is_ebadf(both: Fake[FakePoller]) -> None:
    reader = spawn(error_of, wait_readable, FD)
    settle()
    both.poller.fire(FD, NVAL)
    error = reader.wait()
    assert isinstance(error, OSError)
    assert error.errno == errno.EBADF
    assert FD not in both.hub.regs


def test_a_killer_may_use_permission_error(both: Fake[FakePoller]) -> None:
    reader = spawn(error_of, wait_readable, FD)
    settle()
    error = PermissionError("go away")
    kill(reader, error)
    assert reader.wait() is error


def test_a_descriptor_that_cannot_be_armed_again_costs_the_other_events_nothing(both: Fake[FakePoller]) -> None:
    reader, writer, other = spawn(wait_readable, FD), spawn(error_of, wait_writable, FD), spawn(wait_readable, FD + 1)
    settle()
    both.poller.refuse[FD] = OSError(errno.EBADF, "Bad file descriptor")  # closed behind our back
    both.poller.fire(FD, IN)
    both.poller.fire(FD + 1, IN)
    assert reader.wait()
    assert other.wait()
    error = writer.wait()
    assert isinstance(error, OSError)
    assert error.errno == errno.EBADF


def test_raw_waiters_share_a_descriptor(both: Fake[FakePoller]) -> None:
    readers = [spawn(wait_readable, FD) for _ in range(3)]
    writer = spawn(wait_writable, FD)
    settle()
    both.poller.fire(FD, IN)
    assert [reader.wait() for reader in readers] == [True] * 3
    assert not writer.dead
    assert both.poller.armed[FD] & OUT, "the writer still waits, and the shot is spent"
    both.poller.fire(FD, OUT)
    assert writer.wait()
    assert FD not in both.poller.armed


def test_a_raw_wait_that_times_out_keeps_the_other_waiters_armed(both: Fake[FakePoller]) -> None:
    patient = spawn(wait_writable, FD)
    settle()
    assert not wait_readable(FD, 1)
    assert both.poller.armed[FD] & OUT
    assert not both.poller.armed[FD] & IN
    both.poller.fire(FD, OUT)
    assert patient.wait()


def test_a_raw_wait_beside_a_persistent_registration_does_not_spend_it(fake: Fake[FakePoller]) -> None:
    owner = Owner()
    reader = spawn(wait_owned, owner)
    settle()
    raw = spawn(wait_readable, FD)
    settle()
    assert len(calls(fake.poller, "arm_edge")) == 2, "armed anew, so that what is ready is reported again"
    fake.poller.fire(FD, IN)
    assert reader.wait() == IN
    assert raw.wait()
    assert calls(fake.poller, "disarm") == []
    assert FD in fake.poller.armed
    fake.poller.fire(FD, IN)
    assert wait_owned(owner) == IN
    assert calls(fake.poller, "arm_once") == []


def test_a_raw_wait_with_timeout_zero_looks_once(both: Fake[FakePoller]) -> None:
    start = both.clock.now()
    assert not wait_readable(FD, 0)
    both.poller.fire(FD, IN)
    assert wait_readable(FD, 0)
    assert both.clock.now() == start


def test_a_timeout_around_a_wait_leaves_nothing_behind(both: Fake[FakePoller]) -> None:
    with pytest.raises(Timeout):
        with Timeout(2):
            wait_readable(FD)
    assert FD not in both.hub.regs
    assert not both.hub.registry.waiting()


@pytest.mark.parametrize("timeout", ["1", object()])
def test_a_timeout_that_is_no_number(both: Fake[FakePoller], timeout: Any) -> None:
    with pytest.raises(TypeError, match="number of seconds"):
        wait_readable(FD, timeout)
    with pytest.raises(ValueError, match="nan"):
        wait_readable(FD, float("nan"))
    assert FD not in both.hub.regs


def test_ten_thousand_waiters_leave_in_any_order(both: Fake[FakePoller]) -> None:
    threads: list[GreenThread[bool]] = [spawn(wait_readable, 2000 + n) for n in range(300)]
    settle()
    for thread in threads[::2]:
        thread.kill()
    for n in range(1, 300, 2):
        both.poller.fire(2000 + n, IN)
    assert all(thread.wait() for thread in threads[1::2])
    assert not [fd for fd in both.hub.regs if fd >= 2000]


def test_a_second_owner_that_cannot_be_armed_leaves_the_first_as_it_was(fake: Fake[FakePoller]) -> None:
    with socket.socket() as first, socket.socket(fileno=first.fileno()) as second:
        registry = current().hub.registry
        reg = registry.socket(first.fileno(), first, True)
        fake.poller.refuse[first.fileno()] = OSError(errno.ENOSPC, "no room")
        with pytest.raises(OSError, match="no room"):
            registry.socket(first.fileno(), second, True)
        assert reg.owner is not None and reg.owner() is first
        assert reg.stream
        second.detach()


# Two sockets with one number


def test_a_second_socket_object_of_a_number_takes_its_registration_over(both: Fake[FakePoller]) -> None:
    first, other = socket.socketpair()
    second = socket.socket(fileno=first.fileno())
    registry = both.hub.registry
    reg = registry.socket(first.fileno(), first, True)
    reg.drained = True
    assert registry.socket(first.fileno(), second, True) is reg
    assert reg.owner is not None and reg.owner() is second
    assert (reg.drained, reg.stream) == (False, False), "no short read is trusted any more"
    assert registry.socket(first.fileno(), second, True) is reg
    second.detach()
    first.close()
    other.close()


# Without edges each wait arms


def test_a_socket_that_cannot_be_armed_for_a_wait_is_left() -> None:
    with fake_hub(edge=False) as fake:
        fake.poller.refuse[FD] = OSError(errno.EIO, "odd")
        owner = Owner()
        with pytest.raises(OSError, match="odd"):
            wait_owned(owner)
        assert not fake.hub.registry.waiting()
        fake.poller.refuse[FD] = PermissionError(errno.EPERM, "always ready")
        assert wait_owned(owner, IN | OUT) == IN | OUT
        assert not fake.hub.registry.waiting()


def test_what_is_waited_for_is_armed_again(both: Fake[FakePoller]) -> None:
    thread = spawn(wait_owned, owner := Owner())
    settle()
    both.poller.calls.clear()
    both.hub.registry.rearm()
    name = "arm_edge" if both.poller.edge else "arm_once"
    wakeup = both.hub.wakeup.fileno()
    assert [call[:2] for call in both.poller.calls] == [(name, FD), (name, wakeup)]
    both.poller.fire(FD, IN)
    assert thread.wait() == IN
    del owner


# Several descriptors at once


def wait_any(wants: list[tuple[int, int]], seconds: float | None = None) -> bool:
    task = current()
    deadline = None if seconds is None else task.hub.now() + seconds
    return task.hub.registry.wait_any(task, wants, deadline)


@pytest.mark.parametrize(("fd", "event"), [(FD, IN), (FD + 1, OUT), (FD + 1, HUP)])
def test_the_first_event_of_several_descriptors_ends_a_wait(both: Fake[FakePoller], fd: int, event: int) -> None:
    thread = spawn(wait_any, [(FD, IN), (FD + 1, OUT)])
    settle()
    both.poller.fire(fd, event)
    assert thread.wait() is True
    assert not both.hub.registry.waiting()
    assert {FD, FD + 1}.isdisjoint(both.hub.regs)
    assert {FD, FD + 1}.isdisjoint(both.poller.armed)


@pytest.mark.parametrize("wants", [[], [(FD, IN), (FD + 1, OUT)]])
def test_a_wait_for_several_descriptors_ends_in_time(both: Fake[FakePoller], wants: list[tuple[int, int]]) -> None:
    assert wait_any(wants, 5) is False
    assert both.clock.now() == 1005.0
    assert not both.hub.registry.waiting()


def test_closing_one_of_several_descriptors_ends_the_wait(both: Fake[FakePoller]) -> None:
    thread = spawn(error_of, wait_any, [(FD, IN), (FD + 1, IN)])
    settle()
    forget_fd(FD + 1)
    error = thread.wait()
    assert isinstance(error, OSError) and error.errno == errno.EBADF
    assert not both.hub.registry.waiting()


def test_one_of_several_that_cannot_be_armed_leaves_nothing_of_the_others(both: Fake[FakePoller]) -> None:
    both.poller.refuse[FD + 1] = OSError(errno.EBADF, "closed")
    with pytest.raises(OSError, match="closed"):
        wait_any([(FD, IN), (FD + 1, IN)])
    assert not both.hub.registry.waiting()
    assert FD not in both.poller.armed


def test_a_file_that_is_always_ready_ends_no_wait_for_several(both: Fake[FakePoller]) -> None:
    """What asks for it has looked before: it does not wait then."""
    both.poller.refuse[FD] = PermissionError(errno.EPERM, "always ready")
    assert wait_any([(FD, IN)], 1) is False
    assert both.clock.now() == 1001.0


def test_a_socket_that_is_gone_makes_room_for_a_raw_wait(fake: Fake[FakePoller]) -> None:
    fake.hub.registry.socket(FD, owner := Owner(), True)
    del owner
    gc.collect()
    thread = spawn(wait_readable, FD)
    settle()
    reg = fake.hub.regs[FD]
    assert reg.owner is None
    fake.poller.fire(FD, IN)
    assert thread.wait() is True


def test_code_that_interrupts_a_task_may_wait_for_a_socket(fake: Fake[FakePoller]) -> None:
    me = current()
    me.state = PARKED
    fake.poller.fire(FD, IN)
    owner = Owner()
    assert wait_owned(owner) == IN
    assert me.state == PARKED
    me.cancel_park()


def test_an_event_that_comes_while_a_socket_is_armed_is_not_lost(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finaliser or a signal handler may let the hub run there. The event is reported only once."""
    arm = fake.poller.arm_edge

    def interrupted(fd: int) -> None:
        arm(fd)
        fake.poller.fire(fd, OUT)
        settle()

    monkeypatch.setattr(fake.poller, "arm_edge", interrupted)
    assert wait_owned(Owner(), OUT, timeout=5) == OUT


def test_a_socket_that_cannot_be_armed_has_no_registration(fake: Fake[FakePoller]) -> None:
    fake.poller.refuse[FD] = OSError(errno.ENOSPC, "no room")
    owner = Owner()
    with pytest.raises(OSError, match="no room"):
        wait_owned(owner)
    assert FD not in fake.hub.regs
    fake.poller.refuse.clear()
    fake.poller.fire(FD, IN)
    assert wait_owned(owner) == IN


def test_whoever_wants_to_know_is_told_of_waits_that_are_cut_short() -> None:
    told: list[tuple[list[int], BaseException]] = []

    def tell(fds: Sequence[int], error: BaseException) -> None:
        told.append((list(fds), error))

    interruptions.append(tell)
    try:
        with fake_hub():
            owner = Owner()
            in_time = spawn(wait_owned, owner, IN, FD, 0.0)
            cut, raw = spawn(wait_owned, owner), spawn(wait_fd, FD + 1, IN)
            settle()
            in_time.wait()
            for thread, error in ((cut, KeyError("one")), (raw, KeyError("two"))):
                thread.quiet = True
                kill(thread, error)
    finally:
        interruptions.remove(tell)
    assert [(fds, str(error)) for fds, error in told] == [([FD], "'one'"), ([FD + 1], "'two'")]
