"""Abort a pytest process whose test takes too long: `python hang_guard.py PID`, started by conftest.py.

Standard input says what runs: a line `SECONDS NODEID` starts a test's time, a line `0 ` stops it, the end of the input
ends this program. SIGABRT makes the faulthandler that pytest enables print the stacks of all threads.
"""

import os
import select
import signal
import sys


def main() -> None:
    guarded = os.pidfd_open(int(sys.argv[1]))
    if os.fork():
        os._exit(0)  # so the rest is an orphan: a test that waits for "any child" must not meet it
    os.setsid()  # and Ctrl-C is not for it
    limit, name = None, ""
    while select.select([0], [], [], limit)[0]:
        lines = os.read(0, 65536).decode().splitlines()
        if not lines:
            return
        seconds, _, name = lines[-1].partition(" ")
        limit = int(seconds) or None
    os.write(2, f"\n\nHANG: {name} was still running after {limit} s; the stacks:\n".encode())
    signal.pidfd_send_signal(guarded, signal.SIGABRT)


if __name__ == "__main__":
    main()
