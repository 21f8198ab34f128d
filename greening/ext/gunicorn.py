"""A gunicorn worker: `gunicorn -k greening.ext.gunicorn.GreeningWorker module:app`.

gunicorn loads this file in its arbiter, which forks the workers. The arbiter stays as it is: a worker patches itself,
after the fork and before the application is imported. With `--preload` the application is there already, and is patched
late; `greening.debug.audit()` tells what that could not reach.

A connection has a green thread, `--worker-connections` of them at once; requests are parsed and answered by gunicorn's
own code, so its settings mean what they mean with its other workers. Differences from those, on purpose:
- A worker that is full leaves connections in the backlog, where its siblings find them; gevent's takes one more.
- A stop, a restart after `--max-requests` and the end of the last request are acted on at once, not at the next beat.
- A worker that is told to stop while it starts up does so.
- A worker that the arbiter aborts because it was silent for `--timeout` logs where it was stuck.
- Clients have limits that gunicorn does not know. A body has 30 seconds, and one more for every 500 bytes that come; a
  client that takes nothing of its response for 60 seconds is cut off; with `--keep-alive 0`, a head has 10 seconds.
- When all places are taken and a client comes, the connection that has been idle longest is closed for it; if there is
  none, the one that has kept its request waiting longest, for its body or by not reading.
- A worker that the arbiter stops serves what is in the backlog, as far as it has places.

The limits are the attribute `patience` of the worker's class, and, in the environment (`--env`) and before it,
GREENING_GUNICORN_HEAD_TIMEOUT, GREENING_GUNICORN_BODY_TIMEOUT, GREENING_GUNICORN_BODY_RATE and
GREENING_GUNICORN_WRITE_TIMEOUT, in seconds and bytes a second. They are looked at once a second.
"""

import os
import select
import signal
import ssl
import time
import traceback
from operator import itemgetter
from types import FrameType, TracebackType
from typing import Any

from greenlet import GreenletExit
from gunicorn import sock, util
from gunicorn.workers.base_async import AsyncWorker

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn, throw_into
from greening._core.poller import IN
from greening._core.task import Task
from greening._core.waiting import sleep, yield_now
from greening.debug.dumping import as_paragraph
from greening.ext.gunicorn_connection import (
    IDLE,
    BodySource,
    ClientSocket,
    Connection,
    Patience,
    TlsClientSocket,
)
from greening.monkey import monkey_patch
from greening.net.accept import HANDSHAKE_TIMEOUT, Acceptor
from greening.net.retry import wait_socket
from greening.sync.event import Event
from greening.sync.semaphore import Semaphore
from greening.timeout import Timeout

# Seconds.
_BEAT = 1.0  # between signs of life, at most
_LINGER = 2.0  # for requests on connections that were told they are kept alive, in a stopping worker; as gthread's
_LAST_WORDS = 1.0  # for what was killed
_LOOK = 0.05  # while a client waits and all places are taken: between looks at which could go
_SIBLINGS = 0.02  # for another worker to take a client that this one has no place for


class GreeningWorker(AsyncWorker):  # type: ignore[misc]  # gunicorn is untyped
    """Serves each connection in a green thread. Made by gunicorn's arbiter; see the head of this file.

    Attributes:
        alive: False: stop gracefully. gunicorn says so in signal handlers, at `--max-requests`, when files changed.
        patience: how long clients may keep the worker waiting.
    """

    patience = Patience()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # In the arbiter. Nothing of the engine may be made here: it would be the arbiter's.
        self._alive = True
        self._terminated = (
            False  # by the arbiter, which may have closed the listeners; a new worker would find them open
        )
        self._stopping: Event | None = None
        self._drained: Event | None = None  # there is one once no more connections are accepted
        self._tls: ssl.SSLContext | None = None
        super().__init__(*args, **kwargs)

    @property
    def alive(self) -> bool:
        return self._alive

    @alive.setter
    def alive(self, value: bool) -> None:
        self._alive = value
        if not value and self._stopping is not None and not self._stopping.ready():
            self._stopping.send()

    def init_process(self) -> None:
        """In the new worker process: patch, then what every worker does: load the application, and `run`."""
        # Until gunicorn gets that far, the handlers are those of the arbiter, whose loop does not run here: a reload
        # that follows another at once would wait for a worker that has never heard of its end.
        signal.signal(signal.SIGTERM, self.handle_exit)
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self.handle_quit)
        monkey_patch()
        self._stopping = Event()
        self._places = Semaphore(self.worker_connections)
        self._connections: dict[Task, Connection] = {}
        self._bodies: dict[Task, BodySource] = {}
        self.patience = Patience.of(os.environ, self.patience)
        super().init_process()

    def run(self) -> None:
        """Serve until `alive` is False, then finish what is under way, for `--graceful-timeout` seconds at most."""
        assert self._stopping is not None
        if self.cfg.is_ssl:
            self._tls = sock.ssl_context(self.cfg)
            self._tls.sslsocket_class = TlsClientSocket
        acceptors = [spawn(self._accept, listener) for listener in self.sockets]
        interval = min(_BEAT, self.timeout / 2 or _BEAT)
        while self.alive:
            self.notify()
            self._end_overdue()
            self._stopping.wait(interval)
        for acceptor in acceptors:
            throw_into(acceptor, GreenletExit())
        for acceptor in acceptors:
            try:
                acceptor.wait()  # one that was about to accept still does
            except GreenletExit:
                pass
        for listener in self.sockets:
            if self._terminated:
                self._take_backlog(listener)
            listener.close()
        self._drain(interval)

    def notify(self) -> None:
        """Tell the arbiter that this worker lives; stop if the arbiter does not."""
        super().notify()
        if self.alive and self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM, from the arbiter: stop gracefully."""
        self._terminated = True
        super().handle_exit(sig, frame)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """SIGABRT, from the arbiter: this worker was silent for too long. Says where it is, and ends the process."""
        self.log.error("Worker (pid:%s) was stuck here:\n%s", self.pid, "".join(traceback.format_stack(frame)))
        super().handle_abort(sig, frame)

    # Connections

    def _accept(self, listener: Any) -> None:
        """Body of a listener's green thread."""
        try:
            listener.setblocking(False)  # it is shared: a sibling may have taken what this worker was woken for
            acceptor = Acceptor(listener.sock)
            bound = _Bound(listener.getsockname())
            while self.alive:
                # The place first: several listeners share the places, so none is held while one waits.
                if not self._places.acquire(blocking=False):
                    self._make_room(listener.sock)
                try:
                    client, address = acceptor.accept()
                except BlockingIOError:
                    self._places.release()
                    wait_socket(listener.sock, IN, None)
                    continue
                self._begin(bound, client, address)
                del client
                if self.cfg.workers > 1:
                    yield_now()  # one at a time, so that idle siblings get the next
        except OSError:
            self.log.exception("Cannot accept connections on %s any more", listener)
            self.alive = False

    def _make_room(self, listener: Any) -> None:
        """Take a place, all of which are taken. If a client waits, end the connection that can be done without."""
        backlog = select.poll()
        backlog.register(listener, select.POLLIN)
        while True:
            # The poll before the wait: what is in the backlog already makes no new event.
            while not backlog.poll(0):
                wait_socket(listener, IN, None)
            if self.cfg.workers > 1:
                sleep(_SIBLINGS)
            if backlog.poll(0):
                self._end_one()
            if self._places.acquire(timeout=_LOOK):
                return

    def _end_one(self) -> None:
        now = time.monotonic()
        ranks = [(rank, it) for it in self._connections.values() if (rank := it.rank(now)) is not None]
        if ranks:
            min(ranks, key=itemgetter(0))[1].hang_up("the place was needed")

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for connection in self._connections.values():
            if why := connection.overdue(now, self.patience, self.cfg.keepalive):
                connection.hang_up(why)
        for task, body in self._bodies.items():
            if body.overdue(now):
                self._connections[task].hang_up("the body comes too slowly")

    def _take_backlog(self, listener: Any) -> None:
        """Accept what waits in the backlog: when the last worker closes the listener, the kernel resets the rest."""
        bound = _Bound(listener.getsockname())
        acceptor = Acceptor(listener.sock)
        for _ in range(self.cfg.backlog):  # clients may go on coming: a reload leaves the listener open
            if not self._places.acquire(blocking=False):
                self._end_one()
                if not self._places.acquire(timeout=_LOOK):
                    return
            try:
                client, address = acceptor.accept()
            except OSError:  # mostly BlockingIOError: that was all
                self._places.release()
                return
            self._begin(bound, client, address)

    def _begin(self, bound: "_Bound", accepted: Any, address: Any) -> None:
        """Give an accepted connection, and the place that was taken for it, a green thread."""
        client = ClientSocket.of(accepted)
        thread = spawn(self._serve, bound, client, address)
        self._connections[thread] = client.connection
        thread.link(self._ended)

    def _serve(self, bound: "_Bound", client: Any, address: Any) -> None:
        """Body of a connection's green thread."""
        try:
            if self._tls is not None:
                client = self._secure(client)
            self.handle(bound, client, address)
        except (OSError, ValueError) as error:  # of the handshake: `handle` lets nothing out
            self.log.debug("TLS handshake with %s failed: %s", address, error)
        finally:
            util.close(client)

    def _secure(self, client: Any) -> Any:
        assert self._tls is not None
        client.settimeout(HANDSHAKE_TIMEOUT)
        secured: Any = self._tls.wrap_socket(
            client,
            server_side=True,
            suppress_ragged_eofs=self.cfg.suppress_ragged_eofs,
            do_handshake_on_connect=False,
        )
        connection = self._connections[current()]
        connection.sock, secured.connection = secured, connection
        try:
            secured.do_handshake()
        except BaseException:
            util.close(secured)
            raise
        secured.settimeout(None)
        return secured

    def _ended(self, thread: GreenThread[None]) -> None:
        del self._connections[thread]
        self._places.release()
        if not self._connections and self._drained is not None:
            self._drained.send()

    # What gunicorn's base asks for

    def timeout_ctx(self) -> "_Reading":
        """Around the wait for a request: `--keepalive` seconds until its head has come."""
        return _Reading(self._connections[current()], self.cfg.keepalive)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Serve a request whose head has come, and keep the time for its body."""
        task = current()
        connection = self._connections[task]
        connection.works()
        self._bodies[task] = body = BodySource(sock, connection, self.patience)
        req.unreader.sock = body
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            req.unreader.sock = sock
            del self._bodies[task]
            connection.awaits(IDLE)

    def handle_http2_request(self, *args: Any) -> None:
        """Serve a request of an HTTP/2 connection, whose bodies gunicorn keeps the time for."""
        connection = self._connections[current()]
        connection.works()
        try:
            super().handle_http2_request(*args)
        finally:
            connection.awaits(IDLE)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Log and answer an error. One that was killed at the end of the graceful timeout is just closed."""
        if not isinstance(exc, GreenletExit):
            super().handle_error(req, client, addr, exc)

    # The end

    def _drain(self, interval: float) -> None:
        self._drained = Event()
        begun = time.monotonic()
        while self._connections:
            passed = time.monotonic() - begun
            if passed >= self.cfg.graceful_timeout:
                self._kill()
                self._drained.wait(_LAST_WORDS)
                return
            step = min(interval, self.cfg.graceful_timeout - passed)
            if passed >= _LINGER:
                self._hang_up()
            else:
                step = min(step, _LINGER - passed)
            self.notify()
            self._end_overdue()
            self._drained.wait(step)

    def _hang_up(self) -> None:
        """End the connections that wait for a request."""
        for connection in self._connections.values():
            if connection.state == IDLE:
                connection.hang_up("the worker stops")

    def _kill(self) -> None:
        self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
        for thread, connection in self._connections.items():
            if connection.state != IDLE:
                self.log.warning("Cuts off %s; %s", _request_of(thread), as_paragraph(thread).rstrip())
        for thread in self._connections:
            throw_into(thread, GreenletExit())


def _request_of(thread: Task) -> str:
    """The request that a green thread is at: gunicorn has it in a local variable."""
    frame = thread.gr_frame
    while frame is not None:
        request: Any = frame.f_locals.get("req")
        if hasattr(request, "method") and hasattr(request, "uri"):
            return f"{request.method} {request.uri}"
        frame = frame.f_back
    return "a connection"


class _Bound:
    """Stands for a listener, of which connections want the address, when it may have been closed already."""

    def __init__(self, address: Any) -> None:
        self._address = address

    def getsockname(self) -> Any:
        return self._address


class _Reading:
    """While a connection waits for a request: a silent Timeout."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._timeout = Timeout(seconds, False)

    def __enter__(self) -> None:
        self._connection.awaits(IDLE)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._timeout.__exit__(kind, value, trace)
