"""The log of `eventlet.wsgi`: to a logger, or to a file; and the line for each request."""

import sys
from typing import Any

from greening.wsgi.access import Entry
from greening.wsgi.environ import peer_of
from greening.wsgi.log import escaped


class LoggerNull:
    """Says nothing: the log of a server with `log_output=False`."""

    def error(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Nothing; as the others."""

    info = debug = error

    def write(self, msg: str, *args: Any) -> None:
        """Nothing."""


class LoggerFileWrapper(LoggerNull):
    """Has a logger's methods, and writes lines to a file.

    Args:
        log: the file. debug: write what is told to `debug`, too.
    """

    def __init__(self, log: Any, debug: bool) -> None:
        self.log = log
        self._debug = debug

    def error(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Write `msg % args`; as `info`, and `debug` if it is wanted."""
        self.write(msg, *args)

    info = error

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """See `error`."""
        if self._debug:
            self.write(msg, *args)

    def write(self, msg: str, *args: Any) -> None:
        """One line."""
        self.log.write((msg % args if args else msg) + "\n")


def get_logger(log: Any, debug: bool) -> Any:
    """`log` itself if it is a logger, else a `LoggerFileWrapper` of it, or of standard error."""
    if callable(getattr(log, "info", None)) and callable(getattr(log, "debug", None)):
        return log
    return LoggerFileWrapper(log or sys.stderr, debug)


class RequestLine(Entry):
    """What a log format may name, with the date and the client as a protocol has them.

    Args:
        protocol: an `HttpProtocol` whose request has been answered.
        status, length, seconds: of the answer; bytes of its body, time that the request took.
    """

    __slots__ = ("_date_time",)

    def __init__(self, protocol: Any, status: int, length: int, seconds: float) -> None:
        address = protocol.get_client_address()
        super().__init__(address, False, protocol.environ, protocol.requestline, status, length, seconds)
        self._date_time = protocol.log_date_time_string

    def __getitem__(self, name: str) -> Any:
        return self._date_time() if name == "date_time" else super().__getitem__(name)

    def default(self) -> str:
        """`DEFAULT_FORMAT % self`, in fewer steps."""
        client, limit = str(peer_of(self.address)[0]), self.limit
        return (
            f'{escaped(client, limit)} - - [{self._date_time()}] "{escaped(self.line, limit)}" '
            f"{self.status} {self.length} {self.seconds:.6f}"
        )
