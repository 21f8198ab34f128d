"""greening.green.zmq, in a process that is not patched. tests/compat/eventlet/green/test_zmq.py has more."""

from collections.abc import Callable
from typing import Any

import pytest

zmq: Any = pytest.importorskip("zmq")


def test_the_green_import_has_green_classes_and_leaves_pyzmq_alone() -> None:
    from greening.ext import green_zmq
    from greening.green import zmq as green

    assert green is green_zmq
    assert issubclass(green.Socket, zmq.Socket)
    with green.Context() as context, context.socket(green.PAIR) as sock:
        assert type(sock) is green.Socket
    assert green.PAIR is zmq.PAIR and "PAIR" in dir(green)
    assert "recv" not in vars(zmq.Socket)


@pytest.mark.slow
def test_sockets_and_pollers_park_in_a_process_that_is_not_patched(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import greening
from greening.green import zmq

context = zmq.Context()
one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
other.connect(f"tcp://127.0.0.1:{one.bind_to_random_port('tcp://127.0.0.1')}")
order = []
for wait in (one.recv, one.poll, lambda: zmq.Poller().poll(30)):
    waiting = greening.spawn(wait)
    greening.sleep(0)
    order.append(waiting.dead)
    other.send(b"x")
    waiting.wait()
assert order == [False] * 3
one.recv()
one.close(0)
other.close(0)
context.term()
"""
    )


@pytest.mark.slow
def test_select_and_proxies_let_others_run_in_a_process_that_is_not_patched(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import greening
from greening.green import zmq

context = zmq.Context()
front, back = context.socket(zmq.PULL), context.socket(zmq.PUSH)
sender, receiver = context.socket(zmq.PUSH), context.socket(zmq.PULL)
sender.connect(f"tcp://127.0.0.1:{front.bind_to_random_port('tcp://127.0.0.1')}")
receiver.connect(f"tcp://127.0.0.1:{back.bind_to_random_port('tcp://127.0.0.1')}")

def forward():
    try:
        zmq.proxy(front, back)
    except zmq.ContextTerminated:
        pass
    finally:
        front.close(0)
        back.close(0)

forwarding = greening.spawn(forward)
selecting = greening.spawn(zmq.select, [receiver], [], [receiver])
greening.sleep(0)
sender.send(b"x")
assert selecting.wait() == ([receiver], [], [])
assert receiver.recv() == b"x"
assert zmq.select([receiver], [sender], [], 0.01) == ([], [sender], [])
sender.close(0)
receiver.close(0)
context.term()
forwarding.wait()
""",
        timeout=30,
    )
