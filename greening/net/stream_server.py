"""`StreamServer`: `serve` as an object that can be started and stopped."""

import os
import ssl
from _socket import AF_INET, AF_INET6, AF_UNIX
from collections.abc import Callable
from typing import Any

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn, throw_into
from greening._core.mistakes import address_error, check_handler, check_listener, looks_like_host_and_port
from greening._core.timers import deadline_after
from greening._core.unhandled import report_unhandled
from greening.errors import GreenletExit, StopServe
from greening.net.accept import HANDSHAKE_TIMEOUT, Acceptor
from greening.net.convenience import listen
from greening.net.idle import Idle, has_bytes
from greening.net.places import Place, Places, cut, is_parked
from greening.sync.event import Event
from greening.timeout import Timeout

# Seconds between two looks for a connection that could go, while a new one waits for a place: to begin to wait for a
# client is no event.
_LOOK = 0.1

# Seconds. A client that pauses for less is between two requests, and does not expect an end.
_IDLE_ENOUGH = 1.0


class StreamServer:
    """Accepts connections and runs `handle(connection, address)` for each in a green thread of its own.

    When a handler returns, its connection is closed, unless it returns an `Idle` (see greening.net.idle): that costs no
    green thread until bytes come. An exception of a handler is reported and closes its connection, and the server goes
    on. A handler that raises `StopServe` stops the server. With TLS the handshake is made before `handle` is called.
    When there are as many connections as there may be, a new one takes the place of the one that was idle for longest.

    Args:
        listener: a listening socket, or what `greening.listen` takes to make one: (host, port), or a path for a Unix
            socket.
        handle: called with a connection and the address of its peer.
        concurrency: the number of connections at once, the idle ones among them.
        pool: a GreenPool for the handlers, in place of `concurrency`. Other code may use it as well. An idle connection
            holds no place of it, but there are no more connections than it has places.
        ssl_context: TLS for all connections. Certificates that are loaded into it later count for later connections.
            Its `sni_callback` is called as always.
        handshake_timeout: seconds for a whole handshake, relative; None: no limit.
        plain_answer: what a client gets that speaks plain text to a server with TLS; None: its connection is closed.
        preface: called with each connection and its address before anything is read from it, TLS included; it returns
            the address that counts, or None to have the connection closed. It counts as part of the handshake.
    Raises:
        OSError: as `greening.listen`. TypeError: `listener` is none of these, or `handle` cannot be called, or is an
            `async def`.
    Thread-safety: use it in one OS thread.
    Difference from `socketserver`: a connection costs a green thread, and handlers are functions.
    """

    def __init__(
        self,
        listener: Any,
        handle: Callable[[Any, Any], object],
        *,
        concurrency: int = 1000,
        pool: Any = None,
        ssl_context: ssl.SSLContext | None = None,
        handshake_timeout: float | None = HANDSHAKE_TIMEOUT,
        plain_answer: bytes | None = None,
        preface: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        check_handler(handle, "StreamServer", "(connection, address)")
        self.listener = _listening(listener)
        self.address: Any = self.listener.getsockname()
        self.closed = False
        self._ends_idle = False  # `stop` was called
        self._handle = handle
        self._concurrency = concurrency
        self._pool = pool
        self._preface = preface
        self._acceptor = Acceptor(self.listener, ssl_context, handshake_timeout, plain_answer, self._give_way)
        self._accepting: GreenThread[None] | None = None
        self._places = Places(self._resumed if pool is None else self._resumed_in_pool)
        self._stopped = Event()
        self._failure: OSError | None = None
        # Green threads that wait in `stop`: handlers among them would wait for each other.
        self._stopping: list[Any] = []

    @property
    def named_after(self) -> Callable[..., object]:
        """The handler, after which the green threads of connections are named."""
        return self._handle

    def start(self) -> None:
        """Begin to accept, and return at once. A second call does nothing.

        Raises:
            RuntimeError: the server was stopped.
        """
        if self.closed:
            raise RuntimeError("a server that was stopped cannot be started again")
        if self._accepting is None:
            self._accepting = spawn(self._accept)
            self._accepting.name = "accept"

    def serve_forever(self) -> None:
        """Call `start`, and park until the server is stopped.

        Raises:
            OSError: accept(2) failed for good.
            RuntimeError: the server was stopped before.
        """
        self.start()
        while not self._stopped.ready():  # a `switch` to the task ends the wait, too
            self._stopped.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self, timeout: float | None = None) -> None:
        """Accept no more, close the listener, and wait until the handlers have returned. So does a second call.

        A handler that stops its own server is not waited for.

        Args:
            timeout: seconds, relative; handlers that still run then are killed. None: no limit. 0: they are killed at
                once.
        Raises:
            TypeError, ValueError: `timeout` is no number of seconds; nothing has been done.
        """
        if timeout is not None:
            deadline_after(0.0, timeout)  # what is not a number of seconds is refused before anything is closed
        self.close()
        self._ends_idle = True
        self._stopping.append(current())
        try:
            for place in tuple(self._places.taken):
                if place.idle is not None and place.idle.shut_down():
                    self._end_idle(place)
            if self._others() and timeout != 0:
                self._wait_for(timeout)
            left = self._others()
            for place in left:
                self._kill(place)
            if left:
                self._wait_for(None)
            self._places.end_timer()
        finally:
            self._stopping.remove(current())

    @property
    def state(self) -> str:
        """For people: whether it accepts, how many connections there are, and how many of them are idle."""
        state = "closed" if self.closed else "not started" if self._accepting is None else "accepting"
        return f"{state} connections={len(self._places.taken)} idle={self.idle}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} address={self.address!r} {self.state}>"

    @property
    def connections(self) -> list[Idle]:
        """What the handlers have returned, for the connections that are still open."""
        return [place.idle for place in self._places.taken if place.idle is not None]

    @property
    def idle(self) -> int:
        """How many connections wait for their clients without a green thread."""
        return len(self._places.idle())

    @property
    def new(self) -> int:
        """How many connections have a handler that has not begun, or has not returned for the first time."""
        return sum(place.idle is None for place in self._places.taken)

    @property
    def dismissed(self) -> int:
        """How many connections had to go because others needed their places."""
        return self._places.dismissed

    def _others(self) -> list[Place]:
        """The connections whose green threads do not stop the server themselves."""
        return [place for place in self._places.taken if place.thread not in self._stopping]

    def _end_idle(self, place: Place) -> None:
        if has_bytes(place.sock):
            return  # a request is on its way: it is served, as the last one
        if is_parked(place):
            self._places.dismiss(place, "the server stops")
        else:
            cut(place.sock)

    def _kill(self, place: Place) -> None:
        thread, error = place.thread, GreenletExit("its StreamServer was stopped")
        if thread is not None and thread.started:
            thread.quiet = True
            if not thread.interrupt(error):  # another error is on its way: this one comes first
                throw_into(thread, error)
            return
        if thread is not None:
            throw_into(thread, error)
        self._places.release(place)

    def close(self) -> None:
        """Accept no more, and close the listener. Connections go on. A second call does nothing."""
        if self.closed:
            return
        self.closed = True
        accepting, self._accepting = self._accepting, None
        if accepting is not None and accepting is not current():
            accepting.quiet = True
            throw_into(accepting, GreenletExit())
        self.listener.close()
        self._stopped.send()

    def _wait_for(self, timeout: float | None) -> None:
        """Park until no connection is left but the caller's, or the time is up."""
        with Timeout(timeout, False):
            while self._others():
                self._places.wait_for_change()

    def _accept(self) -> None:
        acceptor = self._acceptor
        body = self._secured if acceptor.tls else self._served
        if self._preface is not None:
            body = self._prefaced
        try:
            while True:
                connection, address = acceptor.accept()
                try:
                    self._admit(connection, address, body)
                except Exception as error:  # noqa: BLE001  # no memory, a pool of the user's: the next one may be well
                    report_unhandled(error, current())
                del connection
        except OSError as error:
            self._failure = error
            self.close()

    def _admit(self, connection: Any, address: Any, body: Callable[[Place, Any], None]) -> None:
        """Give a connection a place and a green thread. It is closed if that fails."""
        places = self._places
        try:
            self._wait_for_room()
            place = places.take(connection)
        except BaseException:
            connection.close()
            raise
        try:
            thread = (spawn if self._pool is None else self._pool.spawn)(body, place, address)
        except BaseException:
            places.release(place)
            raise
        if place.thread is None:
            place.thread = thread
        thread.link(self._ended, place)

    def _give_way(self) -> bool:
        """No descriptor is left for the next connection: one that has a place goes. True: there is one now."""
        return self._places.spare_one(_IDLE_ENOUGH)

    def _wait_for_room(self) -> None:
        """Park until there may be one connection more. One that waits for its client has to go for it."""
        places = self._places
        while len(places.taken) >= (self._concurrency if self._pool is None else self._pool.size):
            if not places.make_room():
                places.wait_for_change(_LOOK)

    # Bodies of the green threads of connections

    def _prefaced(self, place: Place, address: Any) -> None:
        assert self._preface is not None
        place.shaking = True
        try:
            address = self._preface(place.sock, address)
        finally:
            place.shaking = False
        if address is None:
            self._places.release(place)
        elif self._acceptor.tls:
            self._secured(place, address)
        else:
            self._served(place, address)

    def _secured(self, place: Place, address: Any) -> None:
        place.shaking = True
        try:
            secured = self._acceptor.secure(place.sock, place.move_to)
        finally:
            place.shaking = False
        if secured is None:
            self._places.release(place)
        else:
            self._served(place, address)

    def _served(self, place: Place, address: Any) -> None:
        self._go_on(place, self._begin, place, address)

    def _begin(self, place: Place, address: Any) -> object:
        following = self._handle(place.sock, address)
        if isinstance(following, Idle):
            place.idle = following
            if following.eager:
                return following.resume()
        return following

    def _resumed(self, place: Place) -> None:
        if self._places.resumed(place) and place.idle is not None:
            self._go_on(place, place.idle.resume)

    def _resumed_in_pool(self, place: Place) -> None:
        try:
            place.thread = self._pool.spawn(self._resumed, place)
        except BaseException:  # killed while it waited for a place in the pool
            self._places.release(place)
            raise
        place.thread.link(self._ended, place)

    def _go_on(self, place: Place, step: Callable[..., object], *args: Any) -> None:
        """One step of a connection, in its green thread: it ends, or is idle afterwards."""
        following: Idle | None = None
        try:
            result = step(*args)
            if isinstance(result, Idle) and not result.over and not self._may_end(place, result):
                following = result
        except StopServe:
            self.close()
            self._ends_idle = True
        finally:
            if following is None:
                self._places.release(place)
        if following is not None:
            self._places.park(place, following)

    def _may_end(self, place: Place, idle: Idle) -> bool:
        return self._ends_idle and idle.shut_down() and not idle.eager and not has_bytes(place.sock)

    def _ended(self, thread: GreenThread[Any], place: Place) -> None:
        """What was killed before it began has closed nothing."""
        if place.thread is thread:
            self._places.release(place)


def _listening(listener: Any) -> Any:
    if isinstance(listener, tuple):
        family = AF_INET6 if ":" in listener[0] else AF_INET
        return listen(listener, family)
    if looks_like_host_and_port(listener):
        refused = TypeError("as the path of a Unix socket, begin it with ./")
        raise address_error(listener, "StreamServer", refused)
    if isinstance(listener, (str, os.PathLike)):
        return listen(os.fspath(listener), AF_UNIX)
    check_listener(listener, "StreamServer")
    return listener
