"""How children are made to end: those that are stuck, and those that are to end and do not.

In three steps, since each may find the process in a state in which it does not work. A worker that runs Python code
says which requests it is at (LAST_WORDS). SIGABRT has faulthandler write the stack, also of code in C. SIGKILL.
"""

import signal
from time import monotonic

from greening.wsgi.command.channel import LAST_WORDS, Child
from greening.wsgi.command.console import say
from greening.wsgi.command.roster import Roster

MARGIN = 2.0  # seconds for a worker to end in, after the graceful timeout
_ANSWER = 0.3  # seconds for a worker to say which requests it is at
_STACK = 1.0  # seconds for it to say where it is stuck


def enforce(roster: Roster, at_once: bool) -> None:
    """Take the next step with each child whose deadline is over.

    Args:
        at_once: the user has no patience: SIGKILL.
    """
    now = monotonic()
    for child in roster:
        if child.deadline is None or child.deadline > now:
            continue
        if child.aborted or at_once:
            child.kill(signal.SIGKILL)
            child.deadline = now + MARGIN  # once is enough, unless it is stuck in the kernel
            child.aborted = True
        else:
            if not child.asked:
                say(f"{name(child)} does not end; killed; its stack follows")
            abort(child)


def abort(child: Child) -> None:
    """Take the first step, or the second."""
    if child.ready and not child.template and not child.asked:
        child.kill(LAST_WORDS)
        child.asked = True
        child.deadline = monotonic() + _ANSWER
    else:
        child.kill(signal.SIGABRT)
        child.aborted = True
        child.deadline = monotonic() + _STACK


def name(child: Child) -> str:
    """What it is called in lines for the user."""
    return f"{'the process that preloads' if child.template else 'worker'} {child.pid}"
