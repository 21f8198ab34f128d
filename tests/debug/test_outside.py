"""The audit of what no name shows: modules that wait in C, OS threads, streams, interpreters."""

import sys
from types import ModuleType
from typing import Any

import pytest

from greening.debug import outside
from greening.debug.known import LIBRARIES, Blocker
from greening.debug.outside import foreign_threads, modules, plugins_at_work, version_of
from greening.patcher.ledger import LEDGER
from greening.patcher.plugins import Plugin

PATCHED = "import greening\ngreening.monkey_patch()\nfrom greening.debug import audit\n"
BLOCKER = Blocker("driver", ("driver._c",), "the server is asked", "use `tpool.execute`", "1.0", "driver.part")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """A library with a plug-in, loaded."""
    package = ModuleType("driver")
    package.__version__ = "2.5.1 (build 7)"  # type: ignore[attr-defined]  # as some say it
    monkeypatch.setitem(sys.modules, "driver", package)
    monkeypatch.setitem(sys.modules, "driver._c", ModuleType("driver._c"))
    monkeypatch.setattr(outside, "BLOCKERS", ())
    monkeypatch.setattr(outside, "LIBRARIES", (BLOCKER,))
    plugin = Plugin("driver.part", "here:there")
    monkeypatch.setattr(LEDGER, "plugins", [plugin])
    return plugin


def test_a_library_whose_plug_in_is_active_is_no_finding(driver: Plugin) -> None:
    driver.state = "active"
    assert list(modules()) == []
    assert plugins_at_work() == ["driver"]


def test_a_plug_in_that_is_off_or_failed_or_missed_the_import_is_told(driver: Plugin) -> None:
    (off,) = modules()
    assert (off.where, off.what) == ("driver._c 2.5.1", "driver stops everything while the server is asked")
    assert "it is off, by GREENING_PLUGINS" in off.remedy
    driver.state, driver.error = "failed", ValueError("no such thing")
    (failed,) = modules()
    assert "failed: ValueError: no such thing" in failed.remedy
    driver.state = "waiting"
    (waiting,) = modules()
    assert "waits for the import of driver.part" in waiting.remedy
    assert plugins_at_work() == []


def test_a_library_without_a_plug_in_has_its_remedy(driver: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "LIBRARIES", (BLOCKER._replace(plugin=""),))
    (found,) = modules()
    assert found.remedy == "use tpool.execute"


def test_the_version_is_that_of_the_package() -> None:
    assert version_of("greenlet._greenlet") == sys.modules["greenlet"].__version__
    assert version_of("no_such_module") == ""


def test_every_module_of_the_table_is_told_when_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LEDGER, "plugins", [])
    for library in LIBRARIES:
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, library.modules[0], ModuleType(library.modules[0]))
            assert any(found.where.split()[0] == library.modules[0] for found in modules()), library


def test_a_file_on_a_pipe_that_was_opened_before_is_named(run_program: Any) -> None:
    run_program(
        "import os\nreader, writer = os.pipe()\nearly = os.fdopen(reader)\ndisk = open(__file__)\n"
        + PATCHED
        + "late = os.fdopen(writer, 'w')\n"
        "(found,) = [finding for finding in audit() if finding.kind == 'stream']\n"
        "assert found.where == '__main__.early' and f'a pipe (descriptor {reader})' in found.what, found\n"
        "early.close()\n"
        "assert [finding for finding in audit() if finding.kind == 'stream'] == []\n"
    )


def test_one_that_only_a_local_variable_has_is_named_too(run_program: Any) -> None:
    run_program(
        "import subprocess\n"
        "def main():\n"
        "    process = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "    import greening\n"
        "    greening.monkey_patch()\n"
        "    found = [finding for finding in greening.debug.audit() if finding.kind == 'stream']\n"
        "    process.communicate()\n"
        "    return sorted(finding.where for finding in found)\n"
        "places = main()\n"
        "assert places == ['an instance of _io.BufferedReader', 'an instance of _io.BufferedWriter'], places\n"
    )


def test_a_debuggers_thread_is_left_out(run_program: Any) -> None:
    run_program(
        "import sys, threading, types\n"
        "debugger = sys.modules['pydevd'] = types.ModuleType('pydevd')\n"
        "exec('def serve(begun, gate):\\n    begun.set()\\n    gate.acquire()', vars(debugger))\n"
        "import _thread\n"
        "begun, gate = threading.Event(), _thread.allocate_lock()\n"
        "gate.acquire()\n"
        "thread = threading.Thread(target=debugger.serve, args=(begun, gate))\n"
        "thread.start()\n"
        "begun.wait()\n" + PATCHED + "assert [finding for finding in audit() if finding.kind == 'thread'] == []\n"
        "gate.release()\n"
        "thread.join()\n"
    )


def test_an_os_thread_from_before_the_patch_is_named_with_its_place(run_program: Any) -> None:
    done = run_program(
        "import _thread, threading\n"
        "begun = threading.Event()\n"
        "gate = _thread.allocate_lock()\n"
        "gate.acquire()\n"
        "def early():\n"
        "    begun.set()\n"
        "    gate.acquire()\n"
        "thread = threading.Thread(target=early, name='watcher')\n"
        "thread.start()\n"
        "begun.wait()\n" + PATCHED + "from greening import tpool\n"
        "tpool.execute(len, '')\n"
        "threading.Thread(target=begun.wait).start()\n"  # green
        "(found,) = [finding for finding in audit() if finding.kind == 'thread']\n"
        "print(found)\n"
        "gate.release()\n"
        "thread.join()\n"
        "assert [finding for finding in audit() if finding.kind == 'thread'] == []\n"
    )
    assert done.stdout.startswith("OS thread watcher: no green thread")
    assert ".py:7 in early\n" in done.stdout


@pytest.mark.skipif(outside._interpreters is None, reason="this Python has no module for other interpreters")
def test_other_interpreters_are_named(run_program: Any) -> None:
    run_program(
        PATCHED + "try:\n    import _interpreters as interpreters\n"
        "except ImportError:\n    import _xxsubinterpreters as interpreters\n"
        "number = interpreters.create()\n"
        "(found,) = [finding for finding in audit() if finding.kind == 'interpreter']\n"
        "assert found.where == f'interpreter {int(number)}', found\n"
        "interpreters.destroy(number)\n"
        "assert [finding for finding in audit() if finding.kind == 'interpreter'] == []\n"
    )


def test_threads_of_c_libraries_are_counted_by_name() -> None:
    counted = foreign_threads()
    assert all(count > 0 for count in counted.values())
