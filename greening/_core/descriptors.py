"""Numbers for the engine's own descriptors.

Facts: open(2) gives the lowest free number, and programs count on it (they close 0 and open a file; they sweep 3 to
255; they pass "the next two" to a child). Consequence: ours go where a program's own few do not: from `FLOOR` on,
where the limit allows.
"""

from fcntl import F_DUPFD_CLOEXEC, fcntl

# Below the usual soft limit (1024), and below what select(2) can look at, for some hundreds of hubs.
FLOOR = 512


def high_duplicate(fd: int) -> int | None:
    """The same file under a number from `FLOOR` on, closed on exec. None: not to be had; keep what there is."""
    try:
        return fcntl(fd, F_DUPFD_CLOEXEC, FLOOR)
    except OSError:
        return None
