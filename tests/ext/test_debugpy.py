"""debugpy: breakpoints in green threads, with an editor attached, whichever was there first."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greening.ext import debugpy
from tests.ext.dap import Editor, attached
from tests.ext.servers import free_port
from tests.test_architecture import ROOT

PROGRAM = """\
import threading, time
def work(n):
    time.sleep(0.05 * n)
    x = n * 2
    y = x + 1  # line 5
    return y
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done")
"""

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

needs_monitoring = pytest.mark.skipif(sys.version_info < (3, 12), reason="the debugger needs sys.monitoring")


@contextmanager
def debugged(tmp_path: Path, before: list[str], after: list[str], source: str = PROGRAM) -> Iterator[Editor]:
    """The program under the debugger, which waits for an editor: `python {before} debugpy {after} program.py`."""
    pytest.importorskip("debugpy")
    program, port = tmp_path / "program.py", free_port()
    program.write_text(source)
    log = tmp_path / "log"
    listen = ["--listen", f"127.0.0.1:{port}", "--wait-for-client"]
    command = [sys.executable, "-Xfrozen_modules=off", *before, "-m", "debugpy", *listen, *after, str(program)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=tmp_path, env=ENVIRONMENT)
    try:
        with attached(port, process) as editor:
            yield editor
        assert process.wait(30) == 0, log.read_text()
        assert "done" in log.read_text()
    finally:
        process.kill()
        process.wait()


@needs_monitoring
@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [([], ["-m", "greening"]), (["-m", "greening"], [])],
    ids=["the debugger first", "greening first"],
)
def test_each_green_thread_stops_at_a_breakpoint(before: list[str], after: list[str], tmp_path: Path) -> None:
    with debugged(tmp_path, before, after) as editor:
        editor.run_through(str(tmp_path / "program.py"), 5)
        assert sorted(editor.stops) == [("work", 5, str(n)) for n in range(4)]
        assert len(editor.threads) == 4  # each is a thread for the debugger


SPAWNED = """\
import greening, time
def work(n):
    time.sleep(0.05 * n)
    x = n * 2
    y = x + 1  # line 5
    return y
for thread in [greening.spawn(work, n) for n in range(4)]: thread.wait()
print("done")
"""


@needs_monitoring
@pytest.mark.slow
def test_an_engine_whose_frames_the_debugger_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "GREENING_PURE", "1")
    with debugged(tmp_path, ["-m", "greening"], []) as editor:
        editor.run_through(str(tmp_path / "program.py"), 5)
        assert sorted(editor.stops) == [("work", 5, str(n)) for n in range(4)]
        assert len(editor.threads) == 4


@needs_monitoring
@pytest.mark.slow
@pytest.mark.parametrize("pure", ["0", "1"], ids=["compiled", "pure"])
def test_what_spawn_runs_stops_and_goes_on(pure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "GREENING_PURE", pure)
    with debugged(tmp_path, ["-m", "greening"], [], SPAWNED) as editor:
        editor.run_through(str(tmp_path / "program.py"), 5)
        assert sorted(editor.stops) == [("work", 5, str(n)) for n in range(4)]
        assert len(editor.threads) == 4


@needs_monitoring
@pytest.mark.slow
def test_a_program_that_patches_and_then_imports_the_debugger(tmp_path: Path) -> None:
    pytest.importorskip("debugpy")
    port = free_port()
    listening = f"import greening; greening.monkey_patch(); import debugpy; debugpy.listen({port})"
    source = f"{listening}; debugpy.wait_for_client()\n" + PROGRAM.partition("\n")[2].replace("threading.", "th.")
    source = source.replace("def work", "import threading as th, time\ndef work", 1).replace("    x = n * 2\n", "")
    program = tmp_path / "program.py"
    program.write_text(source)
    process = subprocess.Popen([sys.executable, "-Xfrozen_modules=off", str(program)], cwd=tmp_path, env=ENVIRONMENT)
    try:
        with attached(port, process) as editor:
            editor.run_through(str(program), 5)
            assert sorted(value for _, _, value in editor.stops) == ["0", "1", "2", "3"]
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="newer ones can")
def test_an_old_python_says_what_to_set(run_program) -> None:
    pytest.importorskip("debugpy")
    imports = "import debugpy._vendored.force_pydevd\nimport pydevd\n"
    done = run_program(f"import greening\ngreening.monkey_patch()\n{imports}")
    assert debugpy.TOO_OLD in done.stderr


@needs_monitoring
@pytest.mark.slow
def test_the_example_of_the_page(run_page) -> None:
    pytest.importorskip("debugpy")
    run_page("debugpy")
