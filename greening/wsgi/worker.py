"""One worker process of `python -m greening.wsgi`: patched, with the application, serving until it is told to end.

It and its supervisor hold the ends of a pair of sockets. Told to it: STOP, QUIT; told by it: READY, FAILED, CHANGED.
When the other end is closed, the supervisor is dead, and the worker finishes what is in flight and ends.
"""

import os
import signal
import ssl
import sys
import time
from typing import Any

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.monkey import monkey_patch
from greening.net.socket import GreenSocket
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.wsgi.application import Unloadable, load
from greening.wsgi.binds import url
from greening.wsgi.config import Settings
from greening.wsgi.console import Output, descriptor_of, say
from greening.wsgi.log import COMBINED_FORMAT
from greening.wsgi.reload import Watch
from greening.wsgi.server import Server

STOP, QUIT = b"s", b"q"
READY, FAILED, CHANGED = b"r", b"f", b"c"

LOAD_FAILED = 4  # exit status
_WATCH_INTERVAL = 0.5  # seconds between two looks at the application's files
_DRAIN = 0.3  # seconds for requests that are on their way when a worker is to end
_LAST_SECONDS = 5  # seconds for the end of the interpreter, when no supervisor is left that would kill it


def work(settings: Settings, listeners: list[Any], context: ssl.SSLContext | None, channel: Any) -> None:
    """Be a worker. For a process that was forked for it; returns when everything is over.

    Args:
        listeners, channel: sockets, which are taken over.
    Raises:
        SystemExit: the application could not be loaded, or accept failed for good.
    """
    monkey_patch()
    worker = _Worker(settings, GreenSocket(fileno=channel.detach()))
    try:
        app = load(settings.app)
    except Unloadable as error:
        say(str(error))
        worker.wait_for_change(error.files)
        raise SystemExit(LOAD_FAILED) from None
    worker.serve([GreenSocket(fileno=listener.detach()) for listener in listeners], app, context)


class _Worker:
    def __init__(self, settings: Settings, channel: GreenSocket) -> None:
        self._settings = settings
        self._channel = channel
        self._began = time.time()
        self._told = Event()
        self._hurry = Event()
        self._servers: list[Server] = []

    def wait_for_change(self, files: tuple[str, ...]) -> None:
        """Tell that the application cannot be loaded. With `--reload`, watch it until the supervisor says STOP."""
        self._tell(FAILED)
        if self._settings.reload:
            spawn(self._obey)
            spawn(self._watch, files)
            self._told.wait()

    def serve(self, listeners: list[GreenSocket], app: Any, context: ssl.SSLContext | None) -> None:
        """Until STOP, QUIT, SIGTERM, or the supervisor's death."""
        settings = self._settings
        log = Output(settings.access_log, settings.debug, descriptor_of(sys.stdout))
        # Several listeners share the places.
        pool = GreenPool(settings.connections) if len(listeners) > 1 else None
        for listener in listeners:
            server = Server(
                listener,
                app,
                environ={"wsgi.multiprocess": settings.workers > 1},
                max_size=settings.connections,
                custom_pool=pool,
                log_format=COMBINED_FORMAT,
                debug=settings.debug,
                limits=settings.limits,
                ssl_context=context,
                **settings.server,
            )
            server.log = log
            self._servers.append(server)
        signal.signal(signal.SIGTERM, self._terminated)
        serving = [spawn(self._accept, server) for server in self._servers]
        spawn(self._obey)
        if settings.reload:
            spawn(self._watch, ())
        self._tell(READY)
        self._told.wait()
        self._drain(listeners)
        self._stop(0 if self._hurry.ready() else settings.graceful_timeout)
        log.flush()
        failed = [each.wait() for each in serving]
        if any(failed):
            raise SystemExit(1)

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

    def _drain(self, listeners: list[GreenSocket]) -> None:
        """A request may be on its way on a connection that looks idle: let it come, and answer it as the last one."""
        for server in self._servers:
            server.closing = True
        for listener in listeners:
            listener.close()
        if any(server.idle for server in self._servers):
            self._hurry.wait(min(_DRAIN, self._settings.graceful_timeout))

    def _stop(self, seconds: float) -> None:
        """Stop all servers, for which there are so many seconds in all."""
        for stopping in [spawn(server.stop, seconds) for server in self._servers]:
            stopping.wait()

    def _terminated(self, *_: Any) -> None:
        spawn(self._end)

    def _end(self) -> None:
        if not self._told.ready():
            self._told.send()

    def _obey(self) -> None:
        """Body of the green thread that listens to the supervisor."""
        while True:
            try:
                command = self._channel.recv(1)
            except OSError:
                command = b""
            if command == QUIT:
                if not self._hurry.ready():
                    self._hurry.send()
                self._end()
                self._stop(0)
            elif command == STOP:
                self._end()
            elif not command:
                self._orphaned()
                return

    def _orphaned(self) -> None:
        if not self._told.ready():
            say(f"worker {os.getpid()}: the supervisor is gone; finishing")
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(self._settings.graceful_timeout) + _LAST_SECONDS)
        self._end()

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
        try:
            self._channel.sendall(what)
        except OSError:
            pass  # the supervisor is dead; `_obey` sees that, too
