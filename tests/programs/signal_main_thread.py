"""Handlers and the wake-up descriptor belong to the main thread; a green thread is refused as any other thread is."""

import greening

greening.monkey_patch()

import asyncio
import os
import signal
import threading
from collections.abc import Callable

from greenlet import getcurrent, greenlet

USR1 = signal.SIGUSR1


def set_both() -> None:
    """Set what is set already."""
    old = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(old, warn_on_full_buffer=True)
    signal.signal(USR1, signal.getsignal(USR1))


def error_of(function: Callable[..., object], *args: object) -> str:
    try:
        function(*args)
    except ValueError as error:
        return str(error)
    return "accepted"


def both_are_refused() -> bool:
    rule = "only works in main thread of the main interpreter"
    refused = (error_of(signal.signal, USR1, signal.SIG_DFL), error_of(signal.set_wakeup_fd, -1))
    return refused == (f"signal {rule}", f"set_wakeup_fd {rule}")


def in_foreign_greenlet(function: Callable[[], object]) -> object:
    """What `function` returns in a greenlet that is not ours, which the caller runs."""
    return greenlet(function, getcurrent()).switch()


# Refused: Threads, green threads, foreign greenlets that these run, native threads.
handled: list[object] = []
signal.signal(USR1, lambda *args: handled.append(error_of(set_both)))
results: list[object] = []
thread = threading.Thread(target=lambda: results.append(both_are_refused()))
thread.start()
thread.join()
results.append(greening.spawn(both_are_refused).wait())
results.append(greening.spawn(in_foreign_greenlet, both_are_refused).wait())
results.append(greening.tpool.execute(both_are_refused))
assert results == [True] * 4, results

# Allowed: the main thread, a foreign greenlet that it runs, a handler that interrupts it, or a green thread.
set_both()
in_foreign_greenlet(set_both)
os.kill(os.getpid(), USR1)
greening.spawn(os.kill, os.getpid(), USR1).wait()
while len(handled) < 2:  # one that interrupted the engine runs a little later
    greening.sleep(0)
assert handled == ["accepted", "accepted"], handled


# Event loops in threads do without signals, as ever, and leave those of the main thread's loop alone.
async def add_handler() -> str:
    try:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, print)
    except RuntimeError:
        return "refused"
    return "accepted"


async def main() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(USR1, told.set)
    ends = [greening.spawn(asyncio.run, add_handler()) for _ in range(3)]
    while not all(end.dead for end in ends):
        await asyncio.sleep(0)
    assert [end.wait() for end in ends] == ["refused"] * 3
    os.kill(os.getpid(), USR1)
    await asyncio.wait_for(told.wait(), 10)


asyncio.run(main())


# In a child of fork the thread that forked is the main thread.
def fork() -> int:
    child = os.fork()
    if child == 0:
        set_both()
        os._exit(0 if greening.spawn(both_are_refused).wait() else 1)
    return os.waitpid(child, 0)[1]


assert greening.spawn(fork).wait() == 0

# Unpatched, the rule is the interpreter's own, which looks at the OS thread.
greening.unpatch()
assert greening.spawn(error_of, set_both).wait() == "accepted"
