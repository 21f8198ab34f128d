"""What the loops and the echo server ask of a green library; every adapter fills one in.

The fields are the library's own callables, not wrappers around them: a wrapper would cost every peer the same and so
flatter the slow ones. `wait` is the unbound method of a green thread that waits for its result; `spawn_n` is the
cheapest way to start a function that is not waited for; a `pool` has `imap`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Api(NamedTuple):
    """The everyday calls of one green library."""

    spawn: Callable[..., Any]
    spawn_n: Callable[..., Any]
    wait: Callable[[Any], Any]
    sleep: Callable[[float], Any]
    queue: Callable[[int], Any]
    semaphore: Callable[[int], Any]
    timeout: Callable[[float], Any]
    pool: Callable[[int], Any]
