"""monkey_patch() after others have made selectors and captured names: what they have is cooperative, too."""

import asyncio
import select
import selectors
import socket
from select import select as captured_select
from time import sleep as captured_sleep

early = [kind() for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector)]
loop = asyncio.new_event_loop()
a, b = socket.socketpair()
for one in early:
    one.register(a, selectors.EVENT_READ)
bound = [one.select for one in early]
receive = a.recv
real_epoll, real_poll = select.epoll(), select.poll()
for real in (real_epoll, real_poll):
    real.register(a, select.POLLIN)


class Upper(socket.socket):
    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.plain_recv = super().recv

    def recv(self, size: int) -> bytes:  # type: ignore[override]  # flags are of no interest
        return self.plain_recv(size).upper()


lower, upper_peer = socket.socketpair()
upper = Upper(lower.detach())
upper_recv = upper.recv
bound_epoll, bound_poll = real_epoll.poll, real_poll.poll


class Waiter:
    wait = captured_select
    pause = captured_sleep


import greening

greening.monkey_patch()

import threading
import time

ticks = 0


def tick() -> None:
    global ticks
    while True:
        time.sleep(0.001)
        ticks += 1


def others_ran() -> bool:
    global ticks
    count, ticks = ticks, 0
    return count > 0


clock = greening.spawn(tick)
for call in (
    lambda: captured_sleep(0.02),
    lambda: Waiter().pause(0.02),
    lambda: captured_select([a], [], [], 0.02),
    lambda: Waiter().wait([a], [], [], 0.02),
    lambda: select.poll().poll(20),
    lambda: select.epoll().poll(0.02),
    *(lambda one=one: one.select(0.02) for one in early),
    *(lambda method=method: method(0.02) for method in bound),
    *(lambda method=method: method(0.02) for method in (real_epoll.poll, bound_epoll)),
    *(lambda method=method: method(20) for method in (real_poll.poll, bound_poll)),
    lambda: loop.run_until_complete(asyncio.sleep(0.02)),
):
    call()
    assert others_ran(), "the others did not run"

threads = [greening.spawn(one.select) for one in early]
time.sleep(0.001)
b.send(b"x")
assert [len(thread.wait()) for thread in threads] == [1, 1, 1]
for one in early:
    one.close()

# What was made, or taken off its object, before the patch.
assert receive(1) == b"x"
greening.spawn(b.send, b"y")
assert receive(1) == b"y"
assert receive == a.recv and receive.__self__ is a
greening.spawn(upper_peer.send, b"y")
assert upper.recv(1) == b"Y" and upper_recv == upper.recv
assert isinstance(real_epoll, select.epoll) and bound_epoll.__self__ is real_epoll
for wait in (lambda: bound_epoll(5), lambda: bound_poll(5000), real_epoll.poll, real_poll.poll):
    greening.spawn(b.send, b"z")
    assert wait() == [(a.fileno(), select.POLLIN)]
    assert a.recv(1) == b"z"
real_poll.modify(a, select.POLLOUT)
assert real_poll.poll() == [(a.fileno(), select.POLLOUT)] and real_poll.poll(0)
real_poll.unregister(a)
assert real_poll.poll(1) == []
real_epoll.close()
assert real_epoll.closed

# An event loop and other green threads feed each other.
left, right = socket.socketpair()


def answer() -> None:
    while data := right.recv(100):
        right.sendall(data.upper())


async def ask() -> bytes:
    reader, writer = await asyncio.open_connection(sock=left)
    for n in range(50):
        writer.write(b"line %d\n" % n)
        assert await reader.readline() == b"LINE %d\n" % n
    writer.close()
    return b"done"


thread = threading.Thread(target=answer)
thread.start()
assert loop.run_until_complete(ask()) == b"done"
thread.join()
loop.close()
clock.kill()

again = select.epoll()
greening.unpatch()
assert type(real_poll) is type(select.poll()) and type(real_epoll) is select.epoll and type(again) is not select.epoll
assert type(receive) is type(a.recv) and receive == a.recv
