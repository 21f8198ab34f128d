"""What counts as a number of seconds.

A number that is not real, or whose class has arithmetic of its own, would be compared with other deadlines in the heap
of timers, and put it out of order for good. So a time becomes a true `float` at the door, and is one from there on.
"""

import sys
from operator import index
from typing import Any

# The stdlib's calls take any real number from 3.15 on, before that floats and integers.
_TAKES_REAL_NUMBERS = sys.version_info >= (3, 15)


def real_number(value: Any) -> float:
    """`value` as a float that is exactly that: an integer, a Fraction, a Decimal, what has `__float__` or `__index__`.

    Raises:
        TypeError: it is not a real number. A string is none, whatever `float` makes of it.
        OverflowError: it is an integer that is too large.
    """
    kind = type(value)
    if not (hasattr(kind, "__float__") or hasattr(kind, "__index__")):
        raise TypeError(f"a time to wait is a number of seconds or None, not {value!r}")
    return float(value)


def stdlib_number(value: Any) -> float | None:
    """A timeout as the stdlib's calls read it: a float, or an integer, exactly that. None: they refuse it."""
    if isinstance(value, float):
        return float.__float__(value)
    try:
        return index(value)
    except TypeError:
        return real_number(value) if _TAKES_REAL_NUMBERS and hasattr(type(value), "__float__") else None
