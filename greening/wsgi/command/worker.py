"""One worker process of `python -m greening.wsgi`: patched, with the application, serving until it is told to end.

It and its supervisor hold the ends of a channel (`channel`). When the other end is closed, the supervisor is dead, and
the worker finishes what is in flight and ends.
"""

import os
import signal
import ssl
import sys
import time
from types import FrameType
from typing import Any

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.monkey import monkey_patch
from greening.net.socket import GreenSocket
from greening.sync.event import Event
from greening.timeout import Timeout
from greening.wsgi.command.application import Unloadable, load
from greening.wsgi.command.channel import (
    BEAT,
    CHANGED,
    FAILED,
    LAST_WORDS,
    LEAVING,
    QUIT,
    READY,
    REOPEN,
    RETIRE,
    STOP,
)
from greening.wsgi.command.checked import OFF
from greening.wsgi.command.config import Settings
from greening.wsgi.command.console import Output, descriptor_of, redirect_errors, reopen_errors, say
from greening.wsgi.command.deadman import DeadMan
from greening.wsgi.command.hooks import call, demand
from greening.wsgi.command.last_words import tell_when_aborted, under_way
from greening.wsgi.command.lifetime import Lifetime
from greening.wsgi.command.observed import Observed, access_file
from greening.wsgi.command.preload import fork_workers
from greening.wsgi.command.privileges import Identity, allow_descriptors
from greening.wsgi.command.reload import Watch
from greening.wsgi.environ import url
from greening.wsgi.prometheus import metrics_app
from greening.wsgi.server import Server
from greening.wsgi.static import StaticFiles, parse_static

LOAD_FAILED = 4  # exit status

_FILES = 512  # descriptors besides those of connections: files and back ends of the application
_SCRAPERS = 16  # connections at once to the address of the metrics

# Seconds.
_WATCH_INTERVAL = 0.5  # between two looks at the application's files
_LOOK_INTERVAL = 1.0  # between two looks at age and memory
_DRAIN = 0.3  # for requests that are on their way when a worker is to end
_LAST_SECONDS = 5  # for the end of the interpreter, when no supervisor is left that would kill it


def work(
    settings: Settings,
    listeners: list[Any],
    context: ssl.SSLContext | None,
    channel: Any,
    identity: Identity | None,
    beat: float,
    template: bool,
    observed: Observed,
) -> None:
    """Be a worker. For a process that was forked for it; returns when everything is over.

    Args:
        listeners, channel: sockets, which are taken over.
        identity: the user to become. beat: seconds between signs of life; 0: none.
        template: be the process that forks workers, and return in each of them.
        observed: what all workers share.
    Raises:
        SystemExit: the application could not be loaded, or accept failed for good.
    """
    tell_when_aborted(descriptor_of(sys.stderr))
    allow_descriptors(settings.connections * len(listeners) + _FILES)
    monkey_patch()
    channel = GreenSocket(fileno=channel.detach())
    worker: _Worker | None = None
    try:
        if identity is not None:
            _become(identity)
        if template:
            reopen_errors(settings.error_log)
            app = load(settings.app)
            channel = fork_workers(channel, settings.error_log)
        # Log files are opened here, and not before: with the rights of the worker, and not in the template, which
        # would hand its descriptors down to each worker.
        worker = _Worker(settings, channel, beat, observed)
        demand("post_fork", settings)
        if not template:
            app = load(settings.app)
    except Unloadable as error:
        say(str(error))
        _tell(channel, FAILED)
        if worker is not None and settings.reload:
            worker.wait_for_change(error.files)
        raise SystemExit(LOAD_FAILED) from None
    call("worker_ready", settings)
    worker.serve([GreenSocket(fileno=listener.detach()) for listener in listeners], app, context)


def _become(identity: Identity) -> None:
    try:
        identity.take_on()
    except OSError as error:
        raise Unloadable(f"cannot become user {identity.uid}, group {identity.gid}: {error.strerror}") from None


def _log(settings: Settings) -> Output:
    """Raises: SystemExit: a file cannot be opened any more."""
    path = access_file(settings)
    try:
        if settings.error_log is not None:  # the process that has forked this one may have another one open
            redirect_errors(settings.error_log)
        on = settings.access_log != OFF
        return Output(on, settings.debug, descriptor_of(sys.stdout), path, settings.error_log)
    except OSError as error:
        say(f"worker {os.getpid()} cannot write the log {error.filename}: {error.strerror}")
        raise SystemExit(1) from None


class _Worker:
    def __init__(self, settings: Settings, channel: GreenSocket, beat: float, observed: Observed) -> None:
        self.channel = channel
        self._observed = observed
        self._settings = settings
        self._beat = beat
        self._began = time.time()
        self._told = Event()
        self._hurry = Event()
        self._servers: list[Server] = []
        self._log = _log(settings)
        self._cut = False
        self._orphan = False

    def wait_for_change(self, files: tuple[str, ...]) -> None:
        """The application cannot be loaded: watch it until the supervisor says STOP."""
        spawn(self._obey)
        spawn(self._watch, files)
        self._told.wait()

    def serve(self, listeners: list[GreenSocket], app: Any, context: ssl.SSLContext | None) -> None:
        """Until STOP, QUIT, SIGTERM, or the supervisor's death."""
        settings = self._settings
        lifetime = Lifetime(settings, self._retire)
        app = lifetime.counted(app)
        if settings.static:
            app = StaticFiles(app, dict(map(parse_static, settings.static)))
        self._servers = [self._server(listener, app, context) for listener in listeners]
        self._show_metrics()
        signal.signal(signal.SIGTERM, self._terminated)
        signal.signal(LAST_WORDS, self._asked)
        serving = [spawn(self._accept, server) for server in self._servers]
        spawn(self._obey)
        if self._beat:
            spawn(self._live)
        if lifetime.watches:
            spawn(self._look_after, lifetime)
        if settings.reload:
            spawn(self._watch, ())
        self._tell(READY)
        self._told.wait()
        if self._orphan:
            self._limit_the_end()
        self._drain(listeners)
        self._finish(0 if self._hurry.ready() else settings.graceful_timeout)
        call("worker_exit", settings)
        self._log.flush()
        failed = [each.wait() for each in serving]
        if any(failed):
            raise SystemExit(1)

    def _server(self, listener: GreenSocket, app: Any, context: ssl.SSLContext | None) -> Server:
        settings = self._settings
        server = Server(
            listener,
            app,
            environ={"wsgi.multiprocess": settings.workers > 1},
            max_size=settings.connections,
            debug=settings.debug,
            limits=settings.limits,
            ssl_context=context,
            proxy_protocol=settings.proxy_allow_from if settings.proxy_protocol else None,
            metrics=self._observed.metrics,
            **settings.server,
        )
        server.log = self._log
        return server

    def _show_metrics(self) -> None:
        """Each worker answers at the address of the metrics: the kernel gives a connection to one that is not busy."""

        def refresh() -> None:
            for server in self._servers:
                server.meter.refresh()

        metrics = self._observed.metrics
        for bound in self._observed.bounds:
            assert metrics is not None
            listener = GreenSocket(fileno=bound.sock.detach())
            Server(listener, metrics_app(metrics, refresh), log_output=False, max_size=_SCRAPERS).start()

    def _accept(self, server: Server) -> bool:
        """Body of the green thread that accepts. A worker that cannot do so any more ends. True: for that reason."""
        try:
            server.serve_forever()
        except OSError as error:
            if not self._told.ready():  # else this worker closed the listener itself
                where = url(server.address, False)
                say(f"worker {os.getpid()} cannot accept on {where}: {error.strerror}")
                return True
        finally:
            self._end()
        return False

    # The end

    def _drain(self, listeners: list[GreenSocket]) -> None:
        """A request may be on its way on a connection that looks idle, or is new: let it come, and answer it last."""
        for server in self._servers:
            server.closing = True
        for listener in listeners:
            listener.close()
        if any(server.expects_requests for server in self._servers):
            self._hurry.wait(min(_DRAIN, self._settings.graceful_timeout))

    def _finish(self, seconds: float) -> None:
        """Let requests finish for so many seconds, and cut off the others."""
        stopping = [spawn(server.stop) for server in self._servers]
        with Timeout(seconds or None, False):
            if seconds:
                for each in stopping:
                    each.wait()
                return
        self._cut_off()
        for each in stopping:
            each.wait()

    def _cut_off(self) -> None:
        """End all requests, and say which they were."""
        if not self._cut:
            self._cut = True
            for text in under_way():
                say(f"worker {os.getpid()} cuts off {text}")
        for server in self._servers:
            server.stop(0)

    def _terminated(self, *_: Any) -> None:
        spawn(self._end)

    def _asked(self, _: int, running: FrameType | None) -> None:
        """The supervisor takes this worker for stuck, and is about to kill it. A handler: it runs in what is stuck."""
        for text in under_way(running):
            say(f"worker {os.getpid()} is killed at {text}")
        self._log.flush()

    def _end(self) -> None:
        if not self._told.ready():
            self._told.send()
            self._tell(LEAVING)

    def _orphaned(self) -> None:
        if not self._told.ready():
            say(f"worker {os.getpid()}: the supervisor is gone; finishing")
        self._orphan = True
        self._end()

    def _limit_the_end(self) -> None:
        """Without a supervisor, the system kills this process in case it does not end. For the main greenlet."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(self._settings.graceful_timeout) + _LAST_SECONDS)

    # What the supervisor says, and is told

    def _obey(self) -> None:
        """Body of the green thread that listens to the supervisor."""
        while True:
            try:
                command = self.channel.recv(64)
            except OSError:
                command = b""
            if command == QUIT:
                if not self._hurry.ready():
                    self._hurry.send()
                self._end()
                self._cut_off()
            elif command == STOP:
                self._end()
            elif command == REOPEN:
                spawn(self._log.reopen)  # it waits for a reader that pauses
            elif not command:
                self._orphaned()
                return

    def _live(self) -> None:
        """Body of the green thread that says that this worker lives: as long as green threads get their turns."""
        dead_man = _dead_man(self._settings.timeout)
        while True:
            self._tell(BEAT)
            if dead_man is not None:
                dead_man.wind()
            sleep(self._beat)

    def _look_after(self, lifetime: Lifetime) -> None:
        """Body of the green thread that looks at the age and the memory of this worker."""
        while not self._told.ready():
            lifetime.look()
            sleep(_LOOK_INTERVAL)

    def _retire(self, why: str) -> None:
        if not self._told.ready():
            say(f"worker {os.getpid()} {why}; it goes when another is ready")
            self._tell(RETIRE)

    def _watch(self, files: tuple[str, ...]) -> None:
        """Body of the green thread that looks at the application's files."""
        watch = Watch(self._began, files)
        while not self._told.ready():
            changed = watch.changed()
            if changed is not None:
                self._tell(CHANGED)
                say(f"{os.path.relpath(changed)} has changed")
            sleep(_WATCH_INTERVAL)

    def _tell(self, what: bytes) -> None:
        _tell(self.channel, what)


def _tell(channel: GreenSocket, what: bytes) -> None:
    try:
        channel.send(what)
    except OSError:
        pass  # the supervisor is dead; `_obey` sees that, too


def _dead_man(timeout: float) -> DeadMan | None:
    """None: nothing counts as stuck, or the system has no timer left."""
    try:
        return DeadMan(timeout) if timeout else None
    except OSError as error:
        say(
            f"worker {os.getpid()}: if it is stuck after its supervisor has died, nothing will end it: {error.strerror}"
        )
        return None
