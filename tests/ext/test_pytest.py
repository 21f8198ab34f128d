"""`pytest -p greening --greening`, run as people run it: in a process of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.test_architecture import ROOT

Run = Callable[..., str]


@pytest.fixture
def run_pytest(run_program: Callable[..., Any], tmp_path: Path) -> Run:
    """Run pytest on the source of a test file; what it printed. `conftest` is another file."""

    def run(source: str, *options: str, passes: bool = True, conftest: str = "") -> str:
        (tmp_path / "test_it.py").write_text(source)
        (tmp_path / "conftest.py").write_text(conftest)
        arguments = ["-q", "-p", "no:cacheprovider", "-p", "greening", *options, str(tmp_path / "test_it.py")]
        program = f"import sys, pytest\nsys.exit(pytest.main({arguments!r}))\n"
        done = run_program(program, check=False, timeout=60)
        assert (done.returncode == 0) == passes, done.stdout + done.stderr
        return str(done.stdout)

    return run


PATCHED = """
import threading, time
import greening

def test_is_patched():
    assert greening.is_monkey_patched("thread")
    assert isinstance(threading.Lock(), greening.Lock)

def test_twenty_threads_sleep_at_once():
    begin = time.monotonic()
    threads = [threading.Thread(target=time.sleep, args=(0.1,)) for _ in range(20)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert time.monotonic() - begin < 1.5
"""


@pytest.mark.slow
def test_everything_is_patched_before_the_first_conftest(run_pytest: Run) -> None:
    conftest = "import greening\nassert greening.is_monkey_patched('thread')\n"
    assert "2 passed" in run_pytest(PATCHED, "--greening", conftest=conftest)


@pytest.mark.slow
def test_plug_ins_that_keep_originals_are_no_error_where_warnings_are(run_pytest: Run, tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text("import time\nTABLE = {'nap': time.sleep}\n")
    assert "2 passed" in run_pytest(PATCHED, "--greening", "-p", "early", "-W", "error")


@pytest.mark.slow
def test_without_the_option_nothing_is_patched_and_nothing_checked(run_pytest: Run) -> None:
    source = (
        "import greening, time\n"
        "def test_nothing():\n    assert not greening.is_monkey_patched('thread')\n"
        "def test_leak():\n    greening.spawn(greening.sleep, 100); greening.sleep(0)\n"
    )
    assert "2 passed" in run_pytest(source)


@pytest.mark.slow
def test_pytest_without_the_plugin_does_not_import_greening(run_program, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import sys\ndef test_it(): assert 'greening' not in sys.modules\n")
    arguments = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path / "test_it.py")]
    run_program(f"import sys, pytest\nsys.exit(pytest.main({arguments!r}))\n")


LEAKS = """
import threading, time
import greening, pytest

def test_spawned():
    greening.spawn(time.sleep, 100)

def test_thread():
    threading.Thread(target=time.sleep, args=(1,), name="forgotten").start()

def test_daemon():
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()

def test_ends_a_little_later():
    greening.spawn(time.sleep, 0.01)

def test_was_killed():
    greening.spawn(time.sleep, 100).kill()

@pytest.fixture(scope="module")
def server():
    thread = greening.spawn(time.sleep, 100)
    yield thread
    thread.kill()

def test_of_a_wider_scope(server):
    assert server is not None
"""


@pytest.mark.slow
def test_green_threads_that_a_test_leaves_behind_are_errors(run_pytest: Run) -> None:
    said = run_pytest(LEAKS, "--greening", passes=False)
    assert "6 passed, 2 errors" in said
    assert "ERROR" in said and "::test_spawned" in said and "::test_thread" in said
    assert "kill what the test has spawned, or wait for it" in said


@pytest.mark.slow
@pytest.mark.parametrize(("choice", "summary"), [("warn", "6 passed, 2 warnings"), ("allow", "6 passed in")])
def test_leaks_may_be_warnings_or_nothing(choice: str, summary: str, run_pytest: Run) -> None:
    assert summary in run_pytest(LEAKS, "--greening", f"--greening-leaks={choice}")


HANGS = """
import threading
import greening

def waits_for_ever(event):
    event.wait()

def test_hangs():
    event = threading.Event()
    other = greening.spawn(waits_for_ever, event)
    try:
        event.wait()
    finally:
        other.kill()

def test_next():
    pass
"""


@pytest.mark.slow
def test_a_test_that_hangs_fails_with_the_stacks_of_all_green_threads(run_pytest: Run) -> None:
    said = run_pytest(HANGS, "--greening", "--greening-timeout", "0.2", passes=False)
    assert "1 failed, 1 passed" in said
    assert "the call was still running after 0.2 s (--greening-timeout)" in said
    assert "in waits_for_ever" in said and "main greenlet" in said


@pytest.mark.slow
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_pytest_timeout_shows_green_threads_too(method: str, run_pytest: Run) -> None:
    pytest.importorskip("pytest_timeout")
    said = run_pytest(HANGS, "--greening", "--timeout", "1", "--timeout-method", method, "-s", passes=False)
    assert "Stacks of green threads" in said
    assert "in waits_for_ever" in said


@pytest.mark.slow
def test_workers_of_xdist_are_patched(run_pytest: Run) -> None:
    pytest.importorskip("xdist")
    assert "6 passed, 2 errors" in run_pytest(LEAKS, "--greening", "-n", "2", passes=False)


@pytest.mark.slow
def test_the_example_of_the_page(run_pytest: Run) -> None:
    page = (ROOT / "docs" / "integrations" / "pytest.md").read_text()
    assert "1 passed" in run_pytest(page.partition("```python\n")[2].partition("```")[0], "--greening")
