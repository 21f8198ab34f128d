"""monkey_patch() after another library has wrapped names of the stdlib."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["function", "wraps", "partial", "mock", "wrapt", "subclass"])
def test_everything_is_cooperative_and_unpatch_restores_the_wrappers(
    run_program: Callable[..., Any], kind: str
) -> None:
    run_program("wrapped_names.py", kind)


def test_a_profiler_of_conditions_goes_on_profiling(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import threading
import greening
made = []
real = threading.Condition
def profiled(*args):
    made.append(args)
    return real(*args)
threading.Condition = profiled
greening.monkey_patch()
condition = threading.Condition()
assert made
greening.spawn_after(0.001, lambda: [condition.acquire(), condition.notify(), condition.release()])
with condition:
    assert condition.wait(10)
greening.unpatch()
assert threading.Condition.__name__ == "profiled"
"""
    )


def test_a_socket_class_of_a_proxy_library_stays_and_is_cooperative(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import socket, threading
class socksocket(socket.socket):
    pass
socket.socket = socksocket
import greening
greening.monkey_patch()
assert socket.socket is socksocket
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    connection, _ = listener.accept()
    connection.send(b"x")
    connection.close()
greening.spawn(serve)
client = socket.create_connection(listener.getsockname(), timeout=10)
assert type(client) is socksocket
assert client.recv(1) == b"x"
plain = socksocket.__mro__[1]
assert "recv" in vars(plain) and "recv" not in vars(socksocket)
greening.unpatch()
assert socket.socket is socksocket
"""
    )


def test_what_was_taken_before_a_function_was_wrapped_is_rebound_or_reported(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import os, time
from time import sleep
kept = (os.read,)
real = time.sleep, os.read
def traced_sleep(seconds, real=real[0]):
    return real(seconds)
def traced_read(fd, n, real=real[1]):
    return real(fd, n)
time.sleep, os.read = traced_sleep, traced_read
del real
import greening
from greening.debug import audit
greening.monkey_patch()
assert sleep is time.sleep, sleep
assert [finding.where for finding in audit() if finding.what == "the unpatched os.read"] == ["__main__.kept[0]"]
greening.unpatch()
assert (time.sleep.__name__, os.read.__name__) == ("traced_sleep", "traced_read")
assert type(sleep).__name__ == "builtin_function_or_method"
"""
    )


@pytest.mark.parametrize("name", ["FileIO", "BufferedReader", "BufferedWriter", "BufferedRWPair"])
def test_a_wrapped_class_of_files(run_program: Callable[..., Any], name: str) -> None:
    run_program(
        """
import functools, io, os, sys
real = getattr(io, sys.argv[1])
wrapper = functools.partial(real)
setattr(io, sys.argv[1], wrapper)
import greening
greening.monkey_patch()
reading, writing = os.pipe()
greening.spawn_after(0.001, os.write, writing, b"x")
assert open(reading, "rb").read(1) == b"x"
greening.unpatch()
assert getattr(io, sys.argv[1]) is wrapper
""",
        name,
    )
