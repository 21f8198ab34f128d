"""The life of a green thread: its function runs, and its end wakes the tasks that wait for it."""

from collections.abc import Callable
from contextvars import copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from greening._compiled import accelerator, double
from greening._core.critical import uninterruptible
from greening._core.fairness import fairness_tick
from greening._core.journal import END, JOURNAL, WAIT_END
from greening._core.parking_lot import ParkingLot
from greening._core.running import waiting_task
from greening._core.task import DEAD, NEW, RUNNING, Task

if TYPE_CHECKING:
    from contextvars import Context

    from greening._core.hub import Hub
    from greening._core.timers import Timer

T = TypeVar("T")


def make_contexts_by(make: "Callable[[], Context]") -> None:
    """Have `make()` called for the context of each green thread that is spawned; `copy_context` is what it was.

    It is called by the spawn itself, so that its caller is what spawns. Thread-safe.
    """
    global copy_context
    copy_context = make
    if accelerator is not None:
        accelerator.make_contexts_by(make)


def born_of(thread: "ThreadOps[Any]") -> float:
    """When the turn began that spawned it, by the hub's clock, for their order; 0.0 in the compiled build, which has
    serial numbers for that."""
    return getattr(thread, "_born", 0.0)


@double
@uninterruptible
class ThreadOps(Task, Generic[T]):
    """What every green thread does. `GreenThread` adds the rest."""

    __slots__ = (
        "_args",
        "_born",
        "failure",
        "_func",
        "_kwargs",
        "_links",
        "quiet",
        "_result",
        "_start_timer",
        "_waiters",
    )

    _args: tuple[Any, ...]
    _born: float
    failure: BaseException | None
    _func: Callable[..., Any] | None
    _kwargs: dict[str, Any]
    _links: list[Any] | None
    quiet: bool
    _result: Any
    _start_timer: "Timer | None"
    _waiters: ParkingLot | None

    # Defined by GreenThread.
    _call_link: Callable[..., None]
    _check_coroutine: Callable[[Any], None]
    _keep_failure: Callable[[BaseException], None]

    def __init__(
        self,
        hub: "Hub" = None,  # type: ignore[assignment]  # missing: the TypeError below
        func: Callable[..., T] | None = None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        if kwargs is None:  # somebody takes it for threading.Thread
            raise TypeError("a green thread is made by spawn(function, *args, **kwargs)")
        # Every slot is set here, not by Task.__init__: this saves three quarters of a call in each spawn.
        self.hub = hub
        self.resume = None
        self.state = NEW
        self.value = self.error = self.deadline = self.timer = self.thread_object = self.local_values = None
        self.known_ident = self.generation = 0
        self._name = ""
        self.context = copy_context()
        # Coarse, since it costs no look at the clock.
        self._born = hub.slice_end
        self._func = func
        self._args = args
        self._kwargs = kwargs
        # The return value; after a failure, the traceback.
        self._result = self.failure = None
        # At the end: tasks to wake, links to call. Made when they are needed.
        self._waiters = self._links = self._start_timer = None
        self.quiet = False

    def execute(self) -> None:
        """Run the function and settle the outcome. Called by the runner; never raises."""
        func = self._func
        if func is None:  # killed between its turn and its start
            self.resume = None
            return
        self.state = RUNNING
        name = None
        try:
            if JOURNAL.on:
                name = JOURNAL.note_begin(self)
            if self.error is not None:
                raise self.error
            self._result = result = func(*self._args, **self._kwargs)
            if type(result) is CoroutineType:
                self._check_coroutine(result)
            del result
        except BaseException as error:  # noqa: BLE001  # the outcome is kept for `wait`, and reported
            # Drop the frame of `execute`.
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next
            self._keep_failure(error)
        del func
        self._settle()
        if JOURNAL.on:
            JOURNAL.note(END, self, self.hub.task.ident, 0, name)
        # The traceback refers to this frame: it, the thread and its failure must not become a cycle.
        del self

    def _settle(self) -> None:
        """The function has ended: wake the waiters, call the links, free the rest. Links and finalisers may park."""
        # From here on there are no new waiters and links: see `wait` and `link`. To free objects may run finalisers,
        # which may park: the waiters come first.
        func, self._func = self._func, None
        if self._waiters is not None:
            self._waiters.unpark_all()
        self._args = self._kwargs = self.error = self.context = None  # type: ignore[assignment]  # never read again
        del func
        if self._links is not None:
            links, self._links = self._links, None
            for link in links:
                self._call_link(*link)
        if self.local_values is not None:
            self.local_values = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.state = DEAD
        self.resume = None

    def age(self) -> float:
        """Seconds since it was spawned. In the Python source, since the task that spawned it began its turn."""
        return max(0.0, self.hub.now() - self._born)

    def wait(self, timeout: float | None = None) -> T:
        """Park until it has ended. Any number of waiters, any number of times. Thread-safe.

        Args:
            timeout: seconds from now; None: no limit.
        Returns:
            What the function returned.
        Raises:
            what the function raised (GreenletExit when it was killed); TimeoutError when the time ran out;
            RuntimeError when it waits for itself.
        """
        if self._func is not None:
            if self.resume is not None and waiting_task() is self:
                raise RuntimeError(f"{self.name} would wait for itself for ever")
            waiters = self._waiters
            if waiters is None:
                waiters = ParkingLot()  # meanwhile another task, of any OS thread, may have made one
                # Check and change are atomic: no call. An empty lot counts: a task may be about to enter it.
                if self._waiters is None:
                    self._waiters = waiters
                else:
                    waiters = self._waiters
            # First enter, then check: it may be ending in another OS thread.
            task = waiters.enter()
            if self._func is None:
                waiters.withdraw(task)
            else:
                if JOURNAL.on:
                    JOURNAL.note(WAIT_END, task, self.ident)
                waiters.wait(task, timeout)
                if self._func is not None:
                    raise TimeoutError(f"{self.name} has not ended within {timeout} seconds")
        else:
            fairness_tick()
        failure = self.failure
        if failure is None:
            return self._result  # type: ignore[no-any-return]  # set by execute
        try:
            # With its own traceback, without the frames of other waiters.
            raise failure.with_traceback(self._result)
        finally:
            del failure, self  # the traceback refers to this frame, and both of them to the traceback
