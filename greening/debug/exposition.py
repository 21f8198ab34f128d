"""`metrics`: the numbers of `stats` in Prometheus's text format."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from greening._core.names import distinct
from greening.debug.numbers import HubStats, PoolStats, QueueStats, Stats, stats
from greening.debug.text_format import Family, braces, families_of, text_of

_PREFIX: Final = "greening_"


def metrics(*, containers: bool = True) -> str:
    """The numbers of this process, as Prometheus reads them: hubs, green threads by function and state, native threads,
    pools, queues, and what grows if something leaks.

    An endpoint of a WSGI application answers with it and `text_format.CONTENT_TYPE`.

    Args:
        containers: False: leave out pools, queues and the number of objects; see `stats`.
    Thread-safety: call it in any OS thread.
    """
    return exposition(stats(containers=containers))


def exposition(numbers: Stats) -> str:
    """The text of it."""
    return text_of(_PREFIX, _families(numbers))


def _families(numbers: Stats) -> Iterator[Family]:
    yield from _of_hubs(numbers.hubs)
    yield from _of_native_pools(numbers)
    yield from _of_pools(numbers.pools)
    yield from _of_queues(numbers.queues)
    process = numbers.process
    yield "open_files", "gauge", "Descriptors of the process.", [("", process.open_files)]
    yield "open_files_limit", "gauge", "The most descriptors that the process may have.", [("", process.files_limit)]
    yield "memory_bytes", "gauge", "Bytes of the process in main memory.", [("", process.memory)]
    yield "os_threads", "gauge", "OS threads of the process.", [("", process.threads)]
    if process.objects:
        yield "objects", "gauge", "Objects that the garbage collector knows.", [("", process.objects)]
    yield "uncollectable_objects", "gauge", "Objects in gc.garbage.", [("", process.uncollectable)]


def _of_hubs(all_hubs: tuple[HubStats, ...]) -> Iterator[Family]:
    names_of_hubs = distinct([hub.thread for hub in all_hubs])
    hubs = [replace(hub, thread=name) for hub, name in zip(all_hubs, names_of_hubs, strict=True)]
    names = (
        ("hub_rounds_total", "counter", "Turns of the loop of a hub.", "rounds"),
        ("hub_switches_total", "counter", "How often a green thread was resumed.", "switches"),
        ("hub_cpu_seconds_total", "counter", "CPU time of the OS thread of a hub.", "cpu"),
        ("hub_ready", "gauge", "The length of the run queue.", "ready"),
        ("hub_descriptors", "gauge", "Descriptors that a hub knows.", "descriptors"),
        ("hub_waited_descriptors", "gauge", "Descriptors with a green thread that waits.", "waited"),
        ("hub_timers", "gauge", "Timers that are not cancelled.", "timers"),
        ("hub_native_calls", "gauge", "Calls in other OS threads that are under way.", "native_calls"),
        ("hub_runners", "gauge", "Greenlets that green threads run on.", "runners"),
    )
    yield from families_of(names, [(braces(thread=hub.thread), hub) for hub in hubs])
    counts: dict[tuple[str, str, str], int] = {}
    oldest: dict[tuple[str, str], float] = {}
    for hub in hubs:
        for group in hub.groups:
            if group.function:
                key = hub.thread, group.function, group.state
                counts[key] = counts.get(key, 0) + group.count
                oldest[key[:2]] = max(oldest.get(key[:2], 0.0), group.oldest)
    labels = ("thread", "function", "state")
    yield (
        "green_threads",
        "gauge",
        "Green threads that have not ended, by function and by what they wait for.",
        [(braces(**dict(zip(labels, key, strict=True))), count) for key, count in counts.items()],
    )
    yield (
        "green_thread_oldest_seconds",
        "gauge",
        "The age of the oldest green thread, by function.",
        [(braces(**dict(zip(labels[:2], key, strict=True))), age) for key, age in oldest.items()],
    )


def _of_native_pools(numbers: Stats) -> Iterator[Family]:
    names = (
        ("native_threads", "gauge", "OS threads of a pool.", "threads"),
        ("native_idle_threads", "gauge", "OS threads of a pool without a call.", "idle"),
        ("native_backlog", "gauge", "Calls that wait for an OS thread.", "backlog"),
        ("native_calls_total", "counter", "Calls that have ended.", "calls"),
    )
    for name, kind, about, field in names:
        totals: dict[str, int] = {}
        for pool in numbers.native_pools:
            totals[pool.name] = totals.get(pool.name, 0) + getattr(pool, field)
        yield name, kind, about, [(braces(pool=pool), total) for pool, total in totals.items()]


def _of_pools(pools: tuple[PoolStats, ...]) -> Iterator[Family]:
    names = (
        ("pool_size", "gauge", "The most workers at once.", "size"),
        ("pool_running", "gauge", "Green threads of a pool.", "running"),
        ("pool_waiting", "gauge", "Green threads that wait in spawn for a place.", "waiting"),
    )
    labels = distinct(pool.where for pool in pools)
    yield from families_of(names, [(braces(pool=where), pool) for where, pool in zip(labels, pools, strict=True)])


def _of_queues(queues: tuple[QueueStats, ...]) -> Iterator[Family]:
    names = (
        ("queue_items", "gauge", "Items in a queue.", "items"),
        ("queue_putters", "gauge", "Green threads that wait for a place.", "putters"),
        ("queue_getters", "gauge", "Green threads that wait for an item.", "getters"),
        ("queue_unfinished", "gauge", "Items without task_done yet.", "unfinished"),
    )
    labels = distinct(queue.where for queue in queues)
    yield from families_of(names, [(braces(queue=where), each) for where, each in zip(labels, queues, strict=True)])
