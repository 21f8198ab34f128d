"""The last finalisers of a program wait: what they call works, as in a program that is not patched. Prints what it did.

What they need they hold themselves: the modules are being taken apart.
"""

import greening
import greening.tpool

greening.monkey_patch()

import os
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Callable

A_MOMENT = 0.005


class Last:
    """Makes a call when it is freed, and tells the outcome."""

    write = staticmethod(os.write)
    error = BaseException

    def __init__(self, name: str, call: Callable[..., object], *args: object) -> None:
        self.name = name
        self.call = call
        self.args = args

    def __del__(self) -> None:
        try:
            outcome: object = self.call(*self.args)
        except self.error as error:
            outcome = error
        self.write(1, f"{self.name}: {outcome!r}\n".encode())


class Received(Last):
    """Waits for data of a socket that it owns, with a timeout that passes."""

    def __init__(self) -> None:
        mine, self.other = socket.socketpair()
        mine.settimeout(A_MOMENT)
        super().__init__("recv", mine.recv, 1)


def in_condition(condition: threading.Condition) -> bool:
    with condition:
        return condition.wait(A_MOMENT)


child = subprocess.Popen(["sleep", "0.05"])
child.returncode = 0  # the module `subprocess` shall not wait for it, too
held = threading.Lock()
held.acquire()

last = [
    Last("sleep", time.sleep, A_MOMENT),
    Last("green sleep", greening.sleep, A_MOMENT),
    Last("yield", greening.sleep, 0),
    Last("event", threading.Event().wait, A_MOMENT),
    Last("condition", in_condition, threading.Condition()),
    Last("lock", held.acquire, True, A_MOMENT),
    Last("semaphore", threading.Semaphore(0).acquire, True, A_MOMENT),
    Last("queue", queue.SimpleQueue[int]().get, True, A_MOMENT),
    Last("green event", greening.Event().wait, A_MOMENT),
    Last("green queue", greening.Queue[int]().get, True, A_MOMENT),
    Last("waitpid", lambda waitpid, pid: waitpid(pid, 0)[0] == pid, os.waitpid, child.pid),
    Last("pool", greening.tpool.execute, int, "7"),
    Received(),
]
ended = subprocess.Popen(["true"])
while not os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT):
    pass
