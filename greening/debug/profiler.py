"""The profiler: where the time goes, by the function of the green thread, running and waiting apart.

An OS thread of its own takes a sample of every hub's OS thread a hundred times a second.

Facts: the sampler needs the GIL. If it waited for a hub to give it up, every sample would show the hub at its look for
descriptors. After `sys.getswitchinterval` seconds a thread that waits has the GIL taken from a thread that runs Python,
wherever that is. Linux adds 50 microseconds to a wait, which a thread can forgo (PR_SET_TIMERSLACK of prctl(2)). A
stack has some 50 frames; a program may have ten thousand green threads that wait.
Decision: while the sampler sleeps the switch interval is ten microseconds; while it works it is the program's. Measured
with turns of 1.6 us, of which 88 per cent are the green thread's own: 84 to 89 per cent of the samples are, too, and 56
with the 50 microseconds. Green threads that wait are looked at a few at a time, so that a sweep of all may take
seconds; each counts for the time since the last sweep. No signals, which would interrupt system calls of the program.

So a sample shows a line of Python. Time in C code that keeps the GIL counts for the line that called it.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, Final

from greening._core.current import hubs
from greening._core.deadlock import idle_natives
from greening._core.hub import Hub
from greening._core.task import PARKED, Task
from greening._originals import builtin_open, current_frames, get_native_id, monotonic
from greening.debug.flame import Function, Weights, folded, format_of, speedscope
from greening.debug.frames import is_machinery_file, is_ours_file
from greening.debug.periodic import Periodic
from greening.debug.samples import DEPTH, use_of
from greening.debug.waits import wait_of

CLOCKS: Final = ("wall", "cpu", "both")
# Seconds between two samples.
INTERVAL: Final = 0.01
# Green threads that wait which are looked at with each sample.
_AT_ONCE: Final = 50
# Seconds after which a thread that runs Python gives the GIL to the sampler.
_AT_ANY_LINE: Final = 0.00001

RUNNING: Final = "running, elapsed time"
PROCESSOR: Final = "running, processor time"
WAITING: Final = "waiting"

Codes = tuple[CodeType, ...]


class Profile:
    """A profile that is being taken; made by `profile`. As a context manager it ends with the block.

    Attributes:
        path: the file that is written at the end, as an absolute path; None: none.
        samples: how many have been taken.
    """

    def __init__(self, path: str | os.PathLike[str] | None, clock: str, interval: float) -> None:
        self.path = None if path is None else os.path.abspath(path)  # the program may go to another folder meanwhile
        self._clock = clock
        self._interval = interval
        self.samples = 0
        self._running: dict[Codes, float] = {}
        self._processor: dict[Codes, float] = {}
        # By the innermost instruction, too: one function may wait for several things.
        self._waiting: dict[tuple[Codes, int], float] = {}
        self._kinds: dict[tuple[Codes, int], str] = {}
        self._began = self._looked = monotonic()
        self._used: dict[Hub, float] = {}
        self._theirs = sys.getswitchinterval()
        self._sweep = self._sweeps()
        self._thread = Periodic(self._look, interval, self._started, self._give_interval_back, self._in_child)

    def begin(self) -> None:
        """Start to take samples."""
        _running.append(self)
        self._began = self._looked = monotonic()
        self._used = {hub: _ran(hub) for hub in tuple(hubs)}
        self._thread.begin()

    def stop(self) -> None:
        """End it, and write the file. Thread-safe, idempotent."""
        if self in _running:
            _running.remove(self)
            self._thread.end()
            self._sweep_last()
            if self.path is not None:
                self.save(self.path)

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    # What came of it

    def profiles(self) -> dict[str, Weights]:
        """The stacks and their seconds, for each of what `clock` has asked for: running, waiting, on a processor."""
        found: dict[str, Weights] = {}
        if self._clock != "cpu":
            found[RUNNING] = _named(self._running)
        if self._clock != "wall":
            found[PROCESSOR] = _named(self._processor)
        if self._clock != "cpu":
            waiting: dict[tuple[Function, ...], float] = {}
            for key, seconds in tuple(self._waiting.items()):
                stack = (*_functions(_without_wait(key[0])), Function(f"waits: {self._kinds[key]}"))
                waiting[stack] = waiting.get(stack, 0.0) + seconds
            found[WAITING] = waiting
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what there is until now. The format goes by the suffix: see `profile`."""
        kind = format_of(path)
        title = " ".join(sys.argv[:1]) or "greening"
        text = folded(self.profiles()) if kind == "folded" else speedscope(self.profiles(), title)
        with builtin_open(path, "w", encoding="utf-8") as file:
            file.write(text)

    # In the OS thread

    def _started(self) -> None:
        _wait_precisely()
        self._looked = monotonic()  # nothing is known of the time before

    def _look(self) -> float:
        sys.setswitchinterval(self._theirs)
        now = monotonic()
        passed, self._looked = now - self._looked, now
        frames = current_frames()
        self.samples += 1
        seen = [(hub, _codes(frames.get(hub.thread)) if _is_awake(hub) else ()) for hub in tuple(hubs)]
        del frames
        for hub, codes in seen:
            ran = _ran(hub)
            used = ran - self._used.get(hub, ran)
            if codes:
                self._running[codes] = self._running.get(codes, 0.0) + passed
                self._processor[codes] = self._processor.get(codes, 0.0) + used
            if codes or hub not in self._used:  # what it used before it slept counts for what is seen next
                self._used[hub] = ran
        next(self._sweep)
        self._theirs = sys.getswitchinterval()
        sys.setswitchinterval(_AT_ANY_LINE)
        return self._interval

    def _sweeps(self) -> Iterator[bool]:
        """Look at all green threads that wait, again and again, a few at a time. False: these were the last."""
        before = self._began
        while True:
            now = monotonic()
            passed, before = now - before, now
            tasks = [task for hub in tuple(hubs) for task in (hub.main, *hub.tasks(), *tuple(hub.adopted))]
            for number, task in enumerate(tasks, 1):
                if task.state == PARKED:
                    self._note_wait(task, passed)
                if number % _AT_ONCE == 0:
                    yield True
            del tasks
            yield False

    def _sweep_last(self) -> None:
        """Look at all that wait once more, for the time since the last look at each."""
        for _ in range(2):  # to the end of the sweep that is under way, and one that is whole
            while next(self._sweep):
                pass

    def _note_wait(self, task: Task, seconds: float) -> None:
        frame = task.gr_frame
        if frame is None:
            return
        key = _codes(frame), frame.f_lasti
        if key not in self._kinds:
            self._kinds[key] = wait_of(task).kind
        self._waiting[key] = self._waiting.get(key, 0.0) + seconds

    def _in_child(self) -> bool:
        """The profile, and its file, are the parent's."""
        if self in _running:
            _running.remove(self)
        return False

    def _give_interval_back(self) -> None:
        if sys.getswitchinterval() != self._theirs:
            sys.setswitchinterval(self._theirs)


def _wait_precisely() -> None:
    """Have the waits of this OS thread end in time. Source: proc_pid_timerslack_ns(5)."""
    try:
        with builtin_open(f"/proc/{get_native_id()}/timerslack_ns", "w", encoding="ascii") as file:
            file.write("1")
    except OSError:
        return


def _is_awake(hub: Hub) -> bool:
    return hub.awake_ident != 0 and hub.native_id not in idle_natives


def _ran(hub: Hub) -> float:
    use = use_of(hub.native_id)
    return 0.0 if use is None else use.ran


def _codes(frame: FrameType | None) -> Codes:
    """The functions of a stack, the outermost first."""
    codes: list[CodeType] = []
    while frame is not None and len(codes) < DEPTH:
        codes.append(frame.f_code)
        frame = frame.f_back
    return tuple(codes[::-1])


def _without_wait(codes: Codes) -> Codes:
    """A stack without greening's functions at its end: what they wait for is told instead."""
    end = len(codes)
    while end > 1 and is_ours_file(codes[end - 1].co_filename):
        end -= 1
    return codes[:end]


def _named(weights: dict[Codes, float]) -> Weights:
    named: dict[tuple[Function, ...], float] = {}
    for codes, seconds in tuple(weights.items()):
        stack = _functions(codes)
        named[stack] = named.get(stack, 0.0) + seconds
    return named


def _functions(codes: Codes) -> tuple[Function, ...]:
    """The frames of a flame graph. The first says whose stack it is."""
    users = next((index for index, code in enumerate(codes) if not is_machinery_file(code.co_filename)), None)
    if users is None:
        if any(code.co_qualname == "Hub._run" and is_ours_file(code.co_filename) for code in codes):
            return (Function("hub"), *map(_function, codes))
        users = 0
    first = codes[users]
    owner = "main greenlet" if first.co_name == "<module>" else f"green thread ({first.co_name})"
    return (Function(owner), *map(_function, codes[users:]))


def _function(code: CodeType) -> Function:
    return Function(code.co_qualname, code.co_filename, code.co_firstlineno)


def profile(path: str | os.PathLike[str] | None = None, *, clock: str = "both", interval: float = INTERVAL) -> Profile:
    """Begin to take a profile of all hubs: where the green threads run, and where they wait.

    Stacks begin with the function of the green thread: all that run `fetch` are one. Waiting is counted for each green
    thread, so that a hundred of them wait a hundred seconds in one. OS threads without a hub are not seen.

    Args:
        path: the file that is written at the end. ".json" is the format of speedscope (https://www.speedscope.app), one
            file with all profiles; ".txt" and ".folded" are folded stacks, for flamegraph.pl and its like. None: none.
        clock: "wall" is elapsed time, running and waiting; "cpu" is time on a processor; "both".
        interval: seconds between two samples.
    Returns:
        The profile, for `stop` or `with`. It also ends with the interpreter. In the child of a fork it has ended.
    Raises:
        ValueError: the name of the file has another suffix; there is no such clock; the interval is not above 0.
        OSError: the file cannot be written.
    Thread-safety: call it in any OS thread. One at a time: `sys.getswitchinterval` is changed meanwhile.
    Difference from cProfile and py-spy: those know OS threads; here each green thread has its own stack, and waiting is
    told from running.
    """
    if clock not in CLOCKS:
        raise ValueError(f"the clock is one of {', '.join(CLOCKS)}, not {clock!r}")
    if not interval > 0:
        raise ValueError(f"the interval is a number of seconds above 0, not {interval!r}")
    if _running:
        raise RuntimeError("a profile is being taken already: stop it first")
    if path is not None:
        format_of(path)
        with builtin_open(path, "a", encoding="utf-8"):
            pass  # now, and not when the program has ended
    made = Profile(path, clock, interval)
    made.begin()
    return made


# The one that is being taken, if there is one.
_running: list[Profile] = []


def _stop_all(*_: Any) -> None:
    for taken in tuple(_running):
        try:
            taken.stop()
        except OSError as error:
            if sys.stderr is not None:
                sys.stderr.write(f"greening: profile: {taken.path} could not be written: {error.strerror}\n")


atexit.register(_stop_all)
