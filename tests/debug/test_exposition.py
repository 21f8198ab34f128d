"""`greening.debug.metrics`: the numbers in Prometheus's text format."""

import re
from dataclasses import replace

from greening.debug import metrics, stats
from greening.debug.exposition import exposition
from greening.debug.numbers import Group, HubStats, PoolStats, ProcessStats, QueueStats, Stats
from greening.threads.native_job import NativeNumbers

HUB = HubStats(
    thread="MainThread",
    ident=1,
    asleep=False,
    rounds=10,
    switches=20,
    ready=3,
    green_threads=3,
    groups=(
        Group("", "app.py:9 in <module>", "sleep", 1, 0.0),
        Group("work", "app.py:1 in work", "lock", 2, 5.5),
        Group("work", "app.py:2 in work", "lock", 1, 7.5),
    ),
    descriptors=4,
    waited=2,
    timers=6,
    native_calls=1,
    runners=3,
    idle_runners=0,
    cpu=1.25,
)
NUMBERS = Stats(
    pid=7,
    time=1.0,
    hubs=(HUB,),
    native_pools=(NativeNumbers("tpool", 20, 2, 1, 0, 9), NativeNumbers("tpool", 20, 1, 0, 4, 1)),
    pools=(PoolStats("app.pool", 10, 4, 1), PoolStats("app.pool", 5, 0, 0)),
    queues=(QueueStats('app.q["a\\b"]', "Queue", 3, None, 0, 2, 1),),
    process=ProcessStats(10, 1024, 1_000_000, 2, 5000, 0),
)

SAMPLE = re.compile(r'^([a-z_]+)(\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (\S+)$')


def samples(text: str) -> dict[str, float]:
    """The samples by name and labels; each line must have the form that the format demands."""
    found: dict[str, float] = {}
    described: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# "):
            described.add(line.split()[2])
            continue
        matched = SAMPLE.match(line)
        assert matched, line
        assert matched[1] in described, line
        key = matched[1] + (matched[2] or "")
        assert key not in found, f"{key} comes twice"
        found[key] = float(matched[4])
    assert text.endswith("\n")
    return found


def test_every_number_is_there_under_its_labels() -> None:
    found = samples(exposition(NUMBERS))
    assert found['greening_hub_switches_total{thread="MainThread"}'] == 20
    assert found['greening_hub_cpu_seconds_total{thread="MainThread"}'] == 1.25
    assert found['greening_green_threads{thread="MainThread",function="work",state="lock"}'] == 3
    assert found['greening_green_thread_oldest_seconds{thread="MainThread",function="work"}'] == 7.5
    assert found['greening_native_calls_total{pool="tpool"}'] == 10, "pools of one name are added up"
    assert found['greening_pool_running{pool="app.pool"}'] == 4
    assert found['greening_pool_running{pool="app.pool #2"}'] == 0
    assert found['greening_queue_getters{queue="app.q[\\"a\\\\b\\"]"}'] == 2
    assert found["greening_open_files"] == 10


def test_os_threads_of_one_name_have_samples_of_their_own() -> None:
    text = exposition(replace(NUMBERS, hubs=(HUB, replace(HUB, ident=2))))
    samples = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == len(set(samples)), "Prometheus refuses a sample that comes twice"
    assert 'greening_hub_ready{thread="MainThread #2"}' in samples


def test_what_was_not_looked_for_is_not_there() -> None:
    bare = replace(NUMBERS, pools=(), queues=(), process=replace(NUMBERS.process, objects=0))
    found = samples(exposition(bare))
    assert not any("pool_size" in key or "queue" in key or key == "greening_objects" for key in found)


def test_this_process_has_numbers() -> None:
    assert samples(metrics())["greening_os_threads"] >= 1
    assert "greening_objects " in metrics() and "greening_objects " not in metrics(containers=False)
    assert stats().pid > 0
