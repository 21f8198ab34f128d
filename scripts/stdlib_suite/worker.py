"""The interpreter under test starts here: patch, then run one unit of CPython's tests (runner.py has the arguments).

The patch comes before everything but modules that are always loaded, as in a program that does it right.
`multiprocessing` runs this file again in its children, under another name than __main__, as it does with every
program: they patch themselves, too.
"""

import os
import sys
import time
from _thread import start_new_thread

# What the runner itself uses. In a container, because names of a module would be pointed at the green functions.
REAL = {"open": os.open, "write": os.write, "close": os.close, "sleep": time.sleep, "start": start_new_thread}

CHECKOUT = os.environ.get("GREENING_STDLIB_PATCH")  # what to patch from; none: stay as we are
if CHECKOUT:
    if CHECKOUT not in sys.path:  # a child of multiprocessing has its parent's path already
        sys.path.append(CHECKOUT)
    import greening

    greening.monkey_patch()

if __name__ == "__main__":
    from runner import main

    main(REAL)
