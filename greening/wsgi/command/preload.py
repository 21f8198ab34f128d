"""The process that has the application preloaded, for `--preload`, and forks the workers off itself.

Facts: the supervisor must not load the application, which may bring it down, and is patched. A worker that is forked by
another process than the supervisor is not its child: it could not wait for it. Linux gives an orphan to the nearest
ancestor that asked for orphans (PR_SET_CHILD_SUBREAPER, prctl(2)).
Decision: a patched process of its own, the template, loads the application. For each worker it forks twice, and the
process in between ends at once: the worker becomes the supervisor's child. All that the supervisor does with workers is
the same then. Memory is shared until it is written to; so that the garbage collector does not write to all of it,
objects that exist when the application is loaded are left out of its rounds (gc.freeze). SIGHUP makes a new template.
"""

import ctypes
import gc
import os
import socket
from typing import Any

from greening.net.socket import GreenSocket
from greening.wsgi.command.channel import COPY, PID, READY, REOPEN
from greening.wsgi.command.console import reopen_errors, say

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def fork_workers(channel: GreenSocket, errors: str | None) -> GreenSocket:
    """Be the template, with the application loaded: fork a worker whenever the supervisor asks for one.

    Args:
        channel: to the supervisor. errors: the file that standard error is in, opened anew when the supervisor says so;
            None: in none.
    Returns:
        In each worker: its own channel.
    Raises:
        SystemExit: in the template, at its end.
    """
    gc.collect()
    gc.freeze()
    channel.send(READY)
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(channel, 64, 1)
        except OSError:
            message, descriptors = b"", []
        if message == REOPEN:
            reopen_errors(errors)
            continue
        if message != COPY or not descriptors:
            raise SystemExit(0)
        theirs = GreenSocket(fileno=descriptors[0])
        if _fork_twice(theirs):
            channel.close()
            return theirs
        theirs.close()


def _fork_twice(channel: Any) -> bool:
    """True: this is the worker, and the supervisor knows its number."""
    try:
        between = os.fork()
    except OSError as error:
        say(f"cannot start a worker: {error.strerror}")
        return False
    if between:
        os.waitpid(between, 0)
        return False
    try:
        if os.fork():
            os._exit(0)
    except OSError as error:
        say(f"cannot start a worker: {error.strerror}")
        os._exit(1)
    channel.send(PID)
    return True
