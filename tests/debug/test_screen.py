"""The screen of `python -m greening top`, drawn from made-up numbers."""

from dataclasses import replace
from io import StringIO

import pytest

rich_console = pytest.importorskip("rich.console", reason="the extra `top` is not installed")

from greening.debug.numbers import Group, HubStats, PoolStats, ProcessStats, QueueStats, Stats
from greening.debug.observing import HubWatch, Observation, Spot
from greening.debug.screen import screen
from greening.threads.native_job import NativeNumbers


def stats_of(time: float, rounds: int, switches: int, groups: tuple[Group, ...]) -> Stats:
    hub = HubStats(
        thread="MainThread",
        ident=1,
        asleep=False,
        rounds=rounds,
        switches=switches,
        ready=2,
        green_threads=sum(group.count for group in groups),
        groups=groups,
        descriptors=4,
        waited=2,
        timers=1234,
        native_calls=0,
        runners=3,
        idle_runners=0,
        cpu=0.0,
    )
    return Stats(
        7,
        time,
        (hub,),
        (NativeNumbers("tpool", 20, 5, 2, 4, 9),),
        (PoolStats("app.pool", 50, 50, 3),),
        (QueueStats("app.jobs", "Queue", 8, 10, 0, 0, 0), QueueStats("app.free", "Queue", 8, None, 0, 0, 0)),
        ProcessStats(120, 20000, 64 * 2**20, 2, 5000, 0),
    )


def observation() -> Observation:
    before = stats_of(10.0, 1000, 5000, (Group("fetch", "app.py:3 in fetch", "descriptor", 10, 1.0),))
    groups = (
        Group("fetch", "app.py:3 in fetch", "descriptor", 25, 2.0),
        Group("an_extraordinarily_long_name", "a_module_with_a_long_name.py:1234 in Class.method", "lock", 2, 1.0),
    )
    watch = HubWatch("MainThread", 1, busy=1.0, held=0.6, cpu=1.0, ready_sum=30, ready_most=9, looks=20, delay=0.0042)
    watch.spots["app.py:9 in parse"] = Spot("app.py:9 in parse", seconds=1.0, cpu=0.8, held=0.6)
    return Observation(2.0, before, stats_of(12.0, 3000, 25000, groups), (watch,))


def lines_of(seen: Observation, command: tuple[str, ...] = ("/srv/site/app.py", "--port", "80")) -> list[str]:
    out = StringIO()
    rich_console.Console(file=out, width=80, no_color=True).print(screen(seen, list(command)))
    return out.getvalue().splitlines()


def test_it_fits_a_terminal_of_80_columns_and_24_lines() -> None:
    lines = lines_of(observation())
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[0] == "process 7: app.py --port 80"
    assert len(lines_of(observation(), ("python", "x" * 200))[0]) <= 80


def test_rates_are_differences_by_the_seconds_in_between() -> None:
    (row,) = (line.split() for line in lines_of(observation()) if line.startswith("MainThread"))
    assert row == "MainThread 1,000 10,000 1.5 (most 9) 4.2 ms 50 % 600.0 ms".split()


def test_places_by_cpu_and_by_the_time_that_they_blocked() -> None:
    lines = lines_of(observation())
    (place,) = (line.split() for line in lines if "in parse" in line)
    assert place == "40 % 600.0 ms app.py:9 in parse".split()
    assert any("turns too short to be seen" in line and "10 %" in line for line in lines)


def test_what_waits_and_how_it_grows() -> None:
    lines = lines_of(observation())
    assert "27 green threads (+17): 25 descriptor, 2 lock" in lines
    (fetch,) = (line.split() for line in lines if "fetch" in line)
    assert fetch == "25 +15 fetch app.py:3 in fetch descriptor".split()


def test_what_is_too_long_keeps_the_part_that_tells() -> None:
    (line,) = (line for line in lines_of(observation()) if "lock" in line and "Class" in line)
    assert "an_extraordinar…" in line and "…_name.py:1234 in Class.method" in line


def test_of_many_queues_the_fullest_are_shown() -> None:
    queues = tuple(QueueStats(f"app.q{number}", "Queue", number, None, 0, 0, 0) for number in range(30))
    seen = observation()
    text = " ".join(lines_of(replace(seen, after=replace(seen.after, queues=queues))))
    assert "app.q29" in text and "app.q26" in text and "app.q25" not in text


def test_queues_without_a_place_of_their_own_are_counted() -> None:
    place = "an instance of app.Queue"
    unnamed = tuple(QueueStats(place, "Queue", number, 100, 0, 1, 0) for number in range(30))
    seen = observation()
    queues = (*unnamed, QueueStats("app.jobs", "Queue", 3, None, 0, 0, 0))
    lines = lines_of(replace(seen, after=replace(seen.after, queues=queues)))
    assert sum("Queue" in line for line in lines) == 1
    assert any("30 of app.Queue, 435 items   app.jobs 3 items" in line for line in lines)


def test_resources_are_told_with_their_limits() -> None:
    text = " ".join(" ".join(lines_of(observation())).split())
    for part in ("descriptors 120 of 20,000", "timers 1,234", "memory 64 MiB", "tpool 3 of 20 threads, 4 wait"):
        assert part in text
    assert any(line.endswith("objects 5,000") for line in lines_of(observation())), "no part is cut in two"
    assert "app.pool 50 of 50, 3 wait" in text and "app.jobs 8 of 10 items" in text and "app.free 8 items" in text


def test_a_process_without_a_hub_has_a_screen_too() -> None:
    seen = observation()
    bare = replace(seen, before=replace(seen.before, hubs=()), after=replace(seen.after, hubs=()), watches=())
    assert "0 green threads: none" in lines_of(bare)


def test_names_of_the_program_cannot_move_the_cursor() -> None:
    bad = "\x1b[2J\n"
    seen = observation()
    after = replace(
        seen.after,
        hubs=(replace(seen.after.hubs[0], thread=bad, groups=(Group(bad, bad, "lock", 2, 1.0),)),),
        queues=(QueueStats(bad, "Queue", 1, None, 0, 0, 0),),
    )
    watch = HubWatch(bad, 1, cpu=1.0, spots={bad: Spot(bad, cpu=1.0)})
    lines = lines_of(replace(seen, after=after, watches=(watch,)), (bad, bad))
    assert "\x1b" not in "".join(lines)
    assert len(lines) <= 24 and sum("\\x1b[2J\\n" in line for line in lines) == 5


def test_os_threads_without_a_name_are_told_apart() -> None:
    seen = observation()
    hub = seen.after.hubs[0]
    two = tuple(replace(hub, ident=n, thread=f"OS thread 0x7f351bf206c{n}") for n in (1, 2))
    lines = "\n".join(lines_of(replace(seen, after=replace(seen.after, hubs=two))))
    assert "0x7f351bf206c1" in lines and "0x7f351bf206c2" in lines
