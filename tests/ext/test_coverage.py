"""coverage.py measures programs with green threads."""

from pathlib import Path

import pytest

pytest.importorskip("coverage")

MEASURED = """\
import threading, time
import greening
def work(n):
    time.sleep(0.01)
    x = n
    time.sleep(0.01)
    return x
threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
green = [greening.spawn(work, n) for n in range(5)]
assert [each.wait() for each in green] == list(range(5))
"""

MEASURE = """
import sys
sys.path.insert(0, {folder!r})
{before}
import coverage
cover = coverage.Coverage(data_file=None, include=[{path!r}], config_file=False, concurrency={concurrency!r})
cover.start()
{after}
import measured
cover.stop()
missing = cover.analysis2({path!r})[3]
assert missing == [], missing
"""

PATCH = "import greening; greening.monkey_patch()"


def measure(folder: Path, before: str = "", after: str = "", concurrency: list[str] | None = None) -> str:
    path = folder / "measured.py"
    path.write_text(MEASURED)
    return MEASURE.format(folder=str(folder), path=str(path), before=before, after=after, concurrency=concurrency)


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [None, ["thread"], ["greenlet"]])
def test_no_line_of_a_green_thread_is_missed(concurrency: list[str] | None, run_program, tmp_path: Path) -> None:
    run_program(measure(tmp_path, PATCH, concurrency=concurrency), env={"COVERAGE_CORE": "ctrace"})


@pytest.mark.slow
def test_coverage_that_is_imported_first_is_told_too(run_program, tmp_path: Path) -> None:
    run_program(measure(tmp_path, "import coverage; import coverage.collector\n" + PATCH))


@pytest.mark.slow
def test_a_measurement_that_has_begun_says_what_to_set(run_program, tmp_path: Path) -> None:
    core = {"COVERAGE_CORE": "ctrace"}
    late = run_program(measure(tmp_path, after=PATCH), env=core, check=False)
    assert "Set `concurrency = greenlet`" in late.stderr
    told = run_program(measure(tmp_path, after=PATCH, concurrency=["greenlet"]), env=core)
    assert told.stderr == ""


@pytest.mark.slow
def test_the_core_on_sys_monitoring_is_left_alone(run_program, tmp_path: Path) -> None:
    done = run_program(measure(tmp_path, PATCH), env={"COVERAGE_CORE": "sysmon"}, check=False)
    assert "concurrency" not in done.stderr


def test_unpatching_leaves_coverage_as_it_was(run_program) -> None:
    run_program(
        "import coverage.collector\nbefore = coverage.collector.Collector.__init__\n"
        "import greening\ngreening.monkey_patch()\n"
        "assert coverage.collector.Collector.__init__ is not before\n"
        "greening.unpatch()\nassert coverage.collector.Collector.__init__ is before\n"
    )


@pytest.mark.slow
def test_the_example_of_the_page(run_page) -> None:
    run_page("coverage")
