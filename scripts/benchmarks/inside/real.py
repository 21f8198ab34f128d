"""What the scenes need unpatched; imported before the patch."""

from __future__ import annotations

import time
from _thread import start_new_thread
from functools import partial

clock, cpu_clock = time.perf_counter, time.process_time
# Wrapped: greening replaces a function that a module has imported by its name before the patch.
sleep, start_thread = partial(time.sleep), partial(start_new_thread)
