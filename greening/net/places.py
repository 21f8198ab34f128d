"""The connections of one server: which there are, which of them are idle, and which one goes when there is no room.

A `Place` is one connection, from its accept to its close. While it is idle, its green thread has not begun (see idle).
Idle places stand in the order in which they became idle, by their time limits. So one timer serves them all, and the
first one of each limit is the longest idle.
"""

from _socket import SHUT_RDWR
from collections.abc import Callable
from contextvars import Context, copy_context
from math import inf
from typing import Any

from greening._core.current import current
from greening._core.greenthread import GreenThread
from greening._core.hub import Hub
from greening._core.task import PARKED
from greening._core.timers import Timer
from greening._core.unhandled import report_unhandled
from greening._originals import raw_socket
from greening.net.idle import Idle, has_bytes, no_longer_start, start_when_readable, waits_for_peer
from greening.sync.event import Event
from greening.timeout import Timeout

_shutdown = raw_socket.shutdown

_WANTED = "its place was needed"


class Place:
    """One connection.

    Attributes:
        sock: the connection. thread: its green thread, which runs, or will when bytes come.
        idle: what goes on then; None: it has not been idle yet. since: hub time since which it is idle, or was made.
        shaking: it has not got further than a handshake. broken: it was cut, and its green thread will end it.
        among: the idle ones with the same time limit, while it is one of them.
    """

    __slots__ = ("among", "broken", "idle", "shaking", "since", "sock", "thread")

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.thread: GreenThread[Any] | None = None
        self.idle: Idle | None = None
        self.since = current().hub.now()
        self.shaking = self.broken = False
        self.among: dict[Place, None] | None = None

    def move_to(self, sock: Any) -> None:
        """The connection is another socket object's now."""
        self.sock = sock


class Places:
    """The connections of one server. Use it in the server's own OS thread.

    Args:
        resume: body of the green thread of a place for which bytes have come.
    Attributes:
        taken: all places, in the order of their accept.
        dismissed: how many connections had to go to make room.
    """

    def __init__(self, resume: Callable[[Place], object]) -> None:
        self.taken: dict[Place, None] = {}
        self.dismissed = 0
        self._resume = resume
        self._context: Context = copy_context()  # of the server, for each green thread that begins
        self._idle: dict[float | None, dict[Place, None]] = {}
        self._timer: Timer | None = None
        self._due = inf
        self._changed: Event | None = None

    def take(self, sock: Any) -> Place:
        """A new connection."""
        place = Place(sock)
        self.taken[place] = None
        return place

    def release(self, place: Place) -> None:
        """The connection is over: close it. A second call does nothing."""
        if place not in self.taken:
            return
        del self.taken[place]
        self._forget_idle(place)
        place.thread = None
        try:
            place.sock.close()
        except OSError:
            pass
        finally:
            self._tell()

    def wait_for_change(self, timeout: float | None = None) -> None:
        """Park until a place is released, or becomes idle. timeout: seconds, relative."""
        self._changed = self._changed or Event()
        with Timeout(timeout, False):
            self._changed.wait()

    def _tell(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.send()

    # Idle places

    def park(self, place: Place, idle: Idle) -> None:
        """The connection waits for its client, without a green thread."""
        hub = current().hub
        thread = place.thread = GreenThread(hub, self._resume, (place,), {})
        thread.context = self._context.copy()
        place.idle = idle
        try:
            if idle.eager or not start_when_readable(thread, place.sock):
                hub.ready.append(thread)
                return
        except OSError:  # somebody has closed the socket
            self.release(place)
            return
        place.since = now = hub.now()
        limit = idle.timeout
        bucket = self._idle.get(limit)
        if bucket is None:
            bucket = self._idle[limit] = {}
        bucket[place] = None
        place.among = bucket
        if limit is not None and now + limit < self._due:
            self._wake_at(hub, now + limit)
        if self._changed is not None:
            self._tell()

    def resumed(self, place: Place) -> bool:
        """Its green thread has begun. False: the connection is over."""
        self._forget_idle(place)
        return place in self.taken

    @staticmethod
    def _forget_idle(place: Place) -> None:
        if place.among is not None:
            place.among.pop(place, None)
            place.among = None

    def idle(self) -> list[Place]:
        """All places that are idle, those with bytes on their way to a green thread not among them."""
        return [place for bucket in self._idle.values() for place in bucket if is_parked(place)]

    def dismiss(self, place: Place, why: str) -> None:
        """End an idle connection."""
        thread = place.thread
        if thread is not None and no_longer_start(thread, place.sock):
            thread.cancel()
        _say_goodbye(place, why)
        self.release(place)

    def spare_one(self, seconds: float) -> bool:
        """End the connection that has been idle, or shaking hands, for longest, if that is `seconds` or more.

        Returns:
            True: its descriptor is free.
        """
        oldest = self._longest_idle(current().hub.now() - seconds)
        return oldest is not None and self._end(oldest)

    def make_room(self) -> bool:
        """End the connection that has been idle, or shaking hands, for longest. If there is none, end the one that
        waits for its client in a green thread and has the least time left to do so.

        Returns:
            True: there is room now. False: there will be when a green thread has ended, or nobody could go.
        """
        oldest = self._longest_idle(inf) or self._least_time_left()
        return oldest is not None and self._end(oldest)

    def _end(self, oldest: Place) -> bool:
        """True: it has ended. False: its green thread will end it."""
        self.dismissed += 1
        if is_parked(oldest):
            self.dismiss(oldest, _WANTED)
            return True
        oldest.broken = True
        _say_goodbye(oldest, _WANTED)
        cut(oldest.sock)
        return False

    def _longest_idle(self, before: float) -> Place | None:
        """Of all that lose nothing by their end, the one that has been so for longest, and since `before`."""
        oldest, since = None, before
        for bucket in self._idle.values():
            for place in bucket:
                if is_parked(place) and not has_bytes(place.sock):
                    if place.since < since:
                        oldest, since = place, place.since
                    break
        for place in self.taken:
            if not place.broken and place.among is None:
                begun = place.since if place.shaking else None if place.idle is None else place.idle.since
                if begun is not None and begun < since and (place.shaking or not has_bytes(place.sock)):
                    oldest, since = place, begun
        return oldest

    def _least_time_left(self) -> Place | None:
        """Only handlers that return an `Idle` sometimes have declared that their connections may be cut."""
        chosen, until = None, inf
        for place in self.taken:
            thread = place.thread
            if place.idle is None or place.broken or thread is None or not waits_for_peer(thread, place.sock):
                continue
            if place.idle.since is not None:  # it has just been asked something
                continue
            deadline = inf if thread.deadline is None else thread.deadline
            if chosen is None or deadline < until:
                chosen, until = place, deadline
        return chosen

    # Time limits

    def end_timer(self) -> None:
        """No connection is idle any more, nor will be."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _wake_at(self, hub: Hub, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = when
        self._timer = hub.call_at(when, self._time_is_up, hub)

    def _time_is_up(self, hub: Hub) -> None:
        """In the hub, which must not say goodbye to clients itself."""
        self._timer = None
        thread = GreenThread(hub, self._sweep, (), {})
        thread.context = self._context.copy()
        hub.ready.append(thread)

    def _sweep(self) -> None:
        """End what has been idle for too long, and set the timer for the next one."""
        hub = current().hub
        now, self._due = hub.now(), inf
        following = inf
        for limit, bucket in list(self._idle.items()):
            if limit is None:
                continue
            due = []
            for place in bucket:
                if not is_parked(place):  # chosen: it is about to begin
                    continue
                if place.since + limit > now:
                    following = min(following, place.since + limit)
                    break
                due.append(place)
            for place in due:
                if is_parked(place) and place.among is bucket:  # the goodbyes of others may let it run
                    self.dismiss(place, "idle for too long")
            if not bucket and self._idle.get(limit) is bucket:
                del self._idle[limit]
        if following < self._due:
            self._wake_at(hub, following)


def is_parked(place: Place) -> bool:
    """Its green thread has not begun, and waits for bytes."""
    thread = place.thread
    return thread is not None and thread.state == PARKED and not thread.started


def _say_goodbye(place: Place, why: str) -> None:
    """Whatever the user's `dismiss` raises is reported: the place is free all the same."""
    if place.idle is not None:
        try:
            place.idle.dismiss(why)
        except Exception as error:  # noqa: BLE001  # the user's own code
            report_unhandled(error, current())


def cut(sock: Any) -> None:
    """End a connection on which a green thread waits. Below TLS: `SSLSocket.shutdown` would take the session away."""
    try:
        _shutdown(sock, SHUT_RDWR)
    except OSError:
        pass  # it is over already
