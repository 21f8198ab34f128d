"""`python -m greening.wsgi`: serve a WSGI application from the command line. See `HELP`.

The listening socket and the certificate are settled here, before any process is forked: a mistake in them is known at
once. The rest is done by the supervisor (`workers`) and its workers (`worker`).
"""

import argparse
import errno
import os
import socket
import ssl
import stat
from collections.abc import Sequence
from typing import Any, NoReturn

from greening.net.accept import server_context
from greening.net.convenience import listen
from greening.wsgi.application import Unloadable, split
from greening.wsgi.console import say
from greening.wsgi.worker import Settings, work
from greening.wsgi.workers import Supervisor, flush_standard_streams

HELP = """\
Serve a WSGI application. Each worker process is monkey-patched before it loads the application.

APP is module:name, module:factory() (with literals as arguments, if any), or module alone, which means
module:application or, without that, module:app. The current folder comes first on sys.path.

SIGTERM or SIGINT: accept no more, finish what is in flight, end; the second one: end at once. SIGHUP: new workers, with
the application and the certificates as they are on disk then; the old ones finish what is in flight.
"""

BACKLOG = 1024


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve, as the arguments (default: those of this process) say, until a signal comes.

    Raises:
        SystemExit: with status 0 after a signal; 2: the command line makes no sense; 1: nothing could be served.
    """
    options = parse(arguments)
    try:
        split(options.app)
    except Unloadable as error:
        _refuse(str(error), 2)
    settings = Settings(
        app=options.app,
        workers=options.workers,
        graceful=options.graceful_timeout,
        connections=options.connections,
        access_log=options.access_log,
        reload=options.reload,
        debug=options.debug,
    )
    _check_certificate(options)
    listener = _listen(options.bind)
    address = listener.getsockname()
    mine = _inode(address)
    where = _url(address, options.certfile is not None)
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    supervisor = Supervisor(
        settings.workers,
        settings.graceful,
        listener,
        lambda: _context(options),
        lambda: say(f"{settings.app} on {where} ({workers}; pid {os.getpid()})"),
        keep_failed=settings.reload,
    )
    flush_standard_streams()
    outcome = supervisor.run()
    if isinstance(outcome, socket.socket):
        work(settings, listener, supervisor.context, outcome)
        raise SystemExit(0)
    if mine is not None and mine == _inode(address):
        os.unlink(address)
    raise SystemExit(outcome)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises:
        SystemExit: it makes no sense, or asks for help only.
    """
    parser = argparse.ArgumentParser(
        prog="python -m greening.wsgi", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("app", metavar="APP", help="module:name, module:factory() or module")
    add(
        "--bind",
        "-b",
        metavar="ADDRESS",
        default="127.0.0.1:8000",
        help="HOST:PORT (port 0: any), [IPv6]:PORT, :PORT for all interfaces, or unix:PATH; default: %(default)s",
    )
    add("--workers", "-w", metavar="N", type=_positive, default=1, help="processes; default: %(default)s")
    add(
        "--connections",
        metavar="N",
        type=_positive,
        default=1024,
        help="at once in each worker; more wait; default: %(default)s",
    )
    add("--certfile", metavar="FILE", help="TLS with this certificate (and its chain), in PEM")
    add("--keyfile", metavar="FILE", help="its private key, if it is not in the same file")
    add(
        "--graceful-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=30.0,
        help="for what is in flight when a worker is to end; default: %(default)s",
    )
    add("--reload", action="store_true", help="new workers when a file of a loaded module changes")
    add("--no-access-log", dest="access_log", action="store_false", help="no line for each request on standard output")
    add("--debug", action="store_true", help="tracebacks to clients, and a line for each client that was refused")
    options = parser.parse_args(arguments)
    if options.keyfile and not options.certfile:
        parser.error("--keyfile without --certfile")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


def _refuse(problem: str, status: int = 1) -> NoReturn:
    say(problem)
    raise SystemExit(status)


# TLS


def _context(options: argparse.Namespace) -> ssl.SSLContext | None:
    return server_context(options.certfile, options.keyfile) if options.certfile else None


def _check_certificate(options: argparse.Namespace) -> None:
    """Raises: SystemExit: there is something wrong with it."""
    for file in filter(None, (options.certfile, options.keyfile)):
        try:
            with open(file, "rb"):
                pass
        except OSError as error:
            _refuse(f"cannot read {file}: {error.strerror}")
    try:
        _context(options)
    except OSError as error:
        files = " and ".join(filter(None, (options.certfile, options.keyfile)))
        _refuse(f"not a certificate with its private key: {files}: {error}")


# Listening


def _listen(bind: str) -> Any:
    """Raises: SystemExit: that is impossible."""
    try:
        if bind.startswith("unix:"):
            return _listen_unix(bind.removeprefix("unix:"))
        host, colon, port = bind.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not port.isdecimal() or int(port) > 65535:
            _refuse(f"--bind: {bind!r} is neither HOST:PORT nor unix:PATH", 2)
        found = socket.getaddrinfo(host or "0.0.0.0", int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return listen(address, family, backlog=BACKLOG)
    except OSError as error:
        _refuse(f"cannot listen on {bind}: {error.strerror or error}")


def _listen_unix(path: str) -> Any:
    try:
        return listen(path, socket.AF_UNIX, backlog=BACKLOG)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not _is_stale(path):
            raise
    os.unlink(path)
    return listen(path, socket.AF_UNIX, backlog=BACKLOG)


def _is_stale(path: str) -> bool:
    """It is a socket that no process listens on any more: the one that made it was killed."""
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _inode(address: Any) -> tuple[int, int] | None:
    """Which file a Unix socket is, so that only our own is removed."""
    if not isinstance(address, str):
        return None
    try:
        status = os.stat(address)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _url(address: Any, tls: bool) -> str:
    if not isinstance(address, tuple):
        return f"unix:{address}" + (" (https)" if tls else "")
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{'https' if tls else 'http'}://{host}:{address[1]}"
