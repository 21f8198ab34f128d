"""What the server says: a line for each request, and what went wrong. Nothing that a client sent can break a line."""

import re
import sys
import time
from functools import lru_cache
from typing import Any

DEFAULT_FORMAT = (
    '%(client_ip)s - - [%(date_time)s] "%(request_line)s" %(status_code)s %(body_length)s %(wall_seconds).6f'
)
COMBINED_FORMAT = (
    '%(client_ip)s - - [%(date_time)s] "%(request_line)s" %(status_code)s %(body_length)s'
    ' "%(referer)s" "%(user_agent)s"'
)

_RISKY = re.compile(r"[^ !#-\[\]-~]")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def escaped(text: str) -> str:
    """`text` on one line of printable ASCII, without quotes."""
    return _RISKY.sub(lambda found: _escape(ord(found[0])), text) if _RISKY.search(text) else text


def escaped_line(text: str) -> str:
    """`text` on one line, with nothing that a terminal would obey; quotes and other alphabets stay."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


class Log:
    """Where lines go.

    Args:
        target: a `logging.Logger` (anything with `info` and `debug`), or a file with `write`; None: `sys.stderr`, as it
            is at the moment of writing.
        output: False: no access lines, and no word about starting and stopping; errors are told all the same.
        debug: say what is of interest only to the search for a fault, too.
    """

    def __init__(self, target: Any = None, output: bool = True, debug: bool = False) -> None:
        self._logger = target if callable(getattr(target, "info", None)) and hasattr(target, "debug") else None
        self._file = target
        self.output = output
        self._debug = debug

    def access(self, line: str) -> None:
        """A request was answered."""
        if self._logger is not None:
            self._logger.info("%s", line)
        else:
            self._write(line)

    def info(self, line: str) -> None:
        """Started, stopped."""
        if self.output:
            self.access(line)

    def debug(self, line: str) -> None:
        """A client was refused, or went away."""
        if self._logger is not None:
            self._logger.debug("%s", line)
        elif self._debug:
            self._write(line)

    def error(self, line: str) -> None:
        """Something is wrong with the application, or with us. May be several lines: a traceback."""
        if self._logger is not None:
            self._logger.error("%s", line)
        else:
            self._write(line)

    def _write(self, line: str) -> None:
        file = sys.stderr if self._file is None else self._file
        if file is not None:
            file.write(line + "\n")


class Entry:
    """What a log format may name, made when it is named. A mapping for `%`."""

    __slots__ = ("_address", "_forwarded", "_environ", "_line", "_status", "_length", "_seconds")

    def __init__(
        self,
        address: Any,
        forwarded: bool,
        environ: dict[str, Any],
        line: str,
        status: int,
        length: int,
        seconds: float,
    ) -> None:
        self._address = address
        self._forwarded = forwarded
        self._environ = environ
        self._line = line
        self._status = status
        self._length = length
        self._seconds = seconds

    def __getitem__(self, name: str) -> Any:
        make = getattr(self, f"_get_{name}", None)
        if make is None:
            raise KeyError(name)
        return make()

    def _get_client_ip(self) -> str:
        address = self._address[0] if isinstance(self._address, tuple) else "unix"
        if self._forwarded and (chain := self._environ.get("HTTP_X_FORWARDED_FOR")):
            return escaped(chain.replace(" ", "")) + "," + address
        return str(address)

    def _get_client_port(self) -> Any:
        return self._address[1] if isinstance(self._address, tuple) else ""

    def _get_date_time(self) -> str:
        return _date_time(int(time.time()))

    def _get_request_line(self) -> str:
        return escaped(self._line)

    def _get_status_code(self) -> int:
        return self._status

    def _get_body_length(self) -> int:
        return self._length

    def _get_wall_seconds(self) -> float:
        return self._seconds

    def _get_referer(self) -> str:
        return escaped(self._environ.get("HTTP_REFERER", "-"))

    def _get_user_agent(self) -> str:
        return escaped(self._environ.get("HTTP_USER_AGENT", "-"))


@lru_cache(maxsize=2)
def _date_time(timestamp: int) -> str:
    """The local time, as the combined format has it. Most lines of a busy server are of the same second."""
    now = time.localtime(timestamp)
    offset = now.tm_gmtoff // 60
    sign = "-" if offset < 0 else "+"
    hours, minutes = divmod(abs(offset), 60)
    return (
        f"{now.tm_mday:02d}/{_MONTHS[now.tm_mon - 1]}/{now.tm_year:04d}:{now.tm_hour:02d}:{now.tm_min:02d}:"
        f"{now.tm_sec:02d} {sign}{hours:02d}{minutes:02d}"
    )
