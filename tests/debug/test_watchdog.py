"""The watchdog: it tells which green thread kept its OS thread, and no other."""

import ctypes
import io
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import greening
from greening import tpool
from greening._originals import allocate_lock, monotonic, time_sleep
from greening.debug import hub_watch
from greening.debug.blocks import Block, Samples
from greening.debug.samples import Stack
from greening.debug.watchdog import Watch, watch

THRESHOLD = 0.02
LONG = 4 * THRESHOLD


class Reports:
    """Takes what is told, in the watchdog's OS thread."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._came = allocate_lock()
        self._came.acquire()

    def __call__(self, block: Block) -> None:
        self.blocks.append(block)
        if self._came.locked():
            self._came.release()

    def first(self) -> Block:
        assert self._came.acquire(True, 10), "nothing was told"
        return self.blocks[0]


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def watching(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A watchdog that tells early of a block that goes on: a test can go on until it is told."""
    monkeypatch.setattr(hub_watch, "TOLD_AFTER", 2 * THRESHOLD)
    monkeypatch.setattr(hub_watch, "TOLD_AFTER_THRESHOLDS", 2)
    with watch(THRESHOLD, reports) as watchdog:
        yield watchdog


def spawned(function: Callable[..., object], *args: Any) -> None:
    greening.spawn(function, *args).wait()


def compute(reports: Reports) -> None:
    latest = monotonic() + 10
    while not reports.blocks and monotonic() < latest:
        pass


def test_a_call_that_waits_is_told_with_its_line_and_a_remedy(watching: Watch, reports: Reports) -> None:
    def naps() -> None:
        while not reports.blocks:
            time_sleep(LONG)

    spawned(naps)
    block = reports.first()
    assert re.fullmatch(r"GreenThread-\d+ \(naps\)", block.name)
    assert block.line.file == __file__
    assert block.line.function.endswith("naps")
    assert block.call == "time_sleep(LONG)"
    assert block.computed is False
    assert block.seconds >= THRESHOLD
    assert "monkey_patch" in block.remedy or "audit" in block.remedy


def test_a_loop_that_computes_is_told(watching: Watch, reports: Reports) -> None:
    spawned(compute, reports)
    block = reports.first()
    assert block.line.function == "compute"
    assert block.computed is not False
    assert "another process" in block.remedy


def test_c_code_that_keeps_the_gil_is_told_at_its_line(watching: Watch, reports: Reports) -> None:
    usleep = ctypes.PyDLL(None).usleep

    def keeps_the_gil() -> None:
        while not reports.blocks:
            usleep(int(LONG * 1e6))

    spawned(keeps_the_gil)
    block = reports.first()
    assert block.call == "usleep(int(LONG * 1e6))"


@pytest.mark.slow  # two blocks, one of them long
def test_the_parts_of_a_block_are_told(reports: Reports) -> None:
    def first() -> None:
        time_sleep(3 * LONG)

    def second() -> None:
        time_sleep(LONG)

    def both() -> None:
        first()
        second()

    with watch(THRESHOLD, reports):
        spawned(both)
    places = [(line.function.rpartition(".")[2], part) for line, part in reports.first().places]
    assert [name for name, _ in places] == ["first", "second"]
    assert places[0][1] > 0.5


def test_a_green_thread_of_another_os_thread_is_told(watching: Watch, reports: Reports) -> None:
    def blocks_there() -> None:
        def other() -> None:
            while not reports.blocks:
                time_sleep(LONG)

        greening.spawn(other).wait()

    tpool.execute(blocks_there)
    assert reports.first().line.function.endswith("other")


def test_an_os_thread_with_nothing_else_to_run_blocks_nobody(watching: Watch, reports: Reports) -> None:
    def alone() -> None:
        greening.sleep(0)  # it has a hub
        time_sleep(LONG)

    tpool.execute(alone)
    assert not [block for block in reports.blocks if block.line.function.endswith("alone")]


def test_a_block_that_goes_on_is_told_before_it_is_over(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_watch, "TOLD_AFTER", 2 * THRESHOLD)
    monkeypatch.setattr(hub_watch, "TOLD_AFTER_THRESHOLDS", 2)

    def waits() -> None:
        end = monotonic() + 10
        while not reports.blocks and monotonic() < end:
            time_sleep(THRESHOLD / 4)
        time_sleep(THRESHOLD)

    with watch(THRESHOLD, reports):
        spawned(waits)
    assert [(block.over, block.count) for block in reports.blocks] == [(False, 1), (True, 1)]
    assert reports.blocks[0].seconds < reports.blocks[1].seconds


def test_the_handle_has_the_places_and_their_counts(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Samples] = []  # one for each block of `often`, as soon as the watchdog has looked at it

    class Seen(Samples):
        __slots__ = ()

        def add(self, stack: Stack, seconds: float) -> None:
            super().add(stack, seconds)
            if self not in seen and any(line.function.endswith("often") for line in stack):
                seen.append(self)

    monkeypatch.setattr(hub_watch, "Samples", Seen)
    monkeypatch.setattr(hub_watch, "TOLD_AFTER", 100.0)  # none is told while it goes on, on a busy machine neither

    def often(number: int) -> None:
        latest = monotonic() + 10
        while len(seen) < number and monotonic() < latest:
            time_sleep(THRESHOLD / 4)

    with watch(THRESHOLD, reports) as watching:
        for number in (1, 2, 3):
            spawned(often, number)
    (block,) = [found for found in watching.blocks if found.line.function.endswith("often")]
    assert block.count == 3
    assert block.total >= 3 * THRESHOLD
    counts = [told.count for told in reports.blocks if told.line == block.line]
    assert counts == [1, 3], "the first, and at the end what was only counted"


@pytest.mark.slow  # five blocks
def test_reports_go_to_a_file_a_stream_or_a_logger(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, stream = tmp_path / "blocks.log", io.StringIO()
    for to in (path, str(path), stream, logging.getLogger("mine"), None):
        with watch(THRESHOLD, to):
            spawned(time_sleep, LONG)
    assert path.read_text().count("kept its OS thread") == 2
    assert stream.getvalue().count("kept its OS thread") == 1
    assert [record.name for record in caplog.records if "kept" in record.getMessage()] == [
        "mine",
        "greening.debug.watch",
    ]


def test_a_program_whose_name_is_no_text_is_told_in_a_file(tmp_path: Path) -> None:
    names: dict[str, Any] = {"nap": time_sleep}
    exec(compile("def naps(seconds):\n    nap(seconds)\n", "\udcff.py", "exec"), names)
    path = tmp_path / "blocks.log"
    with watch(THRESHOLD, path):
        spawned(names["naps"], LONG)
    assert r"\udcff.py" in path.read_text()


def test_a_broken_callback_is_reported_and_the_watchdog_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    reports = Reports()

    def broken(block: Block) -> None:
        reports(block)
        raise KeyError("broken")

    latest = monotonic() + 10
    with watch(THRESHOLD, broken) as watching:
        while sum(block.count for block in watching.blocks) < 2 and monotonic() < latest:
            spawned(time_sleep, LONG)
    assert reports.blocks and watching.blocks[0].count >= 2
    assert {each.exc_type for each in unraisable} == {KeyError}


@pytest.mark.parametrize(
    ("threshold", "to", "error"),
    [
        ("0.1", None, TypeError),
        (True, None, TypeError),
        (0, None, ValueError),
        (-1, None, ValueError),
        (float("nan"), None, ValueError),
        (float("inf"), None, ValueError),
        (0.1, 5, TypeError),
    ],
)
def test_nonsense_is_refused(threshold: Any, to: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        watch(threshold, to)


def test_after_the_end_nothing_is_told(reports: Reports) -> None:
    with watch(THRESHOLD, reports) as watching:
        pass
    watching.stop()
    spawned(time_sleep, LONG)
    assert reports.blocks == []


# Whole programs


REGEX = """
import re
import greening
greening.monkey_patch()

def culprit():
    re.match(r"(a+)+$", "a" * 21 + "b")

greening.spawn(culprit).wait()
"""


def test_the_environment_asks_for_it(run_program: Any) -> None:
    done = run_program(REGEX, env={"GREENING_WATCH": "0.02"})
    assert "GreenThread-1 (culprit) kept its OS thread" in done.stderr
    assert "It computed" in done.stderr
    assert "backtracks less" in done.stderr


def test_the_command_line_asks_for_it(run_program: Any, tmp_path: Path) -> None:
    path = tmp_path / "blocks.log"
    done = run_program(REGEX, python_args=("-m", "greening", "--watch", f"0.02:{path}"))
    assert done.stderr == ""
    assert ", in culprit" in path.read_text()


def test_a_program_that_goes_to_another_folder_leaves_the_file_where_it_was_asked_for(
    run_program: Any, tmp_path: Path
) -> None:
    run_program("import os\nos.chdir('/')\n" + REGEX, python_args=("-m", "greening", "--watch", "0.02:blocks.log"))
    assert ", in culprit" in (tmp_path / "blocks.log").read_text()


def test_a_file_that_cannot_be_written_is_told_at_once(run_program: Any, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "blocks.log"
    done = run_program(REGEX, python_args=("-m", "greening", "--watch", f"0.02:{path}"), check=False)
    assert done.returncode == 2
    assert f"greening: {path} cannot be written: No such file or directory" in done.stderr
    with pytest.raises(FileNotFoundError):
        watch(0.1, path)


def test_a_loop_in_the_child_of_a_fork_has_computed(run_program: Any) -> None:
    program = (
        "import os, time\n"
        "def used(): return time.thread_time()\n"
        "while used() < 0.15: pass\n"  # the parent has used more than the child ever will
        "def culprit():\n    end = used() + 0.06\n    while used() < end: pass\n"
        "pid = os.fork()\n"
        "if pid: os.waitpid(pid, 0)\n"
        "else:\n    time.sleep(0.001)  # a turn of the child's own\n    culprit()\n"
    )
    done = run_program(program, python_args=("-m", "greening", "--watch", "0.02"))
    told = done.stderr.partition(", in culprit")[0].rpartition(" kept its OS thread")[2]  # by the child
    assert told != done.stderr and "It computed: 0.0" in told and "waited: -" not in told


@pytest.mark.parametrize("text", ["", "soon", "0", "-1:x"])
def test_a_threshold_that_is_none_is_refused(run_program: Any, text: str) -> None:
    done = run_program(REGEX, python_args=("-m", "greening", "--watch", text), check=False)
    assert done.returncode == 2
    assert "number of seconds" in done.stderr


def test_children_of_a_fork_are_watched_and_forking_brings_no_warning(run_program: Any) -> None:
    done = run_program(
        "import os, sys, time, warnings\n"
        "warnings.simplefilter('error')\n"
        "import greening\n"
        "def in_child():\n"
        "    time.sleep(0.1)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    greening.spawn(in_child).wait()\n"
        "    sys.exit(3)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n",
        env={"GREENING_WATCH": "0.03"},
    )
    assert done.stdout.split() == ["3"]
    assert "GreenThread-1 (in_child) kept its OS thread" in done.stderr


def test_the_main_greenlet_of_a_program_without_green_threads_is_watched(run_program: Any) -> None:
    done = run_program(
        "import time\nimport greening\nwith greening.debug.watch(0.03):\n    time.sleep(0.1)\n",
    )
    assert "main greenlet kept its OS thread" in done.stderr
    assert "time.sleep(0.1)" in done.stderr


def test_a_deadlock_is_reported_all_the_same(run_program: Any) -> None:
    done = run_program(
        "import greening\nlock = greening.Lock()\nlock.acquire()\nlock.acquire()\n",
        env={"GREENING_WATCH": "0.1"},
        check=False,
    )
    assert "Deadlock" in done.stderr


def test_imports_before_there_are_green_threads_are_not_told(run_program: Any, tmp_path: Path) -> None:
    (tmp_path / "slow_module.py").write_text("import time\ntime.sleep(0.1)\n")
    done = run_program(
        "import sys\nsys.path.insert(0, '')\nimport greening\ngreening.sleep(0)\nimport slow_module\n",
        env={"GREENING_WATCH": "0.03"},
    )
    assert done.stderr == ""


def test_nothing_of_it_is_loaded_unless_it_is_asked_for(run_program: Any) -> None:
    run_program(
        "import sys\n"
        "assert 'greening.debug.watchdog' not in sys.modules\n"
        "import greening.debug\n"
        "assert 'greening.debug.watchdog' not in sys.modules\n"
        "assert 'watch' in dir(greening.debug)\n"
        "greening.debug.watch\n"
        "assert 'greening.debug.watchdog' in sys.modules\n",
        python_args=("-m", "greening"),
    )
