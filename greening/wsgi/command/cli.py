"""`python -m greening.wsgi`: serve a WSGI application from the command line. See `HELP`.

The listening sockets and the certificate are settled here, before any process is forked: a mistake in them is known at
once. The rest is done by the supervisor (`workers`) and its workers (`worker`).
"""

import os
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from greening.wsgi.command.application import Unloadable, split
from greening.wsgi.command.binds import Bound, CannotListen, open_all, passed_on
from greening.wsgi.command.config import BadConfig, Config, Settings, parse, parser, read
from greening.wsgi.command.console import flush_standard_streams, say
from greening.wsgi.command.hooks import call, demand
from greening.wsgi.command.observed import LogFiles, Observed, observe
from greening.wsgi.command.pidfile import PidFile, PidFileTaken
from greening.wsgi.command.preload import adopt_orphans
from greening.wsgi.command.privileges import BadIdentity, Identity, identity
from greening.wsgi.command.systemd import Notifier
from greening.wsgi.command.worker import work
from greening.wsgi.command.workers import Born, Supervisor
from greening.wsgi.environ import url

HELP = """\
Serve a WSGI application. Each worker process is monkey-patched before it loads the application.

APP is module:name, module:factory() (with literals as arguments, if any), or module alone, which means
module:application or, without that, module:app. The current folder comes first on sys.path.

Every option may also be said by a variable of the environment, e.g. GREENING_WSGI_GRACEFUL_TIMEOUT=10 (several values:
separated by blanks; APP: GREENING_WSGI_APP), and in a TOML file, e.g. graceful-timeout = 10 (APP: app). The file is
that of --config or, without it, the table [tool.greening.wsgi] of pyproject.toml in the current folder. The command
line wins over the environment, and that over the file.

SIGTERM or SIGINT: accept no more, finish what is in flight, end; the second one: end at once. SIGHUP: new workers, with
the application and the certificates as they are on disk then; the old ones finish what is in flight. SIGTTIN, SIGTTOU:
one worker more, one fewer. SIGUSR1: open log files anew.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve, as the options say, until a signal comes.

    Args:
        arguments: the command line; None: that of this process.
    Raises:
        SystemExit: with status 0 after a signal; 2: the options make no sense; 1: nothing could be served.
    """
    config, settings = _settings(arguments)
    notifier = Notifier(os.environ)
    context = _first_context(settings)
    owner = _identity(settings)
    log_files = _log_files(settings, owner)
    observed = _observed(settings)
    bounds = _listen(config, settings, owner, observed.bounds)
    pid_file = _pid_file(settings, [*bounds, *observed.bounds])
    try:
        demand("on_starting", settings)
    except Unloadable as error:
        _close([*bounds, *observed.bounds], pid_file)
        _refuse(str(error))
    listeners = [bound.sock for bound in bounds]
    supervisor = Supervisor(
        settings,
        listeners,
        context,
        lambda: _context(settings),
        _start_line(settings, bounds),
        notifier,
        log_files.reopen,
    )
    if settings.preload:
        adopt_orphans()
    flush_standard_streams()
    outcome = supervisor.run()
    if isinstance(outcome, Born):
        work(
            settings, listeners, supervisor.context, outcome.channel, owner, supervisor.beat, outcome.template, observed
        )
        raise SystemExit(0)
    call("on_exit", settings)
    _close([*bounds, *observed.bounds], pid_file)
    raise SystemExit(outcome)


def _start_line(settings: Settings, bounds: list[Bound]) -> Callable[[], None]:
    """What says where the application is to be found."""
    where = ", ".join(url(bound.sock.getsockname(), settings.certfile is not None) for bound in bounds)
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    return lambda: say(f"{settings.app} on {where} ({workers}; pid {os.getpid()})")


def _close(bounds: list[Bound], pid_file: PidFile | None) -> None:
    for bound in bounds:
        bound.sock.close()
        bound.remove()
    if pid_file is not None:
        pid_file.remove()


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
    """Raises: OSError: there is something wrong with a file; the text says with which."""
    tls = settings.tls()
    return None if tls is None else tls.context()


def _first_context(settings: Settings) -> ssl.SSLContext | None:
    """Raises: SystemExit: there is something wrong with a file."""
    try:
        return _context(settings)
    except OSError as error:
        _refuse(str(error))


# What is observed


def _log_files(settings: Settings, owner: Identity | None) -> LogFiles:
    """Raises: SystemExit: they cannot be written."""
    files = LogFiles(settings, owner)
    try:
        files.open()
    except OSError as error:
        _refuse(f"cannot write the log {error.filename}: {error.strerror}")
    return files


def _observed(settings: Settings) -> Observed:
    """Raises: SystemExit: the address of the metrics cannot be listened on."""
    try:
        observed = observe(settings)
    except CannotListen as error:
        _refuse(str(error) if error.status == 2 else f"--metrics: {error}", error.status)
    for bound in observed.bounds:
        say(f"metrics at {url(bound.sock.getsockname(), False)}/metrics")
    if settings.static:
        say("--static is for development: a web server in front does that for the public")
    return observed


# The place in the system


def _listen(config: Config, settings: Settings, owner: Identity | None, others: list[Bound]) -> list[Bound]:
    """Raises: SystemExit: that is impossible; `others`, which are open already, are closed."""
    try:
        bounds = passed_on(os.environ)
        if bounds:
            origin = config.values["bind"].origin
            if origin != "default":
                say(f"{origin} does not count: LISTEN_FDS says that the sockets are open already")
        else:
            bounds = open_all(settings.bind, settings.umask, settings.backlog)
        if owner is not None:
            for bound in bounds:
                bound.give_to(owner.uid, owner.gid)
    except CannotListen as error:
        _close(others, None)
        _refuse(str(error), error.status)
    return bounds


def _identity(settings: Settings) -> Identity | None:
    """Raises: SystemExit: there is none such."""
    try:
        return identity(settings.user, settings.group)
    except BadIdentity as error:
        _refuse(str(error))


def _pid_file(settings: Settings, bounds: list[Bound]) -> PidFile | None:
    """Raises: SystemExit: it cannot be written, or another server has it."""
    try:
        return PidFile(settings.pid) if settings.pid is not None else None
    except PidFileTaken as error:
        problem = str(error)
    except OSError as error:
        problem = f"--pid: cannot write {settings.pid}: {error.strerror}"
    _close(bounds, None)
    _refuse(problem)
