"""eventlet.green.zmq: sockets of ZeroMQ park, and no message is lost between green threads that share one."""

import importlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.net.socket import GreenSocket
from greening.timeout import Timeout

NAME = "greening.compat.eventlet.green.zmq"

try:
    zmq: Any = importlib.import_module(NAME)
except ImportError:
    zmq = None

needs_zmq = pytest.mark.skipif(zmq is None, reason="needs pyzmq")


def test_without_pyzmq_the_import_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    for name in (NAME, "greening.ext.green_zmq"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match="pip install pyzmq"):
        importlib.import_module(NAME)


@pytest.fixture
def pair() -> Iterator[tuple[Any, Any]]:
    with Timeout(10):
        context = zmq.Context()
        one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        other.connect(f"tcp://127.0.0.1:{one.bind_to_random_port('tcp://127.0.0.1')}")
        try:
            yield one, other
        finally:
            one.close(0)
            other.close(0)
            context.term()


@needs_zmq
def test_a_receiver_parks_until_a_message_comes(pair: tuple[Any, Any]) -> None:
    receiver = spawn(pair[0].recv)
    sleep(0)
    assert not receiver.dead
    pair[1].send_multipart([b"a", b"b"])
    assert receiver.wait() == b"a"
    assert pair[0].recv() == b"b"


@needs_zmq
def test_messages_go_both_ways_at_once_and_none_is_lost(pair: tuple[Any, Any]) -> None:
    def send(sock: Any) -> None:
        for number in range(300):
            sock.send(b"%d" % number)

    def receive(sock: Any) -> list[int]:
        return [int(sock.recv()) for _ in range(300)]

    senders = [spawn(send, sock) for sock in pair]
    receivers = [spawn(receive, sock) for sock in pair]
    assert [thread.wait() for thread in receivers] == [list(range(300))] * 2
    for thread in senders:
        thread.wait()


@needs_zmq
def test_a_sender_parks_while_the_queue_is_full() -> None:
    with Timeout(10), zmq.Context() as context:
        push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        push.sndhwm = pull.rcvhwm = 2
        push.bind("inproc://full")
        pull.connect("inproc://full")
        sender = spawn(lambda: [push.send(b"%d" % number) for number in range(20)])
        sleep(0.01)
        assert not sender.dead
        assert [int(pull.recv()) for _ in range(20)] == list(range(20))
        sender.wait()
        push.close(0)
        pull.close(0)


@needs_zmq
def test_timeouts_of_the_socket_and_of_the_caller_are_kept(pair: tuple[Any, Any]) -> None:
    pair[0].rcvtimeo = 1
    with pytest.raises(zmq.Again):
        pair[0].recv()
    with pytest.raises(zmq.Again):
        pair[0].recv(zmq.NOBLOCK)
    assert pair[0].poll(1) == 0
    pair[0].rcvtimeo = -1
    with pytest.raises(Timeout), Timeout(0.001):
        pair[0].recv()
    pair[1].send(b"x")
    assert pair[0].poll(5000) == zmq.POLLIN
    assert pair[0].poll(5000, zmq.POLLIN | zmq.POLLOUT) == zmq.POLLIN | zmq.POLLOUT
    assert pair[0].recv() == b"x"


@needs_zmq
def test_a_poller_waits_for_sockets_and_descriptors(pair: tuple[Any, Any]) -> None:
    one, other = (GreenSocket(fileno=sock.detach()) for sock in socket.socketpair())
    with one, other:
        poller = zmq.Poller()
        poller.register(pair[0], zmq.POLLIN)
        poller.register(one.fileno(), zmq.POLLIN)
        assert poller.poll(1) == []
        spawn(other.sendall, b"x")
        assert poller.poll() == [(one.fileno(), zmq.POLLIN)]
        one.recv(1)
        spawn(pair[1].send, b"x")
        assert poller.poll(5000) == [(pair[0], zmq.POLLIN)]


@needs_zmq
def test_to_close_a_socket_ends_the_waits_for_it(pair: tuple[Any, Any]) -> None:
    receiver = spawn(pair[0].recv)
    receiver.quiet = True
    sleep(0)
    pair[0].close(0)
    with pytest.raises(zmq.ZMQError):
        receiver.wait()
    assert zmq.strerror(zmq.ENOTSOCK)
