"""The screen of `python -m greening top`: an `Observation` as tables for a terminal of 80 columns.

Needs rich: the extra `top`.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from greening._core.names import printable
from greening.debug.numbers import Group, HubStats, QueueStats, Stats
from greening.debug.observing import HubWatch, Observation, Spot

T = TypeVar("T")

# Lines of the lists: with them the screen has 24.
PLACES = 5
WAITS = 5
WIDTH = 80
# Pools, and queues, that are shown: the largest.
CONTAINERS = 4

# Seconds from which a delay or a block is shown in red.
LONG = 0.1


def screen(observation: Observation, command: list[str]) -> RenderableType:
    """All of it, from top to bottom.

    Args:
        command: the program and its arguments.
    """
    after = observation.after
    return Lines(
        _title(after, command),
        _hubs(observation),
        Text(""),
        _threads(observation),
        _resources(after),
        Text(""),
        _busiest(observation),
        Text(""),
        _waiting(observation),
        Text(f"\n{observation.seconds:.1f} s watched; change: since then", style="dim"),
    )


def _title(numbers: Stats, command: list[str]) -> Text:
    words = [os.path.basename(command[0]), *command[1:]] if command else []
    title = f"process {numbers.pid}: {printable(' '.join(words))}"
    return Text(title, style="bold", no_wrap=True, overflow="ellipsis")


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for title, justify in columns:
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # "left" or "right"
    return table


# Hubs


def _hubs(observation: Observation) -> Table:
    table = _table(
        ("hub", "left"),
        ("turns/s", "right"),
        ("switches/s", "right"),
        ("run queue", "right"),
        ("delay", "right"),
        ("CPU", "right"),
        ("blocked", "right"),
    )
    before = {hub.ident: hub for hub in observation.before.hubs}
    watches = {watch.ident: watch for watch in observation.watches}
    between = observation.after.time - observation.before.time
    for hub in observation.after.hubs:
        watch = watches.get(hub.ident, HubWatch(hub.thread, hub.ident))
        table.add_row(*_hub_row(hub, before.get(hub.ident, hub), watch, observation.seconds, between))
    return table


def _hub_row(hub: HubStats, before: HubStats, watch: HubWatch, seconds: float, between: float) -> list[RenderableType]:
    """seconds: how long it was watched; between: from one moment to the other."""
    average = watch.ready_sum / watch.looks if watch.looks else float(hub.ready)
    return [
        _cut(hub.thread.removeprefix("OS thread "), 16),
        f"{(hub.rounds - before.rounds) / between:,.0f}",
        f"{(hub.switches - before.switches) / between:,.0f}",
        f"{average:.1f} (most {watch.ready_most})",
        _time(watch.delay),
        f"{100 * watch.cpu / seconds:.0f} %",
        _time(watch.held),
    ]


def _time(seconds: float) -> Text:
    text = f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
    return Text(text, style="bold red" if seconds >= LONG else "")


# Green threads and resources


def _threads(observation: Observation) -> Text:
    states = Counter[str]()
    for hub in observation.after.hubs:
        for group in _green(hub.groups):
            states[group.state] += group.count
    total = sum(states.values())
    more = total - sum(hub.green_threads for hub in observation.before.hubs)
    grown = f" ({more:+,d})" if more else ""
    listed = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    return Text(f"{total:,} green thread{'s' if total != 1 else ''}{grown}: {listed or 'none'}")


def _green(groups: Iterable[Group]) -> list[Group]:
    return [group for group in groups if group.function]


def _resources(numbers: Stats) -> Text:
    process = numbers.process
    parts = [
        f"descriptors {process.open_files:,} of {process.files_limit:,}",
        f"timers {sum(hub.timers for hub in numbers.hubs):,}",
        f"memory {process.memory / 2**20:,.0f} MiB",
        f"objects {process.objects:,}",
    ]
    for pool in numbers.native_pools:
        at_work = pool.threads - pool.idle
        parts.append(f"{pool.name} {at_work} of {pool.size} threads" + (f", {pool.backlog} wait" * bool(pool.backlog)))
    for green_pool in _largest(numbers.pools, lambda pool: (pool.waiting, pool.running)):
        waiting = f", {green_pool.waiting} wait" * bool(green_pool.waiting)
        parts.append(f"{green_pool.where} {green_pool.running} of {green_pool.size}{waiting}")
    named, unnamed = _by_name(numbers.queues)
    parts += unnamed
    for queue in _largest(named, lambda queue: (queue.items, queue.putters + queue.getters)):
        limit = "" if queue.maxsize is None else f" of {queue.maxsize}"
        parts.append(f"{queue.where} {queue.items}{limit} items")
    lines = [""]
    for part in map(printable, parts):
        longer = f"{lines[-1]}   {part}" if lines[-1] else part
        if len(longer) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(part)
    return Text("\n".join(lines))


def _by_name(queues: Iterable[QueueStats]) -> tuple[list[QueueStats], list[str]]:
    """Those with a place of their own; of the others, such as those of local variables, how many there are."""
    by_place: dict[str, list[QueueStats]] = {}
    for queue in queues:
        by_place.setdefault(queue.where, []).append(queue)
    named = [group[0] for group in by_place.values() if len(group) == 1]
    many = [(place.removeprefix("an instance of "), group) for place, group in by_place.items() if len(group) > 1]
    return named, [f"{len(group):,} of {kind}, {sum(queue.items for queue in group):,} items" for kind, group in many]


def _largest(things: Iterable[T], size: Callable[[T], tuple[int, int]]) -> list[T]:
    return sorted(things, key=size, reverse=True)[:CONTAINERS]


def _cut(text: str, length: int, end: bool = False) -> Text:
    """As much of a text as there is room for. end: its end says more than its beginning."""
    text = printable(text)
    if len(text) > length:
        text = f"…{text[1 - length :]}" if end else f"{text[: length - 1]}…"
    return Text(text)


# Where the time goes


def _busiest(observation: Observation) -> Table:
    table = _table(("CPU", "right"), ("blocked", "right"), ("busiest places", "left"))
    spots: dict[str, Spot] = {}
    for watch in observation.watches:
        for place, spot in watch.spots.items():
            total = spots.setdefault(place, Spot(place))
            total.cpu += spot.cpu
            total.held += spot.held
    unseen = sum(watch.cpu for watch in observation.watches) - sum(spot.cpu for spot in spots.values())
    if unseen > 0.01 * observation.seconds:
        spots["(turns too short to be seen)"] = Spot("(turns too short to be seen)", cpu=unseen)
    for spot in sorted(spots.values(), key=lambda spot: -max(spot.cpu, spot.held))[:PLACES]:
        table.add_row(f"{100 * spot.cpu / observation.seconds:.0f} %", _time(spot.held), Text(printable(spot.place)))
    return table


def _waiting(observation: Observation) -> Table:
    table = _table(
        ("number", "right"), ("change", "right"), ("function", "left"), ("waits at", "left"), ("for", "left")
    )
    before = Counter[tuple[str, str, str]]()
    for group, count in _groups(observation.before).items():
        before[group] += count
    now = _groups(observation.after)
    for key, count in now.most_common(WAITS):
        function, place, state = key
        change = count - before[key]
        style = "bold red" if change > 0 else ""
        table.add_row(
            f"{count:,}",
            Text(f"{change:+,d}" if change else "", style=style),
            _cut(function, 16),
            _cut(place, 30, end=True),
            state,
        )
    return table


def _groups(numbers: Stats) -> "Counter[tuple[str, str, str]]":
    found = Counter[tuple[str, str, str]]()
    for hub in numbers.hubs:
        for group in _green(hub.groups):
            found[group.function, group.place or "(no line of the program)", group.state] += group.count
    return found
