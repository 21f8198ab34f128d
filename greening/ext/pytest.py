"""pytest with the standard library patched: `pytest -p greening --greening`.

    [tool.pytest.ini_options]
    addopts = ["-p", "greening", "--greening"]

`-p greening` loads this file, by way of `greening.pytest_plugins`, and adds options; nothing else. There is no entry
point "pytest11": a run of pytest that does not name greening does not import it. (An entry point would also have pytest
rewrite the assertions of the whole package.)

With `--greening`:

- Everything is patched before the first conftest.py is imported. Plug-ins that were imported before are reached as
  any other late patching does it. What cannot be reached in them is no warning, which filters may make an error of: no
  test can do anything about it. `greening.debug.audit()` lists it; `python -m greening -m pytest` comes before them.
- In a worker of pytest-xdist options arrive late: there it is patched after the conftest.py files of the command line,
  and before the collection.
- A green thread that a test leaves behind fails the test (`--greening-leaks`), and is killed. What fixtures of a wider
  scope have started may stay, and so may daemon threads of `threading`.
- `--greening-timeout SECONDS` ends a test that hangs, with the stacks of all green threads. pytest-timeout, if it is
  used, shows them, too.
"""

import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from types import ModuleType
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.task import Task
from greening._core.waiting import sleep
from greening.debug.dumping import waiting_as_text
from greening.errors import GreenletExit, PatchWarning
from greening.monkey import monkey_patch, patch_module
from greening.patcher.spec import Patch
from greening.timeout import Timeout

ACTIVE = "greening-active"  # the name of the plug-in that --greening adds

# Turns that threads get to end in, after the test that has told them to; and seconds for those that need longer.
TURNS = 10
GRACE = 0.1


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("greening", "greening: green threads")
    group.addoption("--greening", action="store_true", help="patch the standard library before anything is collected")
    group.addoption(
        "--greening-timeout",
        type=float,
        metavar="SECONDS",
        help="fail a test whose setup, call or teardown takes longer, and show the stacks of all green threads",
    )
    group.addoption(
        "--greening-leaks",
        choices=("fail", "warn", "allow"),
        default="fail",
        help="what green threads that a test leaves behind mean (default: fail)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    if early_config.known_args_namespace.greening:
        _patch()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not config.option.greening:
        return
    _patch()  # a worker of pytest-xdist comes by here only
    config.pluginmanager.register(GreenTests(config), ACTIVE)
    timeouts = sys.modules.get("pytest_timeout")
    if timeouts is not None:
        patch_module(Patch("pytest_timeout", "thread", {"dump_stacks": _with_green_stacks(timeouts)}), timeouts)


def pytest_report_header(config: pytest.Config) -> str | None:
    if not config.option.greening:
        return None
    return f"greening: patched, green threads left behind: {config.option.greening_leaks}"


def _patch() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PatchWarning)
        monkey_patch()


def _with_green_stacks(timeouts: ModuleType) -> Callable[[Any], None]:
    dump_stacks = timeouts.dump_stacks

    def dump_all_stacks(terminal: Any) -> None:
        dump_stacks(terminal)
        terminal.sep("~", title="Stacks of green threads")
        terminal.write(waiting_as_text())

    return dump_all_stacks


class GreenTests:
    """What `--greening` does around each test."""

    def __init__(self, config: pytest.Config) -> None:
        self._seconds: float | None = config.option.greening_timeout
        self._leaks: str = config.option.greening_leaks

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        return (yield from self._in_time(item, "setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        return (yield from self._in_time(item, "call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        return (yield from self._in_time(item, "teardown"))

    def _in_time(self, item: pytest.Item, when: str) -> Generator[None, object, object]:
        message = f"the {when} was still running after {self._seconds} s (--greening-timeout)"

        class StillRunning(pytest.fail.Exception):  # type: ignore[misc,name-defined]  # a class, as an attribute
            """Made when the time is up, before anything is unwound."""

            def __init__(self) -> None:
                super().__init__(message)
                item.add_report_section(when, "green threads", waiting_as_text())

        with Timeout(self._seconds, StillRunning):
            result = yield
        return result

    # Made after the fixtures of wider scopes and before those of the test, so it ends after these.
    @pytest.fixture(autouse=True)
    def _greening_leaks(self) -> Iterator[None]:
        before = _unfinished()
        yield
        left = _left_behind(before)
        if not left or self._leaks == "allow":
            return
        message = f"green threads are left behind: {', '.join(sorted(task.name for task in left))}"
        stacks = waiting_as_text()
        if self._leaks == "warn":
            warnings.warn(pytest.PytestWarning(f"{message}\n{stacks}"), stacklevel=1)
            return
        for task in left:
            task.interrupt(GreenletExit())
        sleep(0)
        pytest.fail(f"{message}; kill what the test has spawned, or wait for it\n\n{stacks}", pytrace=False)


def _unfinished() -> set[Task]:
    """The green threads of this OS thread that may not outlive their test."""
    hub = get_hub()
    tasks = {*hub.tasks(), *(task for task in tuple(hub.ready) if task.greenlet is None)}
    return {task for task in tasks if task.thread_object is None or not task.thread_object.daemon}


def _left_behind(before: set[Task]) -> set[Task]:
    for _ in range(TURNS):
        if not _unfinished() - before:
            return set()
        sleep(0)
    sleep(GRACE)
    return _unfinished() - before
