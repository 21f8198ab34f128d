"""After monkey_patch(): a signal that came before the end of a child is handled before a wait tells of the end.

It comes when it can do the most harm: in the middle of the engine, where handlers are put off.
"""

import greening

greening.monkey_patch()

import _signal
import os
import signal
from collections.abc import Callable
from typing import Any

from greening.fdio import child_wait as child

got: list[int] = []
signal.signal(signal.SIGUSR1, lambda signum, frame: got.append(signum))

# To code that looks at its frame, this is a function of the engine.
INTERRUPTED = """
def interrupted(*args):
    raise_signal(signum)
    return real(*args)
"""
WAITS: dict[str, Callable[[int], Any]] = {
    "_waitpid": lambda pid: os.waitpid(pid, 0),
    "_wait4": lambda pid: os.wait4(pid, 0),
    "_wait3": lambda pid: os.wait3(0),
    "_waitid": lambda pid: os.waitid(os.P_PID, pid, os.WEXITED),
}

for name, wait in WAITS.items():
    got.clear()
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    real = getattr(child, name)
    engine = {
        "__name__": "greening.fdio.child_wait",
        "raise_signal": _signal.raise_signal,
        "signum": signal.SIGUSR1,
        "real": real,
    }
    exec(INTERRUPTED, engine)
    setattr(child, name, engine["interrupted"])
    wait(pid)
    setattr(child, name, real)
    assert got == [signal.SIGUSR1], name
