"""eventlet.green.zmq: pyzmq whose sockets let others run while they wait.

Facts (zmq_getsockopt(3), ZMQ_FD and ZMQ_EVENTS): a socket of ZeroMQ has a descriptor that becomes readable when
something may have changed, and only then; what has is in ZMQ_EVENTS. To read ZMQ_EVENTS, and every send and receive,
takes the news off that descriptor, whoever waits for it.
Decision: a green thread that waits is in the queue of its event. Whoever looks at ZMQ_EVENTS, and whoever has sent or
received, wakes the queue of each event that is there. While any wait, a green thread of the socket watches the
descriptor.

Raises ImportError where pyzmq is not installed.
"""

import importlib
from collections.abc import Callable
from typing import Any

from greening._core.current import current
from greening._core.greenthread import spawn, throw_into
from greening._core.parking_lot import ParkingLot
from greening._core.poller import IN, OUT
from greening._core.waiting import wait_fd
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.threads.native import execute

try:
    _module: Any = importlib.import_module("zmq")
except ModuleNotFoundError as error:
    if error.name != "zmq":
        raise
    raise ImportError(
        "eventlet.green.zmq needs pyzmq, which is not installed: pip install pyzmq", name="zmq"
    ) from error

__all__ = ["Context", "Poller", "Socket"]

_EVENTS = (_module.POLLIN, _module.POLLOUT)


class Socket(_module.Socket):  # type: ignore[misc]  # pyzmq need not be installed where types are checked
    """A `zmq.Socket` whose `send`, `recv`, `poll` and what is made of them park.

    Args, results and errors: as pyzmq's. ZMQ_SNDTIMEO and ZMQ_RCVTIMEO are kept.
    Thread-safety: green threads of one OS thread may share it.
    """

    # pyzmq takes an attribute for an option of ZeroMQ, unless the class has it.
    _queues: Any = None
    _watcher: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._queues = {event: ParkingLot() for event in _EVENTS}

    def send(self, data: Any, flags: int = 0, *args: Any, **kwargs: Any) -> Any:
        """Send a message; park while the queue of the socket is full."""
        send = super().send
        return self._repeat(_module.POLLOUT, _module.SNDTIMEO, flags, lambda now: send(data, now, *args, **kwargs))

    def recv(self, flags: int = 0, *args: Any, **kwargs: Any) -> Any:
        """Receive a message; park until there is one."""
        recv = super().recv
        return self._repeat(_module.POLLIN, _module.RCVTIMEO, flags, lambda now: recv(now, *args, **kwargs))

    def poll(self, timeout: float | None = None, flags: int = _module.POLLIN) -> int:
        """Park until an event of `flags` (POLLIN, POLLOUT) is there.

        Args:
            timeout: milliseconds from now; None or less than 0: no limit.
        Returns:
            The events; 0: the time ran out.
        """
        seconds = None if timeout is None or timeout < 0 else timeout / 1000
        return self._await(flags, seconds)

    def close(self, linger: int | None = None) -> None:
        """Close it. Green threads that wait for it get an error."""
        self._stop_watching()
        super().close(linger)
        for queue in self._queues.values():
            queue.unpark_all()

    def _repeat(self, event: int, option: int, flags: int, call: Callable[[int], Any]) -> Any:
        if flags & _module.NOBLOCK:
            return self._call(call, flags)
        limit = self.getsockopt(option)  # milliseconds; -1: none
        end = None if limit < 0 else current().hub.now() + limit / 1000
        while True:
            try:
                return self._call(call, flags | _module.NOBLOCK)
            except _module.Again:
                if not self._await(event, None if end is None else max(0.0, end - current().hub.now())):
                    raise

    def _call(self, call: Callable[[int], Any], flags: int) -> Any:
        try:
            return call(flags)
        finally:
            self._look()

    def _look(self) -> int:
        """Wake those whose event is there. Returns the events."""
        events: int = 0 if self.closed else self.getsockopt(_module.EVENTS)
        for event, queue in self._queues.items():
            if events & event:
                queue.unpark_all()
        return events

    def _await(self, wanted: int, timeout: float | None) -> int:
        end = None if timeout is None else current().hub.now() + timeout
        while not (events := self._look() & wanted):
            left = None if end is None else end - current().hub.now()
            if left is not None and left <= 0:
                return 0
            self._park([self._queues[event] for event in _EVENTS if wanted & event], left)
            if self.closed:
                raise _module.ZMQError(_module.ENOTSOCK)
        return events

    def _park(self, queues: list[ParkingLot], timeout: float | None) -> None:
        """Wait in all of these queues, until one of them wakes the task."""
        if self._watcher is None:
            self._watcher = spawn(self._serve)
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

    def _serve(self) -> None:
        while True:
            wait_fd(self.getsockopt(_module.FD), IN)
            self._look()

    def _stop_watching(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher is not current():
            throw_into(watcher, GreenletExit())


class Context(_module.Context):  # type: ignore[misc]  # as above
    """A `zmq.Context` whose sockets are green. Its end, which waits until all has been sent, is in a native thread."""

    _socket_class = Socket

    def term(self) -> None:
        """Close it; park until the messages of its sockets have been sent, as far as their LINGER says so."""
        execute(super().term)


class Poller(_module.Poller):  # type: ignore[misc]  # as above
    """A `zmq.Poller` whose `poll` parks. Green sockets may be registered, and descriptors."""

    def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """Park until something is ready.

        Args:
            timeout: milliseconds from now; None or less than 0: no limit.
        Returns:
            (socket or descriptor, events) pairs; none: the time ran out.
        """
        end = None if timeout is None or timeout < 0 else current().hub.now() + timeout / 1000
        while not (ready := super().poll(0)):
            left = None if end is None else end - current().hub.now()
            if left is not None and left <= 0:
                break
            self._await_any(left)
        return ready  # type: ignore[no-any-return]  # pyzmq's own list

    def _await_any(self, timeout: float | None) -> None:
        first: Event = Event()
        threads = [spawn(_tell, item, flags, first) for item, flags in self.sockets]
        try:
            first.wait(timeout)
        finally:
            for thread in threads:
                throw_into(thread, GreenletExit())


def _tell(item: Any, flags: int, first: Event) -> None:
    if isinstance(item, Socket):
        item.poll(None, flags)
    else:
        mask = (IN if flags & _module.POLLIN else 0) | (OUT if flags & _module.POLLOUT else 0)
        wait_fd(item if isinstance(item, int) else item.fileno(), mask)
    if not first.ready():
        first.send()


def __getattr__(name: str) -> Any:
    return getattr(_module, name)


def __dir__() -> list[str]:
    return sorted({*dir(_module), *__all__})
