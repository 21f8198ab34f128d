"""The hub: one per OS thread, one `while` loop, four acts: descriptors, posts, timers, a round of runnable tasks.

Facts: a greenlet switch costs 0.2 us, `epoll_wait` with nothing to report 0.5 us and more.
Consequence: a task that parks switches straight to the next runnable task; it goes through the hub only when the
round's budget is spent. The budget counts switches and time, so that the hub looks at descriptors and timers however
busy the tasks are, and however long each of them computes.

Laws:
- The hub calls only wake-ups of the engine, which neither block nor raise. User code may run here all the same: a
  finaliser, a signal handler. If that waits, the loop moves to another greenlet (`move`).
- While such code may run, each task is in a queue, unless the interrupted loop will handle it later. So the garbage
  collector rests in acts 1 to 3, and act 4 calls nothing between taking a task and switching to it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

from greenlet import GreenletExit, getcurrent, greenlet

from greening._compiled import accelerator
from greening._core.critical import pause_gc, resume_gc
from greening._core.delivery import DeliveryTask
from greening._core.external import ExternalWaits
from greening._core.journal import AWAKE, END, JOURNAL
from greening._core.latecomers import Latecomers
from greening._core.poller import IN, Poller
from greening._core.registry import Registry, dispatch
from greening._core.runner import Runner, unshared_references
from greening._core.running import task_of
from greening._core.stand_in import HubGreenlet, HubTask, StandIn
from greening._core.switching import HubOps
from greening._core.task import DEAD, RUNNING, Task
from greening._core.thread_exit import close
from greening._core.timers import Clock, Timer, TimerHeap
from greening._core.unhandled import hide_our_frames
from greening._core.wakeup import Wakeup
from greening._originals import get_ident, get_native_id, monotonic
from greening.errors import Deadlock

# Switches in a round, at least. Two tasks that wake each other would otherwise have a poll at every second switch.
# Measured: 64 takes the poll's share of a hand-off from 60 to 2 per cent.
MIN_ROUND = 64
# Turns of each runnable task in a round, if they are quick: a turn of the hub costs as much as a dozen of a task.
TURNS_EACH = 2


class Hub(ExternalWaits, HubOps):
    """Scheduler of one OS thread.

    Attributes:
        ready: runnable tasks, in order.
        switches_left: what is left of this round's budget, in switches.
        idle: runners without work. runners: all runners that live.
        adopted: tasks of foreign greenlets.
        stand_ins: the innermost stand-in on each greenlet that has one.
        urgent: the last error given to `raise_in_main`; `pass_turn` raises it at once.
        passing: the main task while it is in `pass_turn`.
        kept: the error that the main task keeps for its next park, while `urgent` comes first.
        standstill: while everything waits and signal handlers exist, when that is reported (hub time); else None.
        reports: False: unhandled exceptions of its green threads are not reported.
        thread: `get_ident()` of the OS thread, for comparison only. native_id: what the system calls it.
        awake_ident: the same while `ready` and `timers` may be touched directly; 0 while the hub sleeps. A signal
            handler that runs then is in the right OS thread, but must end the sleep as any other thread must.
    Thread-safety: `post` may be called from anywhere, everything else from the hub's own OS thread.
    """

    urgent: BaseException | None
    kept: BaseException | None
    passing: Task | None
    reports = True

    def __init__(self, main: greenlet, clock: Clock, make_poller: Callable[[], Poller]) -> None:
        self.thread = self.awake_ident = get_ident()
        self.native_id = get_native_id()
        self.closed = False
        self.halted = False
        self.now = clock.now
        # Slices of a test's own clock have nothing to do with CPU time.
        self.timed = clock.now is monotonic
        self._make_poller = make_poller
        self.switches_left = 0
        self.timers = TimerHeap()
        self.idle: list[Runner] = []
        self.runners: set[Runner] = set()
        self.adopted: WeakSet[Task] = WeakSet()
        self.stand_ins: dict[greenlet, StandIn] = {}
        self.urgent = self.kept = None
        self.passing = None
        self.wakeup = Wakeup()
        self.poller = make_poller()
        self.registry = Registry(self.poller, self.ready)
        self.regs = self.registry.regs
        self.post = self.wakeup.post
        self.on_deadlock: Callable[[Hub], None] | None = None
        self.main = Task(self, main, self.thread)
        self.main.name = "main greenlet"
        self.task = HubTask(self)
        self.standstill: float | None = None
        self._overdue = False  # the last round ran out of time
        self._latecomers = Latecomers()
        self._make_loop(main)
        self._arm_wakeup()
        self.runner_refs = _RUNNER_REFS
        self.begin_slice(self.now())

    def _make_loop(self, parent: greenlet | None, depth: int = 0) -> None:
        run = self._run if accelerator is None else partial(accelerator.never_unwound, self._run)
        self.greenlet = HubGreenlet(run, parent)
        self.greenlet.depth = depth
        self.greenlet._greening_task = self.task
        self._enter = self.greenlet.switch

    def _arm_wakeup(self) -> None:
        fd = self.registry.wakeup_fd = self.wakeup.fileno()
        if self.poller.edge:
            self.poller.arm_edge(fd, IN)  # to drain an eventfd is a change, too: it can be written to
        else:
            self.poller.arm_once(fd, IN)

    def tasks(self) -> list[Task]:
        """The green threads that have begun and have not ended, in no order."""
        on_runners = map(task_of, tuple(self.runners))
        return [task for task in on_runners if task is not None and task is not self.task]

    def fds(self) -> list[int]:
        """The engine's own descriptors: a program that closes all but its own must leave them open."""
        return [fd for fd in (self.poller.fileno(), self.wakeup.fileno()) if fd >= 0]

    def owns(self, fd: int) -> bool:
        """Whether an open descriptor is one of `fds`. No list is made: it is asked for each one that is closed."""
        return fd == self.poller.fileno() or fd == self.wakeup.fileno()

    # What parking tasks call

    def stand_in(self, task: Task) -> Task:
        """The task that parks in place of `task`, which is the running one: see stand_in."""
        innermost = self.stand_ins.get(getcurrent())
        return StandIn(self, task) if innermost is None or innermost.state != RUNNING else innermost

    def move(self) -> "HubGreenlet | None":
        """The running greenlet is about to park: if the loop runs on it, continue the loop on a new greenlet.

        Returns:
            The greenlet of the interrupted loop, for `move_back`; None: the loop does not run on it.
        """
        loop = self.greenlet
        if getcurrent() is not loop:
            return None
        self.resume_gc()
        self.awake_ident = self.thread
        self.wakeup.sleeping = False
        self._make_loop(loop.parent, loop.depth + 1)
        # Events that the interrupted loop has not dispatched yet are reported again.
        self.registry.rearm()
        return loop

    def move_back(self, loop: "HubGreenlet") -> None:
        """The interrupted `loop`, on which this runs, continues; the loop that replaced it ends.

        Otherwise each loop would be started from the stack of another, and inherit its recursion depth.
        """
        other = self.greenlet
        if loop.depth < other.depth:
            self.greenlet = loop
            self._enter = loop.switch
            other.parent = loop
            other.throw(GreenletExit)
        # The interrupted loop may be about to sleep, with an outdated timeout.
        self.wakeup.notify()

    def call_at(self, when: float, call: Callable[..., object], *args: Any) -> Timer:
        """Have `call(*args)` called in the hub at `when` (absolute hub time in seconds). It must not block."""
        timer = self.timers.add(when, call, *args)
        if not self.awake_ident:
            self.wakeup.notify()
        return timer

    # The loop

    def begin(self) -> None:
        """Start the hub's greenlet here, where the stack is shallow, and come back.

        It inherits the recursion depth of its starter, and every runner inherits the hub's. Started by the first park,
        which may be deep, it would leave green threads that much less to recurse.
        """
        self.greenlet.switch(getcurrent().switch)

    def _run(self, back: Callable[[], Any] | None = None) -> None:
        if back is not None:
            back()
            del back
        me = getcurrent()
        while not self.closed:
            try:
                self._turn(me)
            except BaseException as error:  # noqa: BLE001  # a signal handler raised here; the loop itself does not
                if not self.closed and not isinstance(error, GreenletExit):
                    self.raise_in_main(error)
            if self.greenlet is not me:
                # The loop has moved to another greenlet, or back to one.
                if me.parent is not self.greenlet:
                    me.parent = self.greenlet
                return

    def _turn(self, me: greenlet) -> None:
        self.pause_gc()
        try:
            ready = self.ready
            runnable = len(ready)
            overdue = runnable if self._overdue else 0
            # Act 1: descriptors.
            events = self.poller.wait(0) if ready or self.wakeup.inbox else self._sleep(me)
            if self.greenlet is not me:
                return
            dispatch(self.registry, events)
            # Act 2: posts of other OS threads.
            if self.registry.notified:
                self._drain_wakeup()
            inbox = self.wakeup.inbox
            for _ in range(len(inbox)):  # not later posts: a busy thread must not keep the hub here
                self._run_post(inbox.popleft())
            # Act 3: timers.
            timers = self.timers
            if timers._entries:
                now, mark, before = self.now(), timers.mark(), len(ready)
                while (timer := timers.pop_due(now, mark)) is not None:
                    timer.call(*timer.args)
                if events and before < len(ready):
                    self._latecomers.timers_first(ready, max(0, before - runnable), len(ready) - before)
            if overdue:
                self._latecomers.let_pass(ready, max(0, len(ready) - overdue))
        finally:
            if self.greenlet is me:
                self.resume_gc()
        self._round(me)

    def _round(self, me: greenlet) -> None:
        # Act 4: a round of runnable tasks.
        ready = self.ready
        turns = max(TURNS_EACH * len(ready), MIN_ROUND)
        self.begin_round(turns)
        while ready and self.greenlet is me:
            # From here to the switch nothing is called that could run a finaliser.
            resume = ready[0].resume
            if resume is None:
                self._give_first_a_runner()
                continue
            del ready[0]
            self.switches_left -= 1
            resume()
            if not ready or not self.turn_begins():
                break
        # A round that the count has ended is fair to all, and not overdue.
        overdue = self._overdue = self.switches_left > 0 and len(ready) > 0
        if overdue or self._latecomers.waiting:
            self._latecomers.round_ended(ready, turns - self.switches_left, overdue)

    def _give_first_a_runner(self) -> None:
        """Give the first runnable task a runner, or drop the task if it is dead."""
        pause_gc()
        try:
            task = self.ready[0] if self.ready else None
            if task is not None and task.resume is None:
                if task.state == DEAD:
                    self.ready.popleft()
                else:
                    self._give_runner(task)
        except BaseException:  # no memory for another runner: the others come first
            self.ready.append(self.ready.popleft())
            raise
        finally:
            del task  # else this frame would keep it, and its result, until the hub runs again
            resume_gc()

    def _give_runner(self, task: Task) -> None:
        """Give `task` a runner. In the hub only: a new runner inherits the recursion depth here."""
        runner = self.idle.pop() if self.idle else None
        if runner is None:
            runner = Runner(self)
            self.runners.add(runner)
            runner.gr_context = task.context
        elif accelerator is None:  # a compiled runner sets it itself
            runner.gr_context = task.context
        runner._greening_task = task
        task.resume = runner.resume

    def _poll_timeout(self) -> float | None:
        """Seconds until the next timer is due; None: there is no timer."""
        deadline = self.timers.next_deadline()
        if deadline is not None:
            return max(0.0, deadline - self.now())
        if self.on_deadlock is not None and not self.external_waits and not self.registry.waiting():
            self.on_deadlock(self)
            if self.ready:
                return 0.0
            deadline = self.timers.next_deadline()
        return None if deadline is None else max(0.0, deadline - self.now())

    def _sleep(self, me: greenlet) -> list[tuple[int, int]]:
        # From here on another OS thread, or a signal handler in this one, must end the sleep by `notify`.
        wakeup = self.wakeup
        wakeup.sleeping = True
        self.awake_ident = 0
        try:
            timeout = self._poll_timeout()
            if wakeup.inbox or self.ready:
                timeout = 0
            self.resume_gc()  # other OS threads need the collector
            return self.poller.wait(timeout)
        finally:
            if self.greenlet is me:
                self.pause_gc()
                self.awake_ident = self.thread
                wakeup.sleeping = False
            if JOURNAL.on:
                JOURNAL.note(AWAKE, self.task)

    def _drain_wakeup(self) -> None:
        self.registry.notified = False
        self.standstill = None
        self.wakeup.drain()
        if not self.poller.edge:
            self.poller.arm_once(self.wakeup.fileno(), IN)

    def _run_post(self, item: Any) -> None:
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
        if isinstance(error, (KeyboardInterrupt, Deadlock)):
            hide_our_frames()
        main, before, self.urgent = self.main, self.urgent, error
        if self.passing is main and main.error is not None and main.error is not before:
            # `pass_turn` has an error for the next park, which may never come: `error` goes first.
            self.kept, main.error = main.error, error
        elif not main.interrupt(error):
            self.ready.append(DeliveryTask(self, main, error))

    # Beginnings and ends

    def after_fork(self, current: Task) -> None:
        """In the child: forget all greenlets but the running one, and share nothing with the parent.

        Forgotten greenlets stay alive for ever: to free a suspended one would run its `finally` blocks here, too.
        """
        _abandoned.append((list(self.runners), list(self.ready), self.regs.copy(), self.timers, self.main))
        self.mark_lost(current, "it stayed behind in the parent of a fork")
        self.thread = self.awake_ident = get_ident()
        self.native_id = get_native_id()
        self.ready.clear()
        self.stand_ins.clear()
        self.end_round()
        self.external_waits = 0
        timers, self.timers = self.timers, TimerHeap()
        timers.hand_over(self.timers, current)  # its Timeouts go on; each park sets its alarm anew
        self.idle.clear()
        self.runners.clear()
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

    def mark_lost(self, survivor: Task | None, why: str) -> None:
        """Orphan all tasks but `survivor`: they will never run again."""
        carried = [getattr(runner, "_greening_task", self.task) for runner in self.runners]
        for task in (*carried, *self.ready, *self.adopted, self.main):
            if task is not self.task and task is not survivor:
                task.orphan(why)

    def close(self) -> None:
        """The OS thread ends, and calls this in its main greenlet: see thread_exit."""
        close(self)
        if JOURNAL.on:
            JOURNAL.note(END, self.main, JOURNAL.number(self.task), 1)


# The number depends on the interpreter, not on the hub.
_RUNNER_REFS = unshared_references()

_abandoned: list[Any] = []
