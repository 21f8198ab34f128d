"""What the supervisor has open so that its server can be observed: log files, and the address of the metrics.

Log files are made here, by the user who starts the server, and given to the user of the workers, who opens them again.
"""

import os
from dataclasses import dataclass, field

from greening.wsgi.command.binds import Bound, open_all
from greening.wsgi.command.checked import OFF, STDOUT
from greening.wsgi.command.config import Settings
from greening.wsgi.command.console import redirect_errors, say
from greening.wsgi.command.logfile import open_log
from greening.wsgi.command.privileges import Identity
from greening.wsgi.metrics import Metrics


@dataclass(frozen=True)
class Observed:
    """What workers share: the rows in which they count, and the sockets at which anybody may ask."""

    metrics: Metrics | None = None
    bounds: list[Bound] = field(default_factory=list)


def observe(settings: Settings) -> Observed:
    """Listen where metrics are to be shown. Workers that send to a statsd have to know their sum, too.

    Raises:
        CannotListen: that is impossible.
    """
    if settings.metrics is None:
        return Observed() if settings.server.get("statsd") is None else Observed(Metrics())
    return Observed(Metrics(), open_all((settings.metrics,), settings.umask, settings.backlog, "--metrics"))


def access_file(settings: Settings) -> str | None:
    """The file of the access log; None: it goes to standard output, or nowhere."""
    return None if settings.access_log in (STDOUT, OFF) else settings.access_log


class LogFiles:
    """The files that the options name, as the supervisor sees them.

    Args:
        owner: the user of the workers; None: that of the supervisor.
    """

    def __init__(self, settings: Settings, owner: Identity | None) -> None:
        self._access = access_file(settings)
        self._errors = settings.error_log
        self._owner = owner

    def open(self) -> None:
        """Have standard error where it is to be, and make the file of the access log.

        Raises:
            OSError: one of them cannot be written; it has the name of the file.
        """
        if self._errors is not None:
            redirect_errors(self._errors, self._owner)
        if self._access is not None:
            os.close(open_log(self._access, self._owner))

    def reopen(self) -> None:
        """The same after the files were renamed, before workers do so."""
        try:
            self.open()
        except OSError as error:
            say(f"cannot reopen the log {error.filename}: {error.strerror}")
