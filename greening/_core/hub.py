"""The hub: one per OS thread, one `while` loop, four acts: wait, other threads' posts, timers, a round of runnable
tasks.

Facts: a greenlet switch costs 0.2 us, `epoll_wait` with nothing to report 0.5 us and more.
Consequence: a task that parks switches straight to the next runnable task; it goes through the hub only when the
round's
budget is spent, so that descriptors and timers are looked at however busy the tasks are.

Law: the hub runs nobody's code. What it calls are wake-ups of the engine, which neither block nor raise.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakSet

from greenlet import GreenletExit, getcurrent, greenlet

from greening._compiled import accelerator
from greening._core.carrier import Carrier, unshared_references
from greening._core.clock import Clock
from greening._core.external import ExternalWaits
from greening._core.lot import guard
from greening._core.members import HubMembers
from greening._core.poller import IN, Poller
from greening._core.registry import Registry
from greening._core.task import DEAD, READY, RUNNING, Task
from greening._core.thrower import Thrower
from greening._core.timers import Timer, TimerHeap
from greening._core.wakeup import Wakeup
from greening._originals import get_ident
from greening.errors import BlockingInHub

# Switches of a round, at least: with two tasks that wake each other, a round of only as many as are runnable when it
# begins
# would poll at every second switch. Measured: 16 takes the poll's share of a hand-off from 60 to 6 per cent.
MIN_ROUND = 16


class HubTask(Task):
    """Stands for the hub where the running task is asked for: it may not park, and is never RUNNING."""

    __slots__ = ()

    def __init__(self, hub: "Hub") -> None:
        super().__init__(hub)
        self.name = "hub"
        self.state = DEAD

    def park(self, deadline: float | None = None) -> Any:
        self.unparked()
        self.state = DEAD
        raise BlockingInHub()


class HubGreenlet(greenlet):
    """The greenlet of the loop. Parent of every carrier."""

    __slots__ = ("_greening_task",)

    _greening_task: Task


class Hub(ExternalWaits, HubMembers):
    """Scheduler of one OS thread.

    Attributes:
        ready: runnable tasks, in order.
        turns: what is left of this round's budget.
        idle: carriers without work. carriers: all that live.
        adopted: tasks of greenlets that are not ours.
        thread: `get_ident()` of the OS thread, for comparison only.
        awake: the same while `ready` and `timers` may be touched directly, 0 while the hub sleeps: a signal handler
        that
            runs then is in the right OS thread, but the sleep has to be ended as for any other.
    Thread-safety: `post` may be called from anywhere, everything else from the hub's own OS thread.
    """

    def __init__(self, main: greenlet, clock: Clock, make_poller: Callable[[], Poller]) -> None:
        self.thread = self.awake = get_ident()
        self.closed = False
        self.halted = False
        self.now = clock.now
        self._make_poller = make_poller
        self.turns = 0
        self.timers = TimerHeap()
        self.idle: list[Carrier] = []
        self.carriers: set[Carrier] = set()
        self.adopted: WeakSet[Task] = WeakSet()
        self.pending = 0
        self.wakeup = Wakeup()
        self.poller = make_poller()
        self.registry = Registry(self.poller, self.ready)
        self.regs = self.registry.regs
        self.post = self.wakeup.post
        self.on_stuck: Callable[[Hub], None] | None = None
        self.main = Task(self, main, self.thread)
        self.main.name = "main greenlet"
        self.task = HubTask(self)
        self.greenlet = HubGreenlet(_loop_of(self), main)
        self.greenlet._greening_task = self.task
        self._enter = self.greenlet.switch
        self._arm_wakeup()
        self.carrier_refs = _CARRIER_REFS

    def _arm_wakeup(self) -> None:
        fd = self.registry.bell = self.wakeup.fileno()
        if self.poller.edge:
            self.poller.arm_edge(fd)
        else:
            self.poller.arm_once(fd, IN)

    # What parking tasks call

    def switch(self) -> Any:
        """Leave the running greenlet for the next runnable task, or for the loop. Returns when it is resumed."""
        ready = self.ready
        if ready and self.turns > 0:
            self.turns -= 1
            task = ready.popleft()
            resume = task.resume
            if resume is not None:
                del task
                return resume()
            if self.idle and task.state != DEAD:
                # `_carry`, without its frame.
                carrier = self.idle.pop()
                carrier._greening_task = task
                carrier.gr_context = task.context
                resume = task.resume = carrier.resume
                del carrier, task  # or they would live, with the result, as long as we are parked
                return resume()
            ready.appendleft(task)
            del task
        return self._enter()

    def call_at(self, when: float, call: Callable[..., object], *args: Any) -> Timer:
        """Have `call(*args)` called in the hub at `when` (absolute hub time in seconds). It never blocks."""
        timer = self.timers.add(when, call, *args)
        if not self.awake:
            self.wakeup.ring()
        return timer

    # The loop

    def begin(self) -> None:
        """Start the hub's greenlet here, where the stack is shallow, and come back.

        It inherits the recursion depth of whoever starts it, and every carrier inherits the hub's: begun from the
        depth of
        the first park, it would leave green threads that much less to recurse.
        """
        self.greenlet.switch(getcurrent().switch)

    def _run(self, back: Callable[[], Any] | None = None) -> None:
        if back is not None:
            back()
            del back
        while not self.closed:
            try:
                self._turn()
            except BaseException as error:  # noqa: BLE001  # a signal handler raised here; the loop itself does not
                if not self.closed:
                    self.raise_in_main(error)

    def _turn(self) -> None:
        ready = self.ready
        # Act 1: descriptors.
        self.registry.dispatch(self.poller.wait(0) if ready or self.wakeup.inbox else self._sleep())
        # Act 2: posts of other OS threads.
        if self.registry.rung:
            self._hear()
        inbox = self.wakeup.inbox
        for _ in range(len(inbox)):  # not what comes meanwhile: a busy thread must not keep the hub here
            self._accept(inbox.popleft())
        # Act 3: timers.
        timers = self.timers
        if timers._entries:
            now, mark = self.now(), timers.mark()
            while (timer := timers.pop_due(now, mark)) is not None:
                timer.call(*timer.args)
        # Act 4: a round of the runnable.
        self.turns = max(len(ready), MIN_ROUND)
        while ready and self.turns > 0:
            self.turns -= 1
            task = ready.popleft()
            resume = task.resume
            if resume is None:
                if task.state == DEAD:
                    continue
                resume = self._carry(task)
            del task  # or it would live, with its result, until the hub runs again
            resume()

    def _carry(self, task: Task) -> Callable[..., Any]:
        """Give `task` a carrier. In the hub only, unless there is an idle one."""
        carrier = self.idle.pop() if self.idle else None
        if carrier is None:
            carrier = Carrier(self)
            self.carriers.add(carrier)
            carrier.gr_context = task.context
        elif accelerator is None:  # a compiled carrier takes it for itself
            carrier.gr_context = task.context
        carrier._greening_task = task
        resume = task.resume = carrier.resume
        return resume

    def _patience(self) -> float | None:
        """How long nothing will happen by itself, in seconds; None: for ever."""
        deadline = self.timers.next_deadline()
        if deadline is not None:
            return max(0.0, deadline - self.now())
        if self.on_stuck is not None and not self.pending and not self.registry.waiting():
            self.on_stuck(self)
            if self.ready:
                return 0.0
            deadline = self.timers.next_deadline()
        return None if deadline is None else max(0.0, deadline - self.now())

    def _sleep(self) -> list[tuple[int, int]]:
        # Whatever somebody else does from here on - an OS thread, or a signal handler in this one - rings the bell.
        wakeup = self.wakeup
        wakeup.sleeping = True
        self.awake = 0
        try:
            timeout = self._patience()
            return self.poller.wait(0 if wakeup.inbox or self.ready else timeout)
        finally:
            self.awake = self.thread
            wakeup.sleeping = False

    def _hear(self) -> None:
        self.registry.rung = False
        self.wakeup.silence()
        if not self.poller.edge:
            self.poller.arm_once(self.wakeup.fileno(), IN)

    def _accept(self, item: Any) -> None:
        if type(item) is tuple:  # a wake-up: see Task.wake
            task, generation = item
            if task.generation == generation:
                self.ready.append(task)
        elif isinstance(item, Task):
            self.ready.append(item)
        else:
            item()

    def raise_in_main(self, error: BaseException) -> None:
        """Raise `error` in the main greenlet; when another error is on its way there, after that one."""
        if not self.main.interrupt(error):
            self.ready.append(Thrower(self, self.main, error))

    # Beginnings and ends

    def after_fork(self, current: Task) -> None:
        """In the child: forget all greenlets but the running one, and share nothing with the parent.

        The forgotten are kept alive for ever: freeing a suspended greenlet would run its `finally` blocks here, too.
        """
        _abandoned.append((list(self.carriers), list(self.ready), self.regs.copy(), self.timers, self.main))
        self.bury(current, "it stayed behind in the parent of a fork")
        self.thread = self.awake = get_ident()
        self.ready.clear()
        self.turns = 0
        self.pending = 0
        timers, self.timers = self.timers, TimerHeap()
        timers.hand_over(self.timers, current)  # its Timeouts go on; its alarm is set at each wait
        self.idle.clear()
        self.carriers.clear()
        self.poller.close()
        self.wakeup.after_fork()
        self.wakeup.close()
        self.wakeup = Wakeup()
        self.post = self.wakeup.post
        self.poller = self._make_poller()
        self.registry.clear(self.poller)
        self._arm_wakeup()
        current.timer = None
        self.main = current

    def bury(self, survivor: Task | None, why: str) -> None:
        """No task but `survivor` is ever to run again, whoever has it in a queue."""
        carried = [getattr(carrier, "_greening_task", self.task) for carrier in self.carriers]
        for task in (*carried, *self.ready, *self.adopted, self.main):
            if task is not self.task and task is not survivor:
                task.lose(why)

    def halt(self, hang: Callable[[], object]) -> None:
        """From another OS thread: `hang`, which never returns, is called instead of the next switch, or in the loop."""
        self._enter = hang
        self.turns = 0
        self.post(hang)

    def has_halted(self) -> bool:
        """True when this OS thread hangs, or is in its main greenlet and can leave it for `hang` only."""
        if self.halted or (self.turns <= 0 and self.main.state == RUNNING):
            return True
        self.turns = 0  # a round had just begun
        return False

    def close(self) -> None:
        """The OS thread ends, which calls this in its main greenlet: leave no green thread, greenlet or file behind.

        A suspended greenlet in a cycle is never freed, so every one of them has to end.
        """
        for _ in range(_LAST_CALLS):
            if not self._end_parked():
                break
        with guard:
            self.bury(None, _ENDED)
        self.closed = True
        self.ready.clear()
        self.turns = 0
        self.greenlet.switch()  # the loop finds that it is closed, and returns here
        for carrier in self.idle:
            carrier.throw()
        self.idle.clear()
        self.poller.close()
        self.wakeup.close()

    def _end_parked(self) -> bool:
        """Raise GreenletExit in every green thread that has begun, and let them run. False: there was none."""
        for task in self.ready:
            if task.resume is None:
                task.lose(_ENDED)
        carried = [getattr(carrier, "_greening_task", self.task) for carrier in self.carriers]
        begun = [task for task in carried if task is not self.task and task.state != DEAD]
        for task in begun:
            task.interrupt(GreenletExit(f"{task.name} was ended, since {_ENDED}"))
        main = self.main
        for _ in range(_LAST_TURNS if begun else 0):
            main.state = READY
            self.ready.append(main)
            with suppress(BaseException):  # of a green thread, for a main greenlet that has ended
                main.park()
            if not self.ready:
                break
        return bool(begun)


def _loop_of(hub: Hub) -> Callable[..., None]:
    return hub._run if accelerator is None else partial(accelerator.never_unwound, hub._run)


# The number depends on the interpreter, not on the hub.
_CARRIER_REFS = unshared_references()

_abandoned: list[Any] = []

_ENDED = "its OS thread has ended"
# How often a green thread is told that its OS thread ends, if it goes on waiting; how many times each may run then.
_LAST_CALLS = 3
_LAST_TURNS = 100

if accelerator is not None:
    del Hub.switch  # the compiled one, which the members bring, is under it
