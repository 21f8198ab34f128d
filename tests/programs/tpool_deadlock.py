"""Idle native threads wake nothing: when everything waits, that is said. It is said after one has left, too."""

import sys

from greening import Deadlock, Event
from greening.threads import native
from greening.threads.native import TPOOL, execute

native.IDLE_SECONDS = float(sys.argv[1])

execute(int)
if native.IDLE_SECONDS < 1:
    # It leaves while the main greenlet waits already: the search for deadlocks has to look again then.
    with native.guard:
        assert len(TPOOL._idle) == 1
try:
    Event().wait()
except Deadlock as error:
    print("deadlock", len(error.waiting))
