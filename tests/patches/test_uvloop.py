"""uvloop beside green threads."""

import pytest


@pytest.mark.slow
def test_green_threads_run_beside_a_loop_that_waits_in_c(run_program) -> None:
    run_program("uvloop_beside_green.py", "stub")


@pytest.mark.slow
def test_green_threads_run_beside_uvloop(run_program) -> None:
    pytest.importorskip("uvloop")
    run_program("uvloop_beside_green.py", "real")


@pytest.mark.slow
@pytest.mark.parametrize(
    "start", ["greening.spawn(one).wait()", "thread = threading.Thread(target=one); thread.start(); thread.join()"]
)
def test_a_loop_in_a_green_thread_leaves_signals_to_the_main_thread(run_program, start: str) -> None:
    pytest.importorskip("uvloop")
    run_program(
        f"""
import greening
greening.monkey_patch()
import asyncio, signal, threading, uvloop
import socket

async def tell():
    await asyncio.sleep(0.01)
    assert signal.set_wakeup_fd(-1) == -1  # in vain, here
    return "told"

def one():
    assert uvloop.run(tell()) == "told"

mine, other = socket.socketpair()
mine.setblocking(False)
signal.set_wakeup_fd(mine.fileno())
{start}
assert signal.set_wakeup_fd(-1) == mine.fileno()
"""
    )
