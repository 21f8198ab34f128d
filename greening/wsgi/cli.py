"""`python -m greening.wsgi`: serve a WSGI application from the command line. See `HELP`.

The listening sockets and the certificate are settled here, before any process is forked: a mistake in them is known at
once. The rest is done by the supervisor (`workers`) and its workers (`worker`).
"""

import os
import socket
import ssl
import sys
from collections.abc import Sequence
from typing import NoReturn

from greening.net.accept import server_context
from greening.wsgi.application import Unloadable, split
from greening.wsgi.binds import Bound, CannotListen, open_all, passed_on, url
from greening.wsgi.config import BadConfig, Config, Settings, parse, parser, read
from greening.wsgi.console import say
from greening.wsgi.worker import work
from greening.wsgi.workers import Supervisor, flush_standard_streams

HELP = """\
Serve a WSGI application. Each worker process is monkey-patched before it loads the application.

APP is module:name, module:factory() (with literals as arguments, if any), or module alone, which means
module:application or, without that, module:app. The current folder comes first on sys.path.

Every option may also be said by a variable of the environment, e.g. GREENING_WSGI_GRACEFUL_TIMEOUT=10 (several values:
separated by blanks; APP: GREENING_WSGI_APP), and in a TOML file, e.g. graceful-timeout = 10 (APP: app). The file is
that of --config or, without it, the table [tool.greening.wsgi] of pyproject.toml in the current folder. The command
line wins over the environment, and that over the file.

SIGTERM or SIGINT: accept no more, finish what is in flight, end; the second one: end at once. SIGHUP: new workers, with
the application and the certificates as they are on disk then; the old ones finish what is in flight.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve, as the options say, until a signal comes.

    Args:
        arguments: the command line; None: that of this process.
    Raises:
        SystemExit: with status 0 after a signal; 2: the options make no sense; 1: nothing could be served.
    """
    config, settings = _settings(arguments)
    _check_certificate(settings)
    bounds = _listen(config, settings)
    where = ", ".join(url(bound.sock.getsockname(), settings.certfile is not None) for bound in bounds)
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    supervisor = Supervisor(
        settings.workers,
        settings.graceful_timeout,
        [bound.sock for bound in bounds],
        lambda: _context(settings),
        lambda: say(f"{settings.app} on {where} ({workers}; pid {os.getpid()})"),
        keep_failed=settings.reload,
    )
    flush_standard_streams()
    outcome = supervisor.run()
    if isinstance(outcome, socket.socket):
        work(settings, [bound.sock for bound in bounds], supervisor.context, outcome)
        raise SystemExit(0)
    for bound in bounds:
        bound.remove()
    raise SystemExit(outcome)


def _settings(arguments: Sequence[str] | None) -> tuple[Config, Settings]:
    """Raises: SystemExit: they make no sense, or are only to be printed."""
    try:
        given = parse(parser(HELP), arguments)
        config = read(given, os.environ, os.getcwd())
        if "print_config" in given:
            sys.stdout.write(f"{config}\n")
            raise SystemExit(0)
        settings = config.settings()
        split(settings.app)
    except (BadConfig, Unloadable) as error:
        _refuse(str(error), 2)
    return config, settings


def _refuse(problem: str, status: int = 1) -> NoReturn:
    say(problem)
    raise SystemExit(status)


# TLS


def _context(settings: Settings) -> ssl.SSLContext | None:
    return server_context(settings.certfile, settings.keyfile) if settings.certfile else None


def _check_certificate(settings: Settings) -> None:
    """Raises: SystemExit: there is something wrong with it."""
    for file in filter(None, (settings.certfile, settings.keyfile)):
        try:
            with open(file, "rb"):
                pass
        except OSError as error:
            _refuse(f"cannot read {file}: {error.strerror}")
    try:
        _context(settings)
    except OSError as error:
        files = " and ".join(filter(None, (settings.certfile, settings.keyfile)))
        _refuse(f"not a certificate with its private key: {files}: {error}")


# Listening


def _listen(config: Config, settings: Settings) -> list[Bound]:
    """Raises: SystemExit: that is impossible."""
    try:
        passed = passed_on(os.environ)
        if passed:
            origin = config.values["bind"].origin
            if origin != "default":
                say(f"{origin} does not count: LISTEN_FDS says that the sockets are open already")
            return passed
        return open_all(settings.bind, settings.umask, settings.backlog)
    except CannotListen as error:
        _refuse(str(error), error.status)
