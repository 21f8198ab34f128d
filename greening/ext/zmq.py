"""pyzmq: sockets of ZeroMQ let others run while they wait.

Facts (zmq_getsockopt(3), ZMQ_FD and ZMQ_EVENTS): a socket of ZeroMQ has a descriptor that becomes readable when
something may have changed, and only then; what has is in ZMQ_EVENTS. To read ZMQ_EVENTS, and every send and receive,
takes the news off that descriptor, for all that wait for it.
Decision: a green thread that waits is in the queue of its event. A look at ZMQ_EVENTS, a send and a receive wake the
queue of each event that is there. While any wait, a green thread of the socket watches the descriptor.

`install` puts this on pyzmq's own classes. `greening.green.zmq` (green_zmq.py) has subclasses of them, for a process
that is not patched. A proxy runs until its context ends: it gets an OS thread of its own, apart from those of `tpool`.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

from greening._core.current import current
from greening._core.greenthread import spawn, throw_into
from greening._core.parking_lot import ParkingLot
from greening._core.poller import IN, OUT
from greening._core.waiting import wait_fd
from greening.errors import GreenletExit
from greening.monkey import patch_module
from greening.patcher.spec import Patch
from greening.sync.event import Event
from greening.threads.native import NativePool, execute

Method = Callable[..., Any]

# What runs until its context ends, and its OS threads. They are made when they are needed.
PROXIES = ("proxy", "proxy_steerable", "device")
_THREADS = NativePool(100)


def install(module: ModuleType) -> None:
    """The plug-in. `module`: zmq, just imported."""
    poll = green_poll(module, module.zmq_poll)
    proxies = {name: in_thread(getattr(module, name)) for name in PROXIES}
    methods = {"Socket": socket_members(module, module.Socket), "Context": context_members(module.Context)}
    for part, replaces in (("sugar.poll", {"zmq_poll": poll}), ("", {"zmq_poll": poll, **proxies})):
        target = module
        for name in filter(None, part.split(".")):
            target = getattr(target, name)
        patch = Patch(target=target.__name__, flag="socket", replaces=replaces, methods={} if part else methods)
        patch_module(patch, target)


def socket_members(module: Any, base: Any) -> dict[str, object]:
    """Members that make a class of sockets green.

    Args:
        module: zmq. base: the class whose methods do the work.
    """
    noblock, again = module.NOBLOCK, module.Again

    def parking(method: Method, event: int, option: int, position: int) -> Method:
        """The method, which has `flags` at this position, and parks until `event` in place of waiting in C."""

        @wraps(method)
        def park(self: Any, *args: Any, **kwargs: Any) -> Any:
            flags = kwargs.pop("flags", 0) if len(args) <= position else args[position]
            before, after = args[:position], args[position + 1 :]
            waits = self._greening_waits
            if flags & noblock:
                try:
                    return method(self, *before, flags, *after, **kwargs)
                finally:
                    if waits is not None:
                        waits.look()
            if waits is None:
                waits = self._greening_waits = Waits(module, self)
            limit = self.getsockopt(option)  # milliseconds; -1: none
            end = None if limit < 0 else current().hub.now() + limit / 1000
            while True:
                try:
                    return method(self, *before, flags | noblock, *after, **kwargs)
                except again:
                    if not waits.wait(event, None if end is None else max(0.0, end - current().hub.now())):
                        raise
                finally:
                    waits.look()

        return park

    def close(self: Any, linger: int | None = None) -> None:
        waits, self._greening_waits = self._greening_waits, None
        base_close(self, linger)
        if waits is not None:
            waits.end()

    base_close: Method = base.close
    members: dict[str, object] = {
        # pyzmq takes an attribute for an option of ZeroMQ, unless the class has it.
        "_greening_waits": None,
        "close": wraps(base_close)(close),
        "recv": parking(base.recv, module.POLLIN, module.RCVTIMEO, 0),
        "send": parking(base.send, module.POLLOUT, module.SNDTIMEO, 1),
    }
    if hasattr(base, "recv_into"):  # since pyzmq 26.4
        members["recv_into"] = _keyword_only(base.recv_into, parking, module)
    return members


def _keyword_only(base_recv_into: Method, parking: Callable[..., Method], module: Any) -> Method:
    """`recv_into`, whose `flags` are given by keyword."""

    def by_position(self: Any, buffer: Any, flags: int, nbytes: int) -> Any:
        return base_recv_into(self, buffer, nbytes=nbytes, flags=flags)

    into = parking(by_position, module.POLLIN, module.RCVTIMEO, 1)

    @wraps(base_recv_into)
    def recv_into(self: Any, buffer: Any, /, *, nbytes: int = 0, flags: int = 0) -> Any:
        return into(self, buffer, flags, nbytes)

    return recv_into


def context_members(base: Any) -> dict[str, object]:
    """Members for a class of contexts. Its end, which waits until all has been sent, is in a native thread."""
    base_term: Method = base.term

    @wraps(base_term)
    def term(self: Any) -> None:
        execute(base_term, self)

    return {"term": term}


class Waits:
    """The green threads that wait for one socket. Those of one OS thread may share it."""

    __slots__ = ("_events", "_module", "_queues", "_sock", "_watcher")

    def __init__(self, module: Any, sock: Any) -> None:
        self._module = module
        self._sock = sock
        self._events = (module.POLLIN, module.POLLOUT)
        self._queues = {event: ParkingLot() for event in self._events}
        self._watcher: Any = None

    def look(self) -> int:
        """Wake those whose event is there. Returns the events."""
        sock = self._sock
        try:
            events: int = 0 if sock.closed else sock.getsockopt(self._module.EVENTS)
        except self._module.ZMQError:  # the context has ended: whatever is tried next says so
            events = sum(self._events)
        for event, queue in self._queues.items():
            if events & event:
                queue.unpark_all()
        return events

    def wait(self, wanted: int, timeout: float | None) -> int:
        """Park until an event of `wanted` is there.

        Args:
            timeout: seconds from now; None: no limit.
        Returns:
            The events; 0: the time ran out.
        Raises:
            ZMQError: the socket was closed.
        """
        end = None if timeout is None else current().hub.now() + timeout
        while not (events := self.look() & wanted):
            if self._sock.closed:
                raise self._module.ZMQError(self._module.ENOTSOCK)
            left = None if end is None else end - current().hub.now()
            if left is not None and left <= 0:
                return 0
            self._park([self._queues[event] for event in self._events if wanted & event], left)
        return events

    def end(self) -> None:
        """The socket is closed."""
        self._stop_watching()
        for queue in self._queues.values():
            queue.unpark_all()

    def _park(self, queues: list[ParkingLot], timeout: float | None) -> None:
        """Wait in all of these queues, until one of them wakes the task."""
        if self._watcher is None:
            self._watcher = spawn(self._watch)
        task = queues[0].enter()
        for queue in queues[1:]:
            queue.enter(task)
        try:
            queues[0].wait(task, timeout)
        finally:
            for queue in queues:
                queue.leave(task)
            if not any(self._queues.values()):
                self._stop_watching()

    def _watch(self) -> None:
        while not self._sock.closed:
            try:
                fd = self._sock.getsockopt(self._module.FD)
            except self._module.ZMQError:  # the context has ended, and nobody waits any more
                return
            wait_fd(fd, IN)
            self.look()

    def _stop_watching(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher is not current():
            throw_into(watcher, GreenletExit())


def green_poll(module: Any, zmq_poll: Method) -> Method:
    """`zmq_poll`, on which `Poller`, `Socket.poll` and `zmq.select` stand, so that it parks."""

    @wraps(zmq_poll)
    def poll(sockets: Sequence[tuple[Any, int]], timeout: float = -1) -> list[tuple[Any, int]]:
        """Park until something is ready.

        Args:
            sockets: (socket or descriptor, events) pairs. timeout: milliseconds from now; less than 0: no limit.
        Returns:
            (socket or descriptor, events) pairs; none: the time ran out.
        """
        end = None if timeout is None or timeout < 0 else current().hub.now() + timeout / 1000
        while not (ready := zmq_poll(sockets, 0)):
            left = None if end is None else end - current().hub.now()
            if left is not None and left <= 0:
                break
            _await_any(module, sockets, left)
        return ready  # type: ignore[no-any-return]  # pyzmq's own list

    return poll


def _await_any(module: Any, sockets: Sequence[tuple[Any, int]], timeout: float | None) -> None:
    first: Event = Event()
    threads = [spawn(_tell, module, item, flags, first) for item, flags in sockets]
    try:
        first.wait(timeout)
    finally:
        for thread in threads:
            throw_into(thread, GreenletExit())


def _tell(module: Any, item: Any, flags: int, first: Event) -> None:
    if isinstance(item, module.Socket):
        if item._greening_waits is None:
            item._greening_waits = Waits(module, item)
        item._greening_waits.wait(flags, None)
    else:
        mask = (IN if flags & module.POLLIN else 0) | (OUT if flags & module.POLLOUT else 0)
        wait_fd(item if isinstance(item, int) else item.fileno(), mask)
    if not first.ready():
        first.send()


def in_thread(function: Method) -> Method:
    """The function in an OS thread. A kill of its caller leaves it running: the end of its context ends it."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return _THREADS.execute(function, *args, **kwargs)

    return run
