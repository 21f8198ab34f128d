"""Where a socket's timeout lives, and the discipline of trying, parking and trying again."""

import contextlib
import errno
import gc
import os
import socket
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn, spawn_after
from greening._core.poller import IN, EpollPoller
from greening._core.registry import Registration, Registry
from greening._core.slices import TRIES
from greening._core.waiting import sleep, wait_fd
from greening._originals import raw_socket
from greening.errors import GreenletExit
from greening.net import retry
from greening.net.socket import GreenSocket
from greening.testing import settle

Pair = tuple[GreenSocket, GreenSocket]
Keep = Callable[[Any], Any]
NoRoom = Callable[[str, int], list[int]]


@pytest.mark.parametrize(
    ("timeout", "seen", "at_c_level", "blocking"),
    [(None, None, None, True), (5, 5.0, None, False), (0.25, 0.25, None, False), (0, 0.0, 0.0, False)],
)
def test_a_timeout_is_ours_and_the_descriptor_is_what_the_stdlib_makes_it(
    tcp: Pair, timeout: float | None, seen: float | None, at_c_level: float | None, blocking: bool
) -> None:
    sock = tcp[0]
    sock.settimeout(1)
    sock.settimeout(timeout)
    assert sock.gettimeout() == sock.timeout == seen
    assert raw_socket.gettimeout(sock) == at_c_level
    assert os.get_blocking(sock.fileno()) is blocking
    assert sock.getblocking() is (seen != 0)


@pytest.mark.parametrize(
    "timeout", [1e-12, 1e-9, 0.1, 0.3, 1 / 3, 2.0000000001, 60, 86399.123456789, 999999.9999999, 1e6, 7654321.1, 10**8]
)
def test_a_timeout_is_rounded_as_the_stdlib_rounds_it(tcp: Pair, timeout: float) -> None:
    with contextlib.closing(raw_socket()) as plain:
        plain.settimeout(timeout)
        tcp[0].settimeout(timeout)
        assert tcp[0].gettimeout() == plain.gettimeout()


def test_a_timeout_of_a_blocking_socket_takes_one_system_call(tcp: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object) -> None:
        raise AssertionError("it sets the flag of the descriptor, too")

    monkeypatch.setattr(retry, "_raw_settimeout", never)
    tcp[0].settimeout(5)
    assert (tcp[0].gettimeout(), os.get_blocking(tcp[0].fileno())) == (5, False)
    tcp[0].settimeout(0.5)
    assert (tcp[0].gettimeout(), raw_socket.gettimeout(tcp[0])) == (0.5, None)


def test_a_closed_socket_refuses_a_timeout(tcp: Pair) -> None:
    tcp[0].close()
    with pytest.raises(OSError) as caught:
        tcp[0].settimeout(5)
    assert caught.value.errno == errno.EBADF


def test_setblocking_replaces_a_timeout(tcp: Pair) -> None:
    sock = tcp[0]
    sock.settimeout(5)
    sock.setblocking(True)
    assert sock.gettimeout() is None
    assert os.get_blocking(sock.fileno())
    sock.setblocking(False)
    assert sock.gettimeout() == 0


@pytest.mark.parametrize(("wrong", "error"), [(-1, ValueError), ("1", TypeError), (float("nan"), ValueError)])
def test_a_wrong_timeout_is_the_stdlibs_error_and_changes_nothing(tcp: Pair, wrong: Any, error: type) -> None:
    sock = tcp[0]
    sock.settimeout(3)
    with pytest.raises(error):
        sock.settimeout(wrong)
    assert sock.gettimeout() == 3


def test_a_timeout_ends_with_its_socket_and_not_with_the_number(tcp: Pair, keep: Keep) -> None:
    sock = tcp[0]
    sock.settimeout(5)
    again = keep(GreenSocket(fileno=sock.detach()))
    assert again.gettimeout() is None


def test_a_timeout_does_not_pass_to_the_next_owner_of_a_number_that_was_closed_behind_our_back(keep: Keep) -> None:
    one, other = (keep(sock) for sock in socket.socketpair())
    forgotten = GreenSocket(fileno=one.detach())
    forgotten.settimeout(5)
    fd = forgotten.fileno()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del forgotten
        gc.collect()
    assert os.dup2(other.fileno(), fd) == fd
    assert keep(GreenSocket(fileno=fd)).gettimeout() is None


def test_waiting_ends_at_an_absolute_time(tcp: Pair) -> None:
    hub = get_hub()
    deadline = hub.now() + 0.01
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        retry.wait_socket(tcp[0], IN, deadline)
    assert hub.now() >= deadline


def test_a_non_blocking_socket_has_no_deadline_but_an_error(tcp: Pair) -> None:
    tcp[0].setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        retry.deadline_of(tcp[0])
    assert caught.value.errno == errno.EAGAIN


@pytest.mark.slices_end
def test_a_thread_that_never_has_to_wait_lets_the_others_run(tcp: Pair) -> None:
    client, server = tcp
    ran: list[int] = []
    other = spawn(ran.append, 1)
    for _ in range(2 * TRIES):
        client.send(b"x")
        server.recv(1)
        if ran:
            break
    assert ran
    other.wait()


@pytest.mark.slices_end
def test_a_thread_that_never_has_to_wait_lets_timers_and_descriptors_wake_others(tcp: Pair, keep: Keep) -> None:
    near, far = (keep(GreenSocket(fileno=sock.detach())) for sock in socket.socketpair())
    reader = spawn(near.recv, 1)
    late = spawn_after(0, lambda: None)
    sleep(0)
    raw_socket.send(far, b"!")
    client, server = tcp
    for _ in range(20 * TRIES):
        client.send(b"x")
        server.recv(1)
        if reader.dead and late.dead:
            break
    assert reader.dead
    assert late.dead


@pytest.mark.parametrize("method", ["recv", "recv_into", "recvfrom", "recvmsg", "accept"])
def test_a_kill_that_comes_while_others_run_strikes_at_the_next_wait(
    method: str, tcp: Pair, listener: GreenSocket, keep: Keep, spent: Callable[[], None]
) -> None:
    """The data is there: the call need not wait, and gives it."""
    client, server = tcp
    if method == "accept":
        late = keep(GreenSocket())
        late.connect(listener.getsockname())
        call: Callable[[], Any] = listener.accept
    elif method == "recv_into":
        call = lambda: server.recv_into(bytearray(8))  # noqa: E731
    else:
        call = lambda: getattr(server, method)(8)  # noqa: E731
    client.sendall(b"precious")
    got: list[Any] = []
    ended: list[str] = []

    def read() -> None:
        got.append(call())
        ended.append("no wait")
        sleep(1)
        ended.append("not reached")

    spent()
    thread = spawn(read)
    sleep(0)
    assert not got
    thread.kill()
    with pytest.raises(GreenletExit):
        thread.wait()
    assert len(got) == 1
    assert ended == ["no wait"]
    if method == "accept":
        keep(got[0][0])


@pytest.mark.parametrize(("method", "data"), [("send", b"x"), ("sendall", b"x"), ("sendmsg", [b"x"])])
def test_a_kill_that_comes_while_others_run_leaves_no_send_half_done(
    method: str, data: Any, tcp: Pair, spent: Callable[[], None]
) -> None:
    client, server = tcp
    spent()
    thread = spawn(lambda: (getattr(client, method)(data), sleep(1)))
    sleep(0)
    assert not thread.dead
    thread.kill()
    with pytest.raises(GreenletExit):
        thread.wait()
    assert server.recv(8) == b"x"


def test_a_socket_that_becomes_non_blocking_looks_for_itself(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(server.recv, 8)
    sleep(0)
    client.send(b"1")
    assert reader.wait(5) == b"1"  # short: the next blocking read would not look
    for make in (lambda: server.setblocking(False), lambda: server.settimeout(0)):
        server.settimeout(None)
        make()
        for _ in range(2):
            client.send(b"2")
            assert server.recv(8) == b"2"
            with pytest.raises(BlockingIOError):
                server.recv(8)


def test_two_objects_of_one_descriptor_may_both_wait(tcp: Pair, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = tcp
    twin = GreenSocket(fileno=server.fileno())
    shares: list[int] = []
    share = Registry._duplicate
    monkeypatch.setattr(Registry, "_duplicate", lambda self, *args: (shares.append(1), share(self, *args))[1])
    try:
        readers = [spawn(server.recv, 1), spawn(twin.recv, 1)]
        for _ in range(50):
            sleep(0)
        assert len(shares) <= 4  # they do not throw each other out for ever
        client.sendall(b"ab")
        assert {reader.wait(5) for reader in readers} == {b"a", b"b"}
    finally:
        twin.detach()


def test_forgetting_a_descriptor_for_another_hub_spares_the_numbers_next_owner(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(server.recv, 1)
    sleep(0)
    registry = get_hub().registry
    registry.forget(server.fileno(), Registration(server.fileno(), None, False, False))
    client.send(b"x")
    assert reader.wait(5) == b"x"


def test_a_socket_that_was_closed_before_the_wait_is_a_bad_descriptor() -> None:
    sock = GreenSocket()
    sock.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        retry.registration(sock, get_hub(), None)


def test_a_socket_for_which_epoll_has_no_room_waits_until_there_is(tcp: Pair, no_room: NoRoom) -> None:
    client, server = tcp
    failed = no_room("arm_edge", 2)
    reader = spawn(server.recv, 10)
    sleep(0)
    client.send(b"x")
    assert reader.wait(5) == b"x"
    assert failed == [server.fileno()] * 2


def test_a_timeout_holds_while_epoll_has_no_room(tcp: Pair, no_room: NoRoom) -> None:
    no_room("arm_edge", 10_000)
    tcp[1].settimeout(0.03)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        tcp[1].recv(10)


def test_a_descriptor_for_which_epoll_has_no_room_waits_until_there_is(no_room: NoRoom) -> None:
    reads, writes = os.pipe()
    try:
        failed = no_room("arm_once", 2)
        waiting = spawn(wait_fd, reads, IN)
        sleep(0)
        os.write(writes, b"x")
        assert waiting.wait(5) & IN
        assert failed == [reads] * 2
        failed.clear()
        os.read(reads, 1)
        assert wait_fd(reads, IN, 0.03) == 0
    finally:
        os.close(reads)
        os.close(writes)


def test_a_descriptor_that_changes_hands_while_epoll_has_no_room_keeps_its_owner(tcp: Pair, no_room: NoRoom) -> None:
    server = tcp[1]
    reader: Any = spawn(server.recv, 1)
    reader.quiet = True
    sleep(0)
    registry = get_hub().registry
    reg = registry.regs[server.fileno()]
    twin = GreenSocket(fileno=server.fileno())
    try:
        no_room("arm_edge", 1)
        with pytest.raises(OSError):
            registry.socket(twin.fileno(), twin, True)
        assert reg.owner is not None and reg.owner() is server
    finally:
        twin.detach()  # its waiters are told, for the number is the same
    with pytest.raises(OSError):
        reader.wait(5)


def test_a_read_that_finds_its_data_taken_waits_on(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(server.recvfrom, 4)
    for _ in range(2):
        sleep(0)
        client.send(b"take")
        raw_socket.recv(server, 4, socket.MSG_DONTWAIT)
        settle()
        assert not reader.dead
    client.send(b"kept")
    assert reader.wait(5)[0] == b"kept"


def test_what_else_the_poller_refuses_is_raised(tcp: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: EpollPoller, fd: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(EpollPoller, "arm_edge", refuse)
    with pytest.raises(PermissionError):
        tcp[1].recv(1)
