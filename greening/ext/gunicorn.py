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
"""

import os
import signal
import ssl
import time
import traceback
from types import FrameType, TracebackType
from typing import Any

from greenlet import GreenletExit
from gunicorn import sock, util
from gunicorn.workers.base_async import AsyncWorker

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn, throw_into
from greening._core.poller import IN
from greening._core.task import Task
from greening._core.waiting import yield_now
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


class GreeningWorker(AsyncWorker):  # type: ignore[misc]  # gunicorn is untyped
    """Serves each connection in a green thread. Made by gunicorn's arbiter; see the head of this file.

    Attributes:
        alive: False: stop gracefully. gunicorn says so in signal handlers, at `--max-requests`, when files changed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # In the arbiter. Nothing of the engine may be made here: it would be the arbiter's.
        self._alive = True
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
        self._connections: set[GreenThread[None]] = set()
        self._reading: dict[Task, Timeout] = {}
        super().init_process()

    def run(self) -> None:
        """Serve until `alive` is False, then finish what is under way, for `--graceful-timeout` seconds at most."""
        assert self._stopping is not None
        if self.cfg.is_ssl:
            self._tls = sock.ssl_context(self.cfg)
        acceptors = [spawn(self._accept, listener) for listener in self.sockets]
        interval = min(_BEAT, self.timeout / 2 or _BEAT)
        while self.alive:
            self.notify()
            self._stopping.wait(interval)
        for acceptor in acceptors:
            throw_into(acceptor, GreenletExit())
        for listener in self.sockets:
            listener.close()
        self._drain(interval)

    def notify(self) -> None:
        """Tell the arbiter that this worker lives; stop if the arbiter does not."""
        super().notify()
        if self.alive and self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False

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
            while True:
                # The place first: several listeners share the places, so none is held while one waits.
                self._places.acquire()
                try:
                    client, address = acceptor.accept()
                except BlockingIOError:
                    self._places.release()
                    wait_socket(listener.sock, IN, None)
                    continue
                thread = spawn(self._serve, bound, client, address)
                self._connections.add(thread)
                thread.link(self._ended)
                del client, thread
                if self.cfg.workers > 1:
                    yield_now()  # one at a time, so that idle siblings get the next
        except OSError:
            self.log.exception("Cannot accept connections on %s any more", listener)
            self.alive = False

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
        secured = self._tls.wrap_socket(
            client,
            server_side=True,
            suppress_ragged_eofs=self.cfg.suppress_ragged_eofs,
            do_handshake_on_connect=False,
        )
        try:
            secured.do_handshake()
        except BaseException:
            util.close(secured)
            raise
        secured.settimeout(None)
        return secured

    def _ended(self, thread: GreenThread[None]) -> None:
        self._connections.discard(thread)
        self._places.release()
        if not self._connections and self._drained is not None:
            self._drained.send()

    # What gunicorn's base asks for

    def timeout_ctx(self) -> "_Reading":
        """Around the wait for a request: `--keepalive` seconds until its head has come."""
        return _Reading(self._reading, self.cfg.keepalive)

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
            self._drained.wait(step)

    def _hang_up(self) -> None:
        """End the connections that wait for a request, as if their time were up."""
        for task, timeout in self._reading.items():
            throw_into(task, timeout)

    def _kill(self) -> None:
        self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
        for thread in self._connections:
            throw_into(thread, GreenletExit())


class _Bound:
    """Stands for a listener, of which connections want the address, when it may have been closed already."""

    def __init__(self, address: Any) -> None:
        self._address = address

    def getsockname(self) -> Any:
        return self._address


class _Reading:
    """While a connection waits for a request: a silent Timeout, known to the worker."""

    def __init__(self, readers: dict[Task, Timeout], seconds: float) -> None:
        self._readers = readers
        self._timeout = Timeout(seconds, False)

    def __enter__(self) -> None:
        self._readers[current()] = self._timeout

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        del self._readers[current()]
        return self._timeout.__exit__(kind, value, trace)
