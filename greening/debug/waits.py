"""What a green thread waits for: found out when it is asked for, so that a wait itself costs nothing more.

Facts:
- A parked task is in a wait queue, and the queue does not know what it is part of.
- The frames of a suspended greenlet can be looked at. Each primitive that is written in Python waits in a method, whose
  first argument is the primitive.
- Three waits of the compiled build have no frame: sleep, the wait for a green thread, and sockets.

Decision: the innermost frames tell, as far as they are greening's and those of the stdlib's `threading` and `queue`.
The rest is found by the deadline, in the registrations, and among the waiters of the green threads.

Other OS threads go on meanwhile: what they do may be seen half done.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Final

from greening._core.current import hubs
from greening._core.greenthread import GreenThread
from greening._core.hub import Hub
from greening._core.registration import Registration
from greening._core.task import DEAD, NEW, PARKED, READY, Task
from greening._core.thread_ops import born_of
from greening._originals import current_frames, raw_socket
from greening.debug.frames import dotted, machinery
from greening.sync.lock import Lock, RLock, holder_of

# What `Wait.kind` may be.
KINDS: Final = (
    *("running", "ready", "not begun", "ended", "descriptor", "child", "lock", "semaphore", "condition", "event"),
    *("queue", "pool", "green thread", "native call", "signal", "sleep", "other"),
)

# The most green threads that are named, of several that are waited for.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Wait:
    """What a green thread does or waits for.

    Attributes:
        kind: one of `KINDS`.
        what: the rest of the sentence "waits for ...", without the owner and the time.
        object: the primitive, the socket, or the green thread that is waited for; None: there is none, or it has gone.
        owner: the task that holds the lock, or that is waited for; None: unknown, or nobody.
        fd: the descriptor, or that of several which comes first; -1: none.
        abandoned: the holder of the lock has ended.
        seconds: what is left until the wait ends in any case, in seconds; None: no limit.
    """

    kind: str
    what: str = ""
    object: Any = None
    owner: Task | None = None
    fd: int = -1
    abandoned: bool = False
    seconds: float | None = None

    def renamed(self, title: str, name: str) -> "Wait":
        """The same with another name for what is waited for."""
        return replace(self, what=self.what.replace(title, name))

    def __str__(self) -> str:
        """The whole sentence without its subject: "waits for ..."."""
        return self.sentence("" if self.owner is None else self.owner.name)

    def sentence(self, owner: str) -> str:
        """The same with another name for the owner."""
        if self.kind == "not begun" and self.seconds is not None:
            return f"not begun, due in {self.seconds:.1f} s"
        if self.kind in ("running", "ready", "not begun", "ended"):
            text = self.kind if not self.what else f"{self.kind}, {self.what}"
        elif self.kind == "sleep":
            return f"sleeps, {self.seconds or 0:.1f} s more"
        else:
            text = f"waits for {self.what}"
            if self.kind == "lock" and self.owner is not None:
                text += f", which {owner} holds"
            elif self.abandoned:
                text += ", which a green thread holds that has ended"
        return text if self.seconds is None else f"{text}, {self.seconds:.1f} s more at most"


def wait_of(task: Task, seen: "Seen | None" = None) -> Wait:
    """What `task` does or waits for.

    Args:
        seen: the waits of all tasks, if several are asked for.
    Thread-safety: call it in any OS thread.
    """
    standing_in = task.hub.stand_ins.get(task.greenlet)  # type: ignore[arg-type]  # None is no key of it
    if standing_in is not None and standing_in.state == PARKED:
        task = standing_in
    state, deadline = task.state, task.deadline
    seconds = None if deadline is None else max(0.0, deadline - task.hub.now())
    if state == PARKED:
        return _parked(task, seen or Seen((task.hub,)), seconds)
    if state == NEW:
        due = task.due if isinstance(task, GreenThread) else None
        return Wait("not begun", seconds=None if due is None else max(0.0, due - task.hub.now()))
    return Wait("ready" if state == READY else "ended" if state == DEAD else "running")


class Seen:
    """Who waits in the registrations of some hubs, and for which green threads.

    Args:
        of: the hubs; default: all.
    """

    def __init__(self, of: tuple[Hub, ...] | None = None) -> None:
        self.descriptors: dict[Task, list[tuple[Registration, str]]] = {}
        self.joined: dict[Task, Task] = {}
        self.serials: dict[int, Task] = {}
        for hub in tuple(hubs) if of is None else of:
            for reg in tuple(hub.regs.values()):
                for lot, event in ((reg.readers, "readable"), (reg.writers, "writable")):
                    for task in tuple(lot or ()):
                        self.descriptors.setdefault(task, []).append((reg, event))
            self.serials.update((task.serial, task) for task in (hub.main, *tuple(hub.adopted)))
            for thread in green_threads(hub):
                self.serials[thread.serial] = thread
                for task in thread.waiting():
                    self.joined[task] = thread


def green_threads(hub: Hub) -> Iterator[GreenThread[Any]]:
    """The green threads of a hub that have not ended: begun, ready, delayed, or waiting for their descriptor."""
    found: dict[Task, None] = dict.fromkeys(hub.tasks())
    found.update(dict.fromkeys(tuple(hub.ready)))
    for timer in hub.timers.pending():
        found.update(dict.fromkeys(arg for arg in timer.args if isinstance(arg, Task)))
    for reg in tuple(hub.regs.values()):
        found.update(dict.fromkeys(tuple(reg.readers or ())))
    return (task for task in found if isinstance(task, GreenThread) and not task.dead and task.hub is hub)


def oldest_first(hub: Hub) -> list[GreenThread[Any]]:
    """The same, in the order of their spawn."""

    # The Python source has no serial numbers. Of those that one turn has spawned, the first that was named comes first.
    # A name is not asked for where it is not needed: the numbers in the names shall have this order.
    def key(thread: GreenThread[Any]) -> tuple[int, float, int, str]:
        return (thread.serial, 0, 0, "") if thread.serial else (0, born_of(thread), len(thread.name), thread.name)

    return sorted(green_threads(hub), key=key)


def _parked(task: Task, seen: Seen, seconds: float | None) -> Wait:
    found = None
    if task in seen.descriptors:
        found = _descriptors(seen.descriptors[task])
    for frame in machinery(task.gr_frame):
        told = told_by(frame)
        if told is None:
            continue
        # A wait for a lock is that, also of a condition or a queue. Every other wait is part of its caller's.
        if found is None or found.kind not in ("lock", "native call") or told.kind in ("green thread", "pool"):
            found = told
    if found is None and task in seen.joined:
        thread = seen.joined[task]
        found = Wait("green thread", f"{thread.name} to end", thread, thread)
    if found is None:
        if seconds is not None:
            return Wait("sleep", seconds=seconds)
        inner = next(machinery(task.gr_frame), None)
        found = Wait("other", "a wake-up" if inner is None else f"a wake-up in {dotted(inner)}")
    if found.kind == "lock":
        found = _with_holder(found, seen)
    return replace(found, seconds=seconds)


def _with_holder(found: Wait, seen: Seen) -> Wait:
    holder = holder_of(found.object) if isinstance(found.object, Lock | RLock) else None
    if holder == 0:  # the main greenlet, before it waited for the first time; or another OS thread
        alone = len(hubs) == 1 and len(current_frames()) == 1
        return replace(found, owner=hubs[0].main) if alone else found
    if isinstance(holder, int):
        if seen.serials.get(holder) is None and len(hubs) > 1:
            seen.serials.update(Seen().serials)  # it may be another OS thread's
        holder = seen.serials.get(holder)
        return replace(found, owner=holder, abandoned=holder is None)
    return replace(found, owner=holder)


# Descriptors


def _descriptors(waited: list[tuple[Registration, str]]) -> Wait:
    reg = waited[0][0]
    owner = None if reg.owner is None else reg.owner()
    if len(waited) > 1 and any(other is not reg for other, _ in waited):
        numbers = ", ".join(str(fd) for fd in sorted({each.fd for each, _ in waited})[:10])
        more = ", ..." if len(waited) > 10 else ""
        return Wait("descriptor", f"one of {len(waited)} descriptors ({numbers}{more})", owner, fd=reg.fd)
    events = " or ".join(dict.fromkeys(event for _, event in waited))
    child = _child_of(reg.fd) if owner is None else 0
    if child:
        return Wait("child", f"process {child} to end", fd=reg.fd)
    return Wait("descriptor", f"descriptor {reg.fd} ({file_of(reg.fd, owner)}) to be {events}", owner, fd=reg.fd)


def file_of(fd: int, owner: Any = None) -> str:
    """What a descriptor is: the two ends of a socket, or what /proc says.

    Args:
        owner: the socket object, if there is one.
    """
    borrowed = None
    try:
        link = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return "closed"
    if link == "anon_inode:[eventpoll]":
        return _epoll(fd)
    if not link.startswith("socket:"):
        return link
    try:
        if not isinstance(owner, raw_socket):
            owner = borrowed = raw_socket(fileno=fd)
        here = raw_socket.getsockname(owner)
        try:
            return f"socket {_end(here)} to {_end(raw_socket.getpeername(owner))}"
        except OSError:
            return f"socket {_end(here)}"
    except OSError:
        return "socket"
    finally:
        if borrowed is not None:
            borrowed.detach()


def _end(address: Any) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"[{address[0]}]:{address[1]}" if ":" in str(address[0]) else f"{address[0]}:{address[1]}"
    return os.fsdecode(address) or "(unnamed)"


def _epoll(fd: int) -> str:
    """What an epoll descriptor waits for."""
    watched = sorted(_fdinfo(fd, "tfd:"))
    if len(watched) == 1:
        return f"epoll for descriptor {watched[0]} ({file_of(watched[0])})"
    more = ", ..." if len(watched) > 10 else ""
    return f"epoll for {len(watched)} descriptors{': ' * bool(watched)}{', '.join(map(str, watched[:10]))}{more}"


def _child_of(fd: int) -> int:
    """The process of a descriptor from pidfd_open(2); 0: it is none."""
    return max(0, *_fdinfo(fd, "Pid:"), 0)


def _fdinfo(fd: int, key: str) -> list[int]:
    """The numbers that /proc has for a descriptor after this word."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            return [int(line.split()[1]) for line in file if line.startswith(key)]
    except (OSError, UnicodeError, IndexError):
        return []


# What a frame tells


def told_by(frame: FrameType) -> Wait | None:
    """What a frame of a wait says that it waits for. None: its wait is part of its caller's."""
    code = frame.f_code
    by_function = _FUNCTIONS.get(dotted(frame))
    if by_function is not None:
        return by_function(frame.f_locals)
    if not code.co_argcount:
        return None
    primitive = frame.f_locals.get(code.co_varnames[0])
    for base in type(primitive).__mro__:
        by_class = _CLASSES.get(f"{base.__module__}.{base.__qualname__}")
        if by_class is not None:
            return by_class(primitive, code.co_name)
    return None


def titled(thing: object) -> str:
    """Name an object by its class and address: its `repr` may be anybody's code."""
    return f"{type(thing).__qualname__} at {id(thing):#x}"


def _lock(lock: Any, method: str) -> Wait:
    return Wait("lock", titled(lock), lock)


def _semaphore(semaphore: Any, method: str) -> Wait:
    return Wait("semaphore", f"a permit of {titled(semaphore)}", semaphore)


def _queue(queue: Any, method: str) -> Wait:
    if method == "join":
        count = queue.unfinished_tasks
        return Wait("queue", f"the {count} unfinished task{'s' * (count != 1)} of {titled(queue)}", queue)
    channel = " (a channel)" if getattr(queue, "putting", None) is not None and queue.maxsize == 0 else ""
    what = "a place in" if "put" in method else "an item of"
    return Wait("queue", f"{what} {titled(queue)}{channel}", queue)


def _plain(kind: str, what: str) -> Callable[[Any, str], Wait]:
    return lambda primitive, method: Wait(kind, what.format(titled(primitive)), primitive)


def _thread(thread: Any, method: str) -> Wait | None:
    if method not in ("wait", "join", "_wait_for_tstate_lock"):
        return None  # the run of a thread, and not the wait for one
    if isinstance(thread, Task):
        return Wait("green thread", f"{thread.name} to end", thread, thread)
    return Wait("green thread", f"{thread.name} to end", thread, task_with(thread.ident))


def _handle(handle: Any, method: str) -> Wait:
    task = task_with(handle.ident)
    return Wait("green thread", f"{'a thread' if task is None else task.name} to end", handle, task)


def _pool(pool: Any, method: str) -> Wait | None:
    if method not in ("_claim", "waitall"):
        return None
    what = "all green threads of" if method == "waitall" else "a place in"
    return Wait("pool", f"{what} {titled(pool)}", pool)


def _nursery(nursery: Any, method: str) -> Wait | None:
    return Wait("pool", f"all green threads of {titled(nursery)}", nursery) if method == "_wait_for_children" else None


def _completed(completed: Any, method: str) -> Wait:
    left = completed.pending()
    if len(left) == 1:
        return Wait("green thread", f"{left[0].name} to end", left[0], left[0])
    names = ", ".join([thread.name for thread in left[:_NAMED]] + ["..."] * (len(left) > _NAMED))
    return Wait("green thread", f"{len(left)} green threads to end ({names})", completed)


def _native(names: Mapping[str, Any]) -> Wait:
    call = names.get("meth")
    inner = getattr(call, "func", call)
    return Wait("native call", f"the native call of {getattr(inner, '__qualname__', type(inner).__qualname__)}", call)


def _child(names: Mapping[str, Any]) -> Wait:
    return Wait("child", f"process {names.get('pid')} to end", names.get("pid"))


def task_with(ident: int | None) -> Task | None:
    """The task of a thread, by its ident. None: there is none, or it has ended."""
    for hub in tuple(hubs):
        for task in (hub.main, *green_threads(hub)):
            if ident and task.known_ident == ident:
                return task
    return None


_CLASSES: Final[dict[str, Callable[[Any, str], Wait | None]]] = {
    "greening.sync.lock.Lock": _lock,
    "greening.sync.lock.RLock": _lock,
    "greening.sync.semaphore.Semaphore": _semaphore,
    "greening.threads.semlock.SemLock": _plain("lock", "{}, which processes share"),
    "greening.sync.condition.Condition": _plain("condition", "{} to be notified"),
    "greening.sync.queue.LightQueue": _queue,
    "greening.sync.event.Event": _plain("event", "{} to be sent"),
    "greening.pool.greenpool.GreenPool": _pool,
    "greening.pool.nursery.nursery": _nursery,
    "greening.pool.collect.Completed": _completed,
    "greening.pool.job.Job": _plain("pool", "the result of a {}"),
    "greening._core.thread_ops.ThreadOps": _thread,
    "greening._core.greenthread.GreenThread": _thread,
    "greening.threads.handle.Handle": _handle,
    "greening.patches.queue.SimpleQueue": _queue,
    "_queue.SimpleQueue": _queue,
    "threading.Condition": _plain("condition", "{} to be notified"),
    "threading.Event": _plain("event", "{} to be set"),
    "threading.Semaphore": _plain("semaphore", "a permit of {}"),
    "threading.Barrier": _plain("condition", "the others at {}"),
    "threading.Thread": _thread,
    "queue.Queue": _queue,
    "queue.SimpleQueue": _queue,
    "concurrent.futures._base.Future": _plain("event", "the result of {}"),
}

_FUNCTIONS: Final[dict[str, Callable[[Mapping[str, Any]], Wait | None]]] = {
    "greening.threads.native.NativePool.execute": _native,
    "greening.fdio.child_wait.wait_exit": _child,
    "greening.patches.signal.pause": lambda names: Wait("signal", "a signal"),
    "threading._shutdown": lambda names: Wait("green thread", "the threads that are left to end"),
    "greening.threads.sigwait.wait_for": lambda names: Wait(
        "signal", "a signal of " + ", ".join(str(int(number)) for number in sorted(names.get("wanted", ())))
    ),
}
