"""What every test may rely on: `run_program`, and a guard that ends the run when a test hangs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from math import inf
from os import write
from pathlib import Path
from typing import Any

import pytest
from greenlet import GreenletExit

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "programs"
HANG_GUARD = ROOT / "tests" / "hang_guard.py"

SECONDS_PER_TEST = 60
SECONDS_PER_SLOW_TEST = 300

Completed = subprocess.CompletedProcess[str]


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., Completed]:
    """Run a program in a fresh interpreter in which the checkout is importable.

    A program with a newline in it is source code, anything else a path: absolute, or relative to the checkout, or the
    name of a file in tests/programs. `args` are its arguments, `timeout` is in seconds, `env` is added to this
    process's environment, `python_args` stand before the program (`("-m", "greening")`). Its standard input is empty
    and its working directory is the test's own. With `check` an exit status other than 0 fails the test and shows what
    was printed. A program that takes too long is told to dump its stacks, killed with all its children, and fails the
    test.
    """

    def run(
        source_or_path: str | Path,
        *args: str,
        timeout: float = 30,
        env: dict[str, str] | None = None,
        check: bool = True,
        python_args: Sequence[str] = (),
    ) -> Completed:
        program = _program_file(source_or_path, tmp_path)
        command = [sys.executable, *python_args, str(program), *args]
        done, in_time = _run(command, cwd=tmp_path, env=_environment(env), timeout=timeout)
        if not in_time:
            pytest.fail(f"still running after {timeout} s: {_report(done)}", pytrace=False)
        if check and done.returncode != 0:
            pytest.fail(_report(done), pytrace=False)
        return done

    return run


def _program_file(source_or_path: str | Path, folder: Path) -> Path:
    if isinstance(source_or_path, str) and "\n" in source_or_path:
        number = len(list(folder.glob("program_*.py")))
        program = folder / f"program_{number}.py"
        program.write_text(source_or_path, encoding="utf-8")
        return program
    candidates = (ROOT / source_or_path, PROGRAMS / source_or_path)
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        pytest.fail(f"no such program: {source_or_path} (looked in {ROOT} and {PROGRAMS})")
    return found


def _environment(extra: dict[str, str] | None) -> dict[str, str]:
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1", "PYTHONIOENCODING": "utf-8", **(extra or {})}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
    return environment


def _run(command: list[str], *, cwd: Path, env: dict[str, str], timeout: float) -> tuple[Completed, bool]:
    """What it said and whether it ended in time. It leads a session, so that nothing of it outlives the call."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,
    ) as process:
        in_time = True
        try:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                in_time = False
                process.send_signal(signal.SIGABRT)  # faulthandler prints every thread's stack
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=2)
                _kill_group(process.pid)
                out, err = process.communicate()
        finally:
            _kill_group(process.pid)
    return subprocess.CompletedProcess(command, process.returncode, out, err), in_time


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _report(done: Completed) -> str:
    command = " ".join(done.args)
    return f"exit status {done.returncode}: {command}\n--- stdout ---\n{done.stdout}\n--- stderr ---\n{done.stderr}"


@pytest.fixture(autouse=True)
def _no_green_thread_is_left_behind() -> Iterator[None]:
    """Fail a test whose green threads outlive it: they would run in the middle of the next one."""
    before = _green_threads()
    yield
    for _ in range(10):  # the thread that was woken last may still have to finish
        left = _green_threads() - before
        if not left:
            return
        sys.modules["greening._core.waiting"].yield_now()
    names = ", ".join(sorted(task.name for task in left))
    for task in left:
        task.interrupt(GreenletExit())
    pytest.fail(f"left behind: {names}; kill what the test has spawned, or wait for it", pytrace=False)


def _set_slice(tries: int | None, until: float) -> None:
    """Set what is left of the running slice: tries (None: all), and the time at which to look whether it is over."""
    slices, compiled = sys.modules.get("greening._core.slices"), sys.modules.get("greening._compiled")
    if slices is None or compiled is None:
        return
    tries = slices.TRIES if tries is None else tries
    slices.SLICE.tries, slices.SLICE.until = tries, until
    if compiled.accelerator is not None:
        compiled.accelerator.set_slice(tries, until != inf)


@pytest.fixture
def set_slice() -> Callable[[int, float], None]:
    """Call it to set what is left of the running slice: tries, and when to look whether it is over."""
    return _set_slice


@pytest.fixture
def spent() -> Callable[[], None]:
    """Call it, and the next try lets others run first."""
    return lambda: _set_slice(1, inf)


@pytest.fixture(autouse=True)
def _slices_do_not_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """No task lets others run because it has had its slice: the order of things is that of the test alone.

    Otherwise a test would now and then find that a thread has not got as far as to wait: once in 1,024 calls, and where
    another process had the processor for a while.
    """
    steady = request.node.get_closest_marker("slices_end") is None
    if steady:
        _set_slice(1 << 30, inf)
    yield
    if steady:
        _set_slice(None, 0.0)


@pytest.fixture
def fake() -> Iterator[Any]:
    """A hub of the test's own, with fake time and fake descriptors (greening.testing.Fake). Nothing may be left on
    it.
    """
    testing = import_module("greening.testing")
    with testing.fake_hub() as fake:
        yield fake
        testing.settle()
        left = ", ".join(task.name for task in testing.unfinished(fake.hub))
    if left:
        pytest.fail(f"left behind: {left}; kill what the test has spawned, or wait for it", pytrace=False)


def _green_threads() -> set[Any]:
    """The unfinished green threads of this OS thread. Loads nothing: a test that has no hub gets none by this."""
    engine = sys.modules.get("greening._core.current")
    if engine is None or not engine.has_hub():
        return set()
    hub = engine.get_hub()
    return set(hub.tasks()) | {task for task in hub.ready if task.greenlet is None}


# -- The hang guard ----------------------------------------------------------------------------------------------------
# A test of this project that goes wrong mostly hangs. Then the stack of the main thread is the hub's, and does not name
# the test. faulthandler.dump_traceback_later would need a thread here: from 3.12 on, os.fork() warns of threads. An
# alarm would need a signal handler: while one is installed, the engine may not call a standstill a deadlock. So the
# guard is another process. It is no child of this one: a test may wait for any child. A pipe tells it which test runs.
# When a test takes too long, the guard prints the test's name and sends SIGABRT. faulthandler then prints the stacks.

_guard_pipe = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background jobs ignore these, and so would all programs under test.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if config.option.usepdb or config.option.collectonly or sys.gettrace() is not None:
        return  # the pause of a debugger is no hang
    reader, writer = os.pipe()
    try:
        subprocess.run([sys.executable, "-I", "-S", str(HANG_GUARD), str(os.getpid())], stdin=reader, check=True)
    finally:
        os.close(reader)
    config.stash[_guard_pipe] = writer


def pytest_unconfigure(config: pytest.Config) -> None:
    writer = config.stash.get(_guard_pipe, None)
    if writer is not None:
        os.close(writer)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    writer = item.config.stash.get(_guard_pipe, None)
    if writer is None:
        return (yield)
    seconds = SECONDS_PER_SLOW_TEST if item.get_closest_marker("slow") else SECONDS_PER_TEST
    _tell(writer, seconds, item.nodeid)
    try:
        return (yield)
    finally:
        _tell(writer, 0, "")


def pytest_enter_pdb(config: pytest.Config) -> None:
    writer = config.stash.get(_guard_pipe, None)
    if writer is not None:
        _tell(writer, 0, "")


def _tell(writer: int, seconds: int, nodeid: str) -> None:
    name = nodeid.encode("unicode_escape").decode("ascii")
    with suppress(BrokenPipeError):  # the guard was killed: the tests go on without it
        write(writer, f"{seconds} {name}\n".encode())
