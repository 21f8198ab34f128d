"""`greening.debug.stats`: the numbers of a process at one moment."""

import os
import resource
import sys
from types import FrameType
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.switching import switches_of
from greening._core.waiting import sleep
from greening.debug import numbers, stats
from greening.debug.numbers import HubStats, Places, place_of, thread_name
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.sync.queue import Queue
from greening.testing import Fake, FakePoller, settle


def of(fake: Fake[FakePoller]) -> HubStats:
    return next(hub for hub in stats(containers=False).hubs if hub.ident == fake.hub.thread)


def test_green_threads_are_grouped_by_function_and_line(fake: Fake[FakePoller]) -> None:
    gate = Event()

    def waits() -> None:
        gate.wait()

    def naps() -> None:
        sleep(10)

    for _ in range(3):
        spawn(waits)
    napping = [spawn(naps)]
    settle()
    napping.append(spawn(naps))
    numbers = of(fake)
    assert numbers.green_threads == 5
    assert numbers.timers >= 1 and numbers.ready == 1
    groups = {(group.function, group.state): group for group in numbers.groups}
    assert groups["waits", "event"].count == 3
    assert (
        groups["waits", "event"].place == f"test_numbers.py:{waits.__code__.co_firstlineno + 1} in {waits.__qualname__}"
    )
    assert groups["naps", "sleep"].count == groups["naps", "not begun"].count == 1
    assert groups["naps", "not begun"].place == ""
    assert numbers.groups[0].function == "waits"
    gate.send(None)
    for thread in napping:
        thread.kill()


def test_the_line_that_runs_is_the_main_greenlets(fake: Fake[FakePoller]) -> None:
    (main,) = (group for group in of(fake).groups if not group.function)
    assert main.state == "running" and " in " in main.place


def test_switches_and_rounds_grow(fake: Fake[FakePoller]) -> None:
    before = of(fake)
    spawn(sleep, 0)
    settle()
    after = of(fake)
    assert after.switches > before.switches and after.rounds > before.rounds
    assert switches_of(fake.hub) >= after.switches


def test_threads_of_the_stdlib_have_their_target_or_their_class(run_program: Any) -> None:
    run_program(
        "import greening\n"
        "greening.monkey_patch()\n"
        "import threading, functools, time\n"
        "class Ticker(threading.Thread):\n"
        "    def run(self): time.sleep(10)\n"
        "def work(n): time.sleep(10)\n"
        "Ticker(daemon=True).start()\n"
        "threading.Thread(target=work, args=(1,), daemon=True).start()\n"
        "threading.Thread(target=functools.partial(work, 1), daemon=True).start()\n"
        "time.sleep(0)\n"
        "(hub,) = greening.debug.stats().hubs\n"
        "assert {group.function: group.count for group in hub.groups} == {'': 1, 'Ticker': 1, 'work': 2}, hub\n"
    )


def test_pools_and_queues_are_found_by_their_place(run_program: Any) -> None:
    run_program(
        "import greening\n"
        "pool = greening.GreenPool(3)\n"
        "class Jobs(greening.Queue): pass\n"
        "jobs, light = Jobs(5), [greening.LightQueue()]\n"
        "for n in range(2): jobs.put(n)\n"
        "pool.spawn(light[0].get)\n"
        "greening.sleep(0)\n"
        "numbers = greening.debug.stats()\n"
        "(one,) = numbers.pools\n"
        "assert (one.where, one.size, one.running, one.waiting) == ('__main__.pool', 3, 1, 0), one\n"
        "found = {queue.where: queue for queue in numbers.queues}\n"
        "assert (found['__main__.jobs'].kind, found['__main__.jobs'].items) == ('Jobs', 2)\n"
        "assert (found['__main__.jobs'].maxsize, found['__main__.jobs'].unfinished) == (5, 2)\n"
        "assert (found['__main__.light[0]'].getters, found['__main__.light[0]'].maxsize) == (1, None)\n"
        "assert greening.debug.stats(containers=False).pools == ()\n"
    )


def test_native_pools_tell_their_calls(run_program: Any) -> None:
    run_program(
        "import greening\n"
        "from greening import tpool\n"
        "assert greening.debug.stats().native_pools == ()\n"
        "tpool.execute(len, '')\n"
        "(pool,) = greening.debug.stats().native_pools\n"
        "assert (pool.name, pool.threads, pool.idle, pool.backlog, pool.calls) == ('tpool', 1, 1, 0, 1), pool\n"
    )


def test_what_grows_if_something_leaks() -> None:
    before = stats().process
    held = [os.pipe() for _ in range(5)]
    after = stats().process
    for pair in held:
        os.close(pair[0])
        os.close(pair[1])
    assert after.open_files == before.open_files + 10
    assert after.files_limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert after.memory > 1_000_000 and after.threads >= 1 and after.objects > 1000


def test_a_pool_that_is_gone_is_not_counted() -> None:
    pool, queue = GreenPool(7919), Queue[int](7919)
    assert any(one.size == 7919 for one in stats().pools) and any(one.maxsize == 7919 for one in stats().queues)
    del pool, queue
    assert not any(one.size == 7919 for one in stats().pools)


def test_another_os_thread_may_ask(run_program: Any) -> None:
    run_program(
        "import greening\n"
        "from greening import tpool\n"
        "greening.spawn(greening.sleep, 10)\n"
        "greening.sleep(0)\n"
        "(hub,) = tpool.execute(greening.debug.stats).hubs\n"
        "assert hub.green_threads == 1 and hub.thread == 'MainThread' and hub.cpu > 0, hub\n"
    )


def test_a_code_object_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    monkeypatch.setattr(numbers, "is_machinery", lambda frame: looked.append(frame) or False)
    places = Places()
    told = [places.of(sys._getframe()) for _ in range(3)]
    assert len(set(told)) == 1 and told[0].startswith("test_numbers.py:")
    assert len(looked) == 1
    assert places.of(None) == ""


@pytest.mark.parametrize("ident", [12345])
def test_an_os_thread_without_a_name_has_its_number(ident: int) -> None:
    assert thread_name(ident) == "OS thread 0x3039"


def frame_in(file: str, function: str, caller: str) -> FrameType:
    """A frame of a function in a file of that name; it was called by the function `caller` in the file app.py."""
    names: dict[str, Any] = {"sys": sys}
    exec(compile(f"def {function}():\n    return sys._getframe()", file, "exec"), names)
    exec(compile(f"def {caller}():\n    return {function}()", "/srv/app.py", "exec"), names)
    frame: FrameType = names[caller]()
    return frame


def test_a_place_is_the_programs_own_line_and_not_one_of_the_library_that_it_calls() -> None:
    driver = "/srv/.venv/lib/python3.13/site-packages/driver.py"
    assert Places().of(frame_in(driver, "execute", "order")) == "app.py:2 in order"
    assert place_of(frame_in("/srv/other.py", "price", "order")) == "other.py:2 in price"
