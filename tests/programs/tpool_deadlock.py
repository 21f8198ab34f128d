"""Idle native threads are nobody who could wake us: everything waits, and that is said. So it is after one has left."""

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
