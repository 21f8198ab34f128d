"""monkey_patch() after others have made selectors and captured names: what they have is cooperative, too."""

import asyncio
import selectors
import socket
from select import select as captured_select
from time import sleep as captured_sleep

early = [kind() for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector)]
loop = asyncio.new_event_loop()
a, b = socket.socketpair()
for one in early:
    one.register(a, selectors.EVENT_READ)


class Waiter:
    wait = captured_select
    pause = captured_sleep


import greening

greening.monkey_patch()

import select
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
    return count >= 5


clock = greening.spawn(tick)
for call in (
    lambda: captured_sleep(0.02),
    lambda: Waiter().pause(0.02),
    lambda: captured_select([a], [], [], 0.02),
    lambda: Waiter().wait([a], [], [], 0.02),
    lambda: select.poll().poll(20),
    lambda: select.epoll().poll(0.02),
    *(lambda one=one: one.select(0.02) for one in early),
    lambda: loop.run_until_complete(asyncio.sleep(0.02)),
):
    call()
    assert others_ran(), "nobody else ran"

threads = [greening.spawn(one.select) for one in early]
time.sleep(0.001)
b.send(b"x")
assert [len(thread.wait()) for thread in threads] == [1, 1, 1]
for one in early:
    one.close()

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
