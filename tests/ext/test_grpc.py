"""gRPC: a client in this project's green threads, a server in them, and both against unpatched ones."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc")

from tests.ext.servers import Server, free_port, running

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("grpc_server.py")
ROOT = PROGRAM.parent.parent.parent

CLIENT = """
import sys, time
import grpc
from concurrent.futures import ThreadPoolExecutor, wait
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
echo, slow = channel.unary_unary("/t.T/Echo"), channel.unary_unary("/t.T/Slow")
count, join = channel.unary_stream("/t.T/Count"), channel.stream_unary("/t.T/Join")
each = channel.stream_stream("/t.T/Each")

def letters():
    for letter in (b"a", b"b", b"c"):
        time.sleep(0.05)
        yield letter

def at_once(number, function):
    begin = time.monotonic()
    threads = [greening.spawn(function) for _ in range(number)]
    return [thread.wait() for thread in threads], time.monotonic() - begin

echo(b"", timeout=20)
beat()
"""

# Each of 20 calls takes 0.3 s.
CALLS = """
for number, function, expected in (
    (20, lambda: slow(b"x", timeout=20), b"x"),
    (20, lambda: slow.with_call(b"x", timeout=20)[0], b"x"),
    (20, lambda: slow.future(b"x", timeout=20).result(), b"x"),
    (20, lambda: [*count(b"x", timeout=20)], [b"0", b"1", b"2"]),
    (20, lambda: join(letters(), timeout=20), b"a|b|c"),
    (20, lambda: [*each(letters(), timeout=20)], [b"a", b"b", b"c"]),
):
    answers, seconds = at_once(number, function)
    assert answers == [expected] * number, answers
    assert seconds < 3, seconds
try:
    channel.unary_unary("/t.T/Refuse")(b"x", timeout=20)
except grpc.RpcError as error:
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "nothing here")
else:
    raise AssertionError("not refused")
try:
    slow(b"x", timeout=0.05)
except grpc.RpcError as error:
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
else:
    raise AssertionError("not late")
channel.close()
"""


@contextmanager
def grpc_server(folder: Path, *python_args: str, port: int = 0) -> Iterator[Server]:
    """The program beside this file, in a process of its own."""
    port = port or free_port()
    argv = [sys.executable, *python_args, str(PROGRAM), "200", str(port)]
    with running(Server(argv, folder=folder, port=port, env={"PYTHONPATH": str(ROOT)})) as server:
        yield server


@pytest.mark.parametrize("python_args", [(), ("-m", "greening")], ids=["unpatched", "green"])
def test_calls_of_all_kinds_wait_beside_each_other(
    run_green: Callable[..., Any], tmp_path: Path, python_args: tuple[str, ...]
) -> None:
    with grpc_server(tmp_path, *python_args) as server:
        run_green(CLIENT + CALLS, str(server.port))


def test_a_client_that_was_imported_before_the_patch_is_green(run_green: Callable[..., Any], tmp_path: Path) -> None:
    with grpc_server(tmp_path) as server:
        run_green(CLIENT + CALLS, str(server.port), before="import grpc, concurrent.futures")


SERVER_IN_THE_SAME_PROCESS = """
from tests.ext.grpc_server import serve
server, port = serve(200)
sys.argv[1:] = [str(port)]
"""


def test_handlers_and_calls_of_one_process_are_green_together(run_green: Callable[..., Any]) -> None:
    stop = "server.stop(1).wait()\nserver.wait_for_termination()\n"
    run_green("import sys\n" + SERVER_IN_THE_SAME_PROCESS + CLIENT + CALLS + stop)


def test_a_server_that_was_imported_before_the_patch_is_green(run_green: Callable[..., Any]) -> None:
    before = "import grpc, concurrent.futures"
    stop = "server.stop(None)\n"
    run_green("import sys\n" + SERVER_IN_THE_SAME_PROCESS + CLIENT + CALLS + stop, before=before)


INTERRUPTED = """
import random
random.seed(1)

def one(number):
    message = b"%d" % number
    with greening.Timeout(random.uniform(0, 0.02), False):
        for _ in range(50):
            assert echo(message, timeout=20) == message
            assert [*each(iter([message]), timeout=20)] == [message]

for _ in range(10):
    threads = [greening.spawn(one, number) for number in range(20)]
    greening.sleep(0.005)
    for thread in random.sample(threads, 5):
        thread.kill()
    for thread in threads:
        try:
            thread.wait()
        except greening.GreenletExit:
            pass
assert echo(b"still there", timeout=20) == b"still there"
begin = time.monotonic()
with greening.Timeout(0.05, False):
    slow(b"x")
assert time.monotonic() - begin < 0.25  # it is not waited for
channel.close()
"""


def test_interrupted_calls_are_cancelled_and_the_channel_goes_on(run_green: Callable[..., Any], tmp_path: Path) -> None:
    with grpc_server(tmp_path) as server:
        run_green(CLIENT + INTERRUPTED, str(server.port))


RESTART = """
restart()
for _ in range(100):
    try:
        assert echo(b"again", timeout=20) == b"again"
        break
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE, error
        time.sleep(0.1)
else:
    raise AssertionError("it does not come back")
assert echo(b"and again", timeout=20, wait_for_ready=True) == b"and again"
"""


def test_a_server_that_restarts_is_an_error_and_then_found_again(
    run_green: Callable[..., Any], restart_of: Callable[..., str], tmp_path: Path
) -> None:
    with grpc_server(tmp_path) as server:
        run_green(restart_of(server) + CLIENT + RESTART, str(server.port))


AIO = """
import asyncio
import grpc.aio

async def main():
    async with grpc.aio.insecure_channel("127.0.0.1:" + sys.argv[1]) as channel:
        slow = channel.unary_unary("/t.T/Slow")
        begin = time.monotonic()
        assert await asyncio.gather(*(slow(b"x", timeout=20) for _ in range(20))) == [b"x"] * 20
        assert time.monotonic() - begin < 3

asyncio.run(main())
"""


def test_grpc_aio_is_unharmed(run_green: Callable[..., Any], tmp_path: Path) -> None:
    with grpc_server(tmp_path) as server:
        run_green(CLIENT + AIO, str(server.port))


IN_CALLBACKS = """
import threading

def ask(call, *args):
    try:
        answers.append(call(*args, timeout=20))
    except Exception as error:
        answers.append(error)
    done.release()

done, answers = threading.Semaphore(0), []
echo.future(b"x", timeout=20).add_done_callback(lambda future: ask(echo, b"one"))
assert done.acquire(timeout=30)
echo.future(b"x", timeout=20).add_done_callback(lambda future: ask(join, iter([b"1", b"2"])))
assert done.acquire(timeout=30)
channel.subscribe(lambda state: ask(echo, b"state"))
assert done.acquire(timeout=30)
assert answers == [b"one", b"1|2", b"state"], answers
assert echo(b"still there", timeout=20) == b"still there"
channel.close()
"""


def test_callbacks_may_make_calls_on_their_own_channel(run_green: Callable[..., Any], tmp_path: Path) -> None:
    with grpc_server(tmp_path) as server:
        run_green(CLIENT + IN_CALLBACKS, str(server.port))


ONE_AFTER_THE_OTHER = """
import threading
native_ids = set()
for _ in range(20):
    done = threading.Event()
    future = echo.future(b"x", timeout=20)
    future.add_done_callback(lambda _: (native_ids.add(threading.get_native_id()), done.set()))
    assert done.wait(30)
    time.sleep(0.01)
assert len(native_ids) < 10, native_ids
channel.close()
"""


def test_calls_one_after_the_other_start_no_thread_each(run_green: Callable[..., Any], tmp_path: Path) -> None:
    with grpc_server(tmp_path) as server:
        run_green(CLIENT + ONE_AFTER_THE_OTHER, str(server.port))


FORKED = """
import os
stream = count(b"x", timeout=20)
next(stream)
pid = os.fork()
if not pid:
    code = 1
    try:
        code = 0 if echo(b"child", timeout=20) == b"child" else 2
    finally:
        os._exit(code)
assert os.waitpid(pid, 0)[1] == 0
assert [*stream] == [b"1", b"2"]
assert echo(b"parent", timeout=20) == b"parent"
channel.close()
"""


def test_the_child_of_a_fork_makes_calls_on_the_channel(run_green: Callable[..., Any], tmp_path: Path) -> None:
    with grpc_server(tmp_path) as server:
        run_green(CLIENT + FORKED, str(server.port), env={"GRPC_ENABLE_FORK_SUPPORT": "1"}, tolerance=0.5)


def test_the_example_of_the_page_runs(run_page: Callable[..., Any]) -> None:
    assert run_page("grpc").stdout.split() == ["20", "answers"]


def test_unpatching_gives_the_threads_back(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import threading
import greening, grpc
from grpc import _channel, _common, _server
from grpc._cython import cygrpc

def state():
    return (cygrpc.threading, cygrpc.ForkManagedThread, _common.wait, _server._serve,
            _channel._UnaryUnaryMultiCallable.__call__, _channel.Channel.unary_stream)

before = state()
greening.monkey_patch()
assert not set(map(id, before)) & set(map(id, state()))
greening.unpatch()
assert state() == before
"""
    )


def test_the_process_ends_while_calls_are_under_way(tmp_path: Path) -> None:
    program = """
import sys, greening
greening.monkey_patch()
import grpc
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
for _ in range(5):
    greening.spawn(channel.unary_unary("/t.T/Slow"), b"x", timeout=20)
call = channel.unary_stream("/t.T/Count")(b"x")
print(next(call))
"""
    with grpc_server(tmp_path) as server:
        command = [sys.executable, "-c", program, str(server.port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "b'0'"
