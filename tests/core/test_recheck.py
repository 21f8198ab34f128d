"""A read that parks because the last one was short is looked at again: what the system left unsaid is found."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from greening._core import recheck as module
from greening._core.current import current, get_hub
from greening._core.greenthread import GreenThread, spawn
from greening._core.poller import IN, OUT
from greening._core.recheck import AFTER, recheck, schedule_recheck
from greening._core.registration import Registration
from greening._core.task import PARKED
from greening._core.waiting import sleep, yield_now
from greening.net.socket import GreenSocket
from greening.testing import Fake, FakePoller, settle
from greening.timeout import Timeout

Pair = tuple[GreenSocket, GreenSocket]


@pytest.fixture
def tcp() -> Iterator[Pair]:
    with ExitStack() as stack:
        listener = stack.enter_context(GreenSocket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client = stack.enter_context(GreenSocket())
        client.connect(listener.getsockname())
        yield client, stack.enter_context(listener.accept()[0])


def leave_unsaid(tcp: Pair, data: bytes) -> Registration:
    """The server's socket has `data` to read. No event will tell of it, and the last read was believed to be short."""
    client, server = tcp
    reg = get_hub().regs[server.fileno()]
    client.sendall(b"!" + data)
    reg.drained = False
    assert server.recv(1) == b"!"
    yield_now()  # the event of both is fetched here
    reg.take_news(IN)
    reg.drained = True
    return reg


def registered(tcp: Pair) -> None:
    """Have the server's socket wait once, so that it is armed."""
    client, server = tcp
    waiting = spawn(server.recv, 10)
    sleep(0)
    client.sendall(b"armed")
    assert waiting.wait() == b"armed"


def read(sock: GreenSocket) -> bytes:
    return sock.recv(100)


def read_into(sock: GreenSocket) -> bytes:
    buffer = bytearray(100)
    with memoryview(buffer) as view:
        return bytes(view[: sock.recv_into(view)])


@pytest.mark.parametrize("how", [read, read_into])
def test_data_that_no_event_tells_of_is_found_and_the_socket_is_not_trusted_again(
    tcp: Pair, how: Callable[[GreenSocket], bytes]
) -> None:
    registered(tcp)
    reg = leave_unsaid(tcp, b"left")
    with Timeout(5):
        assert how(tcp[1]) == b"left"
    assert not reg.stream and not reg.drained


def test_a_socket_that_is_silent_keeps_being_trusted(tcp: Pair) -> None:
    client, server = tcp
    registered(tcp)
    hub = get_hub()
    reg = hub.regs[server.fileno()]
    reader = spawn(server.recv, 10)
    sleep(0)
    assert reg.drained and reg.recheck_due
    recheck(hub)
    assert reg.stream and not reg.recheck_due and not hub.registry.to_recheck
    client.sendall(b"late")
    assert reader.wait() == b"late"


def test_data_whose_event_is_under_way_is_no_reason_for_distrust(tcp: Pair) -> None:
    client, server = tcp
    registered(tcp)
    hub = get_hub()
    reg = hub.regs[server.fileno()]
    reader = spawn(server.recv, 10)
    sleep(0)
    os.write(client.fileno(), b"now")  # on loopback it has arrived when this returns
    recheck(hub)
    assert reg.stream
    assert reader.wait() == b"now"


def test_a_socket_that_was_closed_meanwhile_is_passed_over(tcp: Pair) -> None:
    registered(tcp)
    hub = get_hub()
    reader: Any = spawn(tcp[1].recv, 10)
    reader.quiet = True
    sleep(0)
    assert hub.registry.to_recheck
    tcp[1].close()
    recheck(hub)
    with pytest.raises(OSError):
        reader.wait()


def test_sockets_that_are_not_tcp_are_never_doubted() -> None:
    one, other = (GreenSocket(fileno=sock.detach()) for sock in socket.socketpair())
    with one, other:
        before = len(get_hub().registry.to_recheck)
        for _ in range(2):
            reader = spawn(one.recv, 10)
            sleep(0)
            other.sendall(b"x")
            assert reader.wait() == b"x"
        assert len(get_hub().registry.to_recheck) == before


# The look itself, with what poll(2) says made up

FD = 1007


def read_short(fake: Fake[FakePoller], fd: int = FD) -> Registration:
    """A registration whose last read came back short."""
    reg = fake.hub.regs[fd] = Registration(fd, None, True, True)
    reg.drained = True
    return reg


def parked_in(reg: Registration) -> GreenThread[Any]:
    def wait() -> Any:
        me = current()
        me.state = PARKED
        reg.enter(me, IN)
        return me.park()

    thread = spawn(wait)
    settle()
    return thread


def answer(monkeypatch: pytest.MonkeyPatch, *answers: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """What the next calls of poll(2) return; the last for ever. Returns what is left of it."""
    left = list(answers)

    class Poll:
        def register(self, fd: int, mask: int) -> None:
            assert mask == IN | OUT

        def poll(self, timeout: int) -> list[tuple[int, int]]:
            return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(module, "_poll", Poll)
    return left


def test_all_reads_of_a_moment_are_looked_at_together_and_once(fake: Fake[FakePoller]) -> None:
    registry = fake.hub.registry
    regs = [read_short(fake, FD + n) for n in range(2)]
    for reg in regs:
        schedule_recheck(fake.hub, reg)
    assert registry.to_recheck == [], "a hub of a test's own does not look again"
    registry.rechecks = True
    for reg in (*regs, *regs):
        schedule_recheck(fake.hub, reg)
    assert registry.to_recheck == regs
    assert len(fake.hub.timers) == 1
    sleep(AFTER)
    assert registry.to_recheck == []
    assert not any(reg.recheck_due for reg in regs)
    fake.hub.regs.clear()


def test_a_look_that_a_signal_interrupted_is_repeated(fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch) -> None:
    reg = read_short(fake)
    thread = parked_in(reg)
    fake.hub.registry.to_recheck = [reg]
    answer(monkeypatch, [], [], [(FD, IN | OUT)])
    recheck(fake.hub)
    assert thread.wait() == IN
    assert not reg.stream
    fake.hub.regs.clear()


@pytest.mark.parametrize("seen", [[], [(FD, OUT)]])
def test_where_nothing_is_found_the_reader_waits_on(
    fake: Fake[FakePoller], monkeypatch: pytest.MonkeyPatch, seen: list[tuple[int, int]]
) -> None:
    reg = read_short(fake)
    thread = parked_in(reg)
    fake.hub.registry.to_recheck = [reg]
    answer(monkeypatch, seen)
    recheck(fake.hub)
    settle()
    assert not thread.dead
    assert reg.stream
    thread.kill()
    fake.hub.regs.clear()
