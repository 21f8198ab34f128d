"""OS threads that may simply block."""

from greening._core import stuck
from greening._core.current import has_hub
from greening._originals import get_ident


def hubless() -> bool:
    """True in a native thread in which nothing green runs: a worker of the native pool, a thread of a C library.

    Nobody is held up when it blocks, so it needs no hub and none of the descriptors of one. The first OS thread never
    counts: a signal handler that runs in the middle of its call may make something green.
    """
    return not has_hub() and get_ident() != stuck.first_thread
