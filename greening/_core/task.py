"""What the engine schedules: a `Task` is a place to resume, with the value or the error to resume it with.

Laws:
- A parked task is resumed exactly once per park. `wake` returns True to the one waker that resumes it.
- A task that is about to park is PARKED *before* a waker knows of it, because the waker may be in another OS thread.
  Only a RUNNING task may become PARKED. A finaliser or a signal handler that interrupts the park of a task, and waits
  itself, waits as a stand-in: `waiter` returns it (see stand_in).
- `resume` is the bound `switch` of the greenlet, and is not looked up at each call: a suspended caller of `resume()`
  then holds the method object and not the greenlet. So the greenlet's reference count tells whether anything else
  holds it (see runner).
- `pass_turn` lets others run although the task need not wait. An error that comes meanwhile is kept, and raised by the
  next park.
"""

from math import inf
from typing import TYPE_CHECKING, Any, Final

from greenlet import greenlet as RealGreenlet

from greening._compiled import accelerator, double
from greening._core.asyncio_state import ASYNCIO
from greening._core.critical import guard, uninterruptible
from greening._core.idents import idents
from greening._core.journal import JOURNAL, POST
from greening._core.names import new_name
from greening._core.slices import SLICE_SECONDS
from greening._core.timers import deadline_after
from greening._originals import get_ident

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from types import FrameType

    from greening._core.hub import Hub
    from greening._core.timers import Timer

NEW: Final = 0
RUNNING: Final = 1
PARKED: Final = 2
READY: Final = 3
DEAD: Final = 4


class _TimedOut:
    def __repr__(self) -> str:
        return "TIMED_OUT"


# What a park returns when its deadline came first. An object of its own: every other value belongs to the wakers.
TIMED_OUT: Final = _TimedOut()
if accelerator is not None:
    accelerator.name_timeout(TIMED_OUT)

# What a `switch()` without arguments returns in the greenlet that it resumes: CPython has one empty tuple.
_SWITCHED: Final = ()


@double
@uninterruptible
class TaskOps:
    """What every task does all the time: it parks, and is woken. `Task` adds the rest."""

    __slots__ = (
        "__weakref__",
        "known_ident",
        "local_values",
        "_name",
        "context",
        "deadline",
        "error",
        "generation",
        "hub",
        "resume",
        "state",
        "thread_object",
        "timer",
        "value",
    )

    context: "Context | None"
    deadline: float | None
    error: BaseException | None
    generation: int
    hub: "Hub"
    resume: "Callable[..., Any] | None"
    state: int
    thread_object: Any
    timer: "Timer | None"
    value: Any
    known_ident: int
    local_values: dict[Any, Any] | None
    _name: str
    # Numbers the tasks from 1 on, in the order in which they are made. 0: the Python source does not number them.
    serial = 0

    # Defined by Task.
    cancel_park: "Callable[..., None]"
    _raise_error: "Callable[[], None]"
    _set_alarm: "Callable[[float], None]"

    def wake(self, value: Any = None) -> bool:
        """Have the task resumed with `value`. Thread-safe. False: it does not wait, or another wake-up was first."""
        hub = self.hub
        # Atomic until the state is READY: no call. CPython switches OS threads at calls and backward jumps only.
        generation = self.generation
        if self.state != PARKED:
            return False
        self.state = READY
        self.value = value
        if hub.awake_ident == get_ident():
            hub.ready.append(self)  # type: ignore[arg-type]  # every one is a Task
        else:
            if JOURNAL.on:
                JOURNAL.note_wake(POST, self)  # type: ignore[arg-type]  # every one is a Task
            hub.post((self, generation))
        return True

    def park(self, deadline: float | None = None) -> Any:
        """Let others run until this task is woken. It must be the running one, in state PARKED or READY.

        Args:
            deadline: absolute hub time in seconds, or None: no limit.
        Returns:
            The waker's value, or TIMED_OUT.
        Raises:
            the error that `interrupt` was given. The value of an earlier waker stays in `value`.
        """
        if self.error is not None and self.state == PARKED:
            self.cancel_park(keep_error=True)
            self._raise_error()
        if deadline is not None:
            try:
                self._set_alarm(deadline)
            except Exception:  # it is not a real number, or nan
                self.cancel_park()
                raise
        hub = self.hub
        depth = guard.give_away() if guard.depth else 0
        slots = None
        if ASYNCIO.busy is not None and (loop := ASYNCIO.busy()) is not None:
            slots = ASYNCIO.save(loop)
        try:
            if JOURNAL.on:
                JOURNAL.note_park(self, self.state == READY)  # type: ignore[arg-type]  # as above
            # `Hub.switch` without its frames: 12 % of the row `switch` in pure Python.
            ready = hub.ready
            now = hub.now() if ready else inf
            if now < hub.round_end and hub.switches_left > 0 and ready and (resume := ready[0].resume) is not None:
                hub.switches_left -= 1
                hub.slice_end = now + SLICE_SECONDS
                del ready[0]
                came = resume()
            else:
                came = hub.switch()
            while came is not _SWITCHED:
                # A foreign greenlet, our child, has ended, and its result came up here. Or a stand-in holds the next
                # task, and nothing was switched.
                came = hub.switch()
        except BaseException:
            self.cancel_park()
            raise
        finally:
            if JOURNAL.on:
                JOURNAL.note_run(self, self.value is TIMED_OUT)  # type: ignore[arg-type]  # as above
            if slots is not None:
                ASYNCIO.restore(slots)
            if depth:
                guard.take_back(depth)
        self.state = RUNNING
        if deadline is not None:
            self.deadline = None
        if self.error is not None:
            self._raise_error()
        value, self.value = self.value, None
        return value


@uninterruptible
class Task(TaskOps):
    """A schedulable greenlet: the main greenlet of an OS thread, or a foreign one that called the engine.

    Attributes:
        hub: the hub of its OS thread.
        name: for people.
        locals: the values of `greening.local` objects, by object.
        thread_object: the `threading.Thread` that runs here, when there is one.
    """

    # Programs for eventlet set attributes on what `getcurrent()` gives them.
    __slots__ = ("__dict__",)

    # False: it does not let others run because its slice is over. See fairness.
    takes_turns = True
    # True: it makes the calls of a timer. What those resume runs within the call, as far as it gets. See suspend.
    calls_back = False

    # Set by greenthread.py: `kill`, and `switch` of suspend.py.
    throw: "Callable[..., None]"
    switch: "Callable[..., Any]"

    def __init__(self, hub: "Hub", glet: "RealGreenlet | None" = None, ident: int = 0) -> None:
        self.hub = hub
        self.resume = None if glet is None else glet.switch
        self.state = NEW if glet is None else RUNNING
        self.value = self.error = self.deadline = self.timer = self.thread_object = None
        self.generation = 0
        self.known_ident = ident
        self.local_values = None
        self._name = ""

    @property
    def ident(self) -> int:
        """A number that is unique for the life of the process; for a main greenlet, the OS thread's ident."""
        if not self.known_ident:
            new = idents.new()
            # A finaliser, or another task, may have set it meanwhile: the first number stays.
            self.known_ident = self.known_ident or new
        return self.known_ident

    @property
    def name(self) -> str:
        """Its name in reports, with its function: "GreenThread-5 (fetch)". It can be set."""
        if not self._name:
            new = new_name(self)
            self._name = self._name or new  # another OS thread may have set it meanwhile
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def locals(self) -> dict[Any, Any]:
        """Values of `greening.local` objects that belong to this task."""
        if self.local_values is None:
            new: dict[Any, Any] = {}
            if self.local_values is None:  # still: to make the dict may run a finaliser, which comes here, too
                self.local_values = new
        return self.local_values

    @property
    def greenlet(self) -> "RealGreenlet | None":
        """The greenlet that runs it now, or None."""
        if self.resume is None:
            return None
        holder: Any = self.resume.__self__  # type: ignore[attr-defined]  # a bound method
        # The `resume` of a task that is held is a method of its _Hold.
        return holder if isinstance(holder, RealGreenlet) else holder.greenlet

    @property
    def dead(self) -> bool:
        """True when it has ended."""
        return self.state == DEAD

    @property
    def parent(self) -> "Task | None":
        """None: green threads have no parents. For programs that look at greenlets."""
        return None

    @property
    def gr_frame(self) -> "FrameType | None":
        """Its innermost frame while it is suspended; None while it runs, before it begins and after its end."""
        glet = self.greenlet
        return None if glet is None else glet.gr_frame

    def interrupt(self, error: BaseException) -> bool:
        """Have the task resumed with `error` raised. In its own OS thread only.

        A task that was chosen, and has not run yet, gets the error too. The primitive that it waits in then passes its
        value on. False: it is neither PARKED nor READY, or another error comes first.
        """
        if self.state == PARKED:
            self.state = READY
            self.error = error
            self.hub.ready.append(self)
            return True
        if self.state == READY and self.error is None:
            self.error = error
            return True
        return False

    def waiter(self) -> "Task":
        """The task that parks when this one, the running one, has to wait: itself, or a stand-in."""
        return self if self.state == RUNNING else self.hub.stand_in(self)

    def pass_turn(self) -> None:
        """Let every runnable task run once, although this one, the running one, need not wait.

        The next park raises an error that comes meanwhile.

        Raises:
            in the main greenlet, an error for it that came meanwhile and is urgent: a signal handler's.
        """
        hub = self.hub
        if not hub.ready:
            # Go through the hub: tasks that wait for descriptors and timers may run, too.
            hub.end_round()
        kept = self.error
        trace = None if kept is None else kept.__traceback__
        if self is hub.main:
            hub.passing = self
        self.state = READY
        hub.ready.append(self)
        try:
            self.park()
        except BaseException as error:
            if error is hub.urgent:
                self.error, hub.kept = hub.kept, None
                raise
            self.error = error
            if error is kept:  # or the traceback, and the frames in it, would grow with each turn
                error.__traceback__ = trace
        finally:
            if self is hub.main:
                hub.passing = None
            del kept  # its traceback may refer to this frame

    def _raise_error(self) -> None:
        error, self.error = self.error, None
        assert error is not None
        try:
            raise error
        finally:
            del error

    def cancel_park(self, keep_error: bool = False) -> None:
        """Undo a park that does not happen, or that ended in an exception: nothing of it may stay behind."""
        with guard:  # an OS thread that chose it under the guard has told the hub by now
            self.generation += 1  # a wake-up that is still in the inbox is stale now
            state, self.state = self.state, RUNNING
            if state == READY:
                try:
                    self.hub.ready.remove(self)
                except ValueError:
                    pass
        self.deadline = self.value = None
        if not keep_error:
            self.error = None
        if JOURNAL.on:
            JOURNAL.note_run(self, False)

    def orphan(self, why: str) -> None:
        """It will never run again: its OS thread is gone. Nothing is freed: no finaliser of it may run."""
        self.state = DEAD

    def _set_alarm(self, deadline: float) -> None:
        # One timer per task, not one per wait: a timer that is due too early is set again when it fires.
        self.deadline = deadline = deadline_after(0.0, deadline)
        timer = self.timer
        if timer is None or deadline < timer.when:
            if timer is not None:
                timer.cancel()
            self.timer = self.hub.timers.add(deadline, self._alarm)

    def _alarm(self) -> None:
        deadline = self.deadline
        self.timer = None
        if deadline is None or self.state != PARKED:
            return
        if deadline > self.hub.now():
            self.timer = self.hub.timers.add(deadline, self._alarm)
            return
        self.wake(TIMED_OUT)

    def __repr__(self) -> str:
        state = ("new", "running", "parked", "ready", "dead")[self.state]
        return f"<{type(self).__name__} {self.name!r} {state} at {id(self):#x}>"
