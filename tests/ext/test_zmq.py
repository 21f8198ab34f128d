"""pyzmq in a patched process: its own classes wait in the hub."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("zmq")

pytestmark = pytest.mark.slow  # each is a program

Run = Callable[..., Any]

PAIR = """
import zmq
context = zmq.Context()
one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
other.connect(f"tcp://127.0.0.1:{one.bind_to_random_port('tcp://127.0.0.1')}")
beat()
"""


def test_the_example_of_the_page(run_page: Run) -> None:
    done = run_page("zmq")
    assert done.stdout == f"{[str(number) for number in range(10)]}\n"


SLOW = """
import time, zmq
context = zmq.Context()
server = context.socket(zmq.ROUTER)
port = server.bind_to_random_port("tcp://127.0.0.1")
def serve():
    while True:
        greening.spawn_after(0.3, server.send_multipart, server.recv_multipart())
def ask(number):
    with context.socket(zmq.REQ) as client:
        client.connect(f"tcp://127.0.0.1:{port}")
        client.send_string(str(number))
        return int(client.recv_string())
beat()
serving = greening.spawn(serve)
begin = time.monotonic()
assert list(greening.GreenPool().imap(ask, range(20))) == list(range(20))
assert time.monotonic() - begin < 3  # one after the other it would be 6
serving.kill()
"""


@pytest.mark.parametrize("before", ["", "import zmq"], ids=["after the patch", "before the patch"])
def test_twenty_that_ask_take_the_time_of_one(run_green: Run, before: str) -> None:
    run_green(SLOW, before=before)


def test_sockets_that_are_older_than_the_patch_park(run_green: Run) -> None:
    before = PAIR.replace("beat()", "")
    run_green(
        """
greening.spawn_after(0.25, other.send, b"late")
assert one.recv() == b"late"
""",
        before=before,
    )


def test_a_kill_and_a_timeout_lose_no_message(run_green: Run) -> None:
    run_green(
        PAIR
        + """
reader = greening.spawn(one.recv)
reader.quiet = True
greening.sleep(0)
reader.kill()
with greening.Timeout(0.01, False):
    one.recv_multipart()
other.send_multipart([b"a", b"b"])
assert one.recv_multipart() == [b"a", b"b"]
"""
    )


def test_ten_thousand_interruptions_lose_nothing_and_change_no_order(run_green: Run) -> None:
    run_green(
        PAIR
        + """
import random
chance, came, sent = random.Random(1), [], 3000
def send():
    for number in range(sent):
        other.send_multipart([b"%d" % number, b"rest"])
        if not number % 10:
            greening.sleep(0.0005)
sending = greening.spawn(send)
while len(came) < sent:
    with greening.Timeout(chance.uniform(0, 0.001), False):
        while True:
            number, rest = one.recv_multipart()
            came.append(int(number))
            assert rest == b"rest"
assert came == list(range(sent))
"""
    )


def test_the_timeouts_of_sockets_and_polls_hold(run_green: Run) -> None:
    run_green(
        PAIR
        + """
one.rcvtimeo = 20
for receive in (one.recv, one.recv_multipart, lambda: one.recv(zmq.NOBLOCK), lambda: one.recv_into(bytearray(5))):
    try:
        receive()
        raise SystemExit("no error")
    except zmq.Again:
        pass
assert one.poll(20) == 0
assert zmq.select([one], [other], [], 0.02) == ([], [other], [])
greening.spawn_after(0.25, other.send, b"late")
assert one.poll(5000) == zmq.POLLIN
poller = zmq.Poller()
poller.register(one, zmq.POLLIN)
assert poller.poll() == [(one, zmq.POLLIN)]
buffer = bytearray(4)
assert one.recv_into(buffer) == 4 and buffer == b"late"
"""
    )


@pytest.mark.parametrize("wait", ["recv", "poll", "Poller"])
def test_the_end_of_a_context_ends_who_waits(run_green: Run, wait: str) -> None:
    run_green(
        """
import sys, zmq
from greening import Timeout, sleep, spawn

context = zmq.Context()
sock = context.socket(zmq.PULL)
sock.bind_to_random_port("tcp://127.0.0.1")
poller = zmq.Poller()
poller.register(sock, zmq.POLLIN)
wait = {"recv": sock.recv, "poll": sock.poll, "Poller": poller.poll}[sys.argv[1]]

def work():
    try:
        wait()
    except zmq.ContextTerminated as error:
        return error
    finally:
        sock.close(0)

working = spawn(work)
sleep(0.01)
beat()
with Timeout(30):
    context.term()
assert isinstance(working.wait(), zmq.ContextTerminated)
""",
        wait,
    )


def test_a_proxy_lets_others_run(run_green: Run) -> None:
    run_green(
        """
import threading, zmq
context = zmq.Context()
front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
port = front.bind_to_random_port("tcp://127.0.0.1")
back.bind("inproc://back")
beat()
threading.Thread(target=zmq.proxy, args=(front, back), daemon=True).start()
worker, client = context.socket(zmq.REP), context.socket(zmq.REQ)
worker.connect("inproc://back")
client.connect(f"tcp://127.0.0.1:{port}")
client.send(b"question")
assert worker.recv() == b"question"
worker.send(b"answer")
assert client.recv() == b"answer"
import os
os._exit(0)  # the proxy would wait for ever
"""
    )


def test_asyncio_sockets_go_on(run_green: Run) -> None:
    run_green(
        """
import asyncio, zmq, zmq.asyncio
async def main():
    context = zmq.asyncio.Context()
    one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    other.connect(f"tcp://127.0.0.1:{one.bind_to_random_port('tcp://127.0.0.1')}")
    coming = one.recv()
    await asyncio.sleep(0.01)
    await other.send(b"hello")
    assert await coming == b"hello"
    one.close(0)
    other.close(0)
    context.term()
asyncio.run(main())
"""
    )


def test_unpatch_gives_pyzmq_its_methods_back(run_program: Run) -> None:
    run_program(
        """
import greening, zmq
before = (zmq.Socket.send, zmq.Socket.recv, zmq.Context.term, zmq.proxy, zmq.sugar.poll.zmq_poll)
greening.monkey_patch()
assert zmq.Socket.recv is not before[1] and zmq.proxy is not before[3]
greening.unpatch()
assert (zmq.Socket.send, zmq.Socket.recv, zmq.Context.term, zmq.proxy, zmq.sugar.poll.zmq_poll) == before
assert "recv" not in vars(zmq.Socket)
"""
    )
