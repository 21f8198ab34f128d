"""time: `sleep`.

What blocks here: clock_nanosleep(2).
What stays: everything else; clocks do not block.
"""

import sys
from typing import Any

from greening._builtin_method import ModuleSelf
from greening._core.current import hubless
from greening._core.timers import stdlib_number
from greening._core.waiting import sleep as _sleep
from greening._originals import time_sleep as _real_sleep
from greening.patcher.spec import Patch

# Seconds from which on the real one raises OverflowError: 2**63 nanoseconds.
_TOO_LONG = 9223372036.0
_AUDITED = sys.version_info >= (3, 13)
_home = ModuleSelf("time")


@_home.builtin
def sleep(_: Any, seconds: float, /) -> None:
    """Let others run for at least `seconds`. 0: let every task that is runnable now run once.

    Raises:
        TypeError, ValueError, OverflowError: as the real one.
    """
    length = stdlib_number(seconds)
    if length is None or not 0 <= length < _TOO_LONG or hubless():
        _real_sleep(seconds)  # it knows the error
        return
    if _AUDITED:
        sys.audit("time.sleep", seconds)
    _sleep(length)


PATCH = Patch(target="time", flag="time", replaces={"sleep": sleep})
