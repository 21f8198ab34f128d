"""What the server says: a line for each request, and what went wrong. Nothing that a client sent can break a line."""

import re
import sys
import traceback
from typing import Any

DEFAULT_FORMAT = (
    '%(client_ip)s - - [%(date_time)s] "%(request_line)s" %(status_code)s %(body_length)s %(wall_seconds).6f'
)
COMBINED_FORMAT = (
    '%(client_ip)s - - [%(date_time)s] "%(request_line)s" %(status_code)s %(body_length)s'
    ' "%(referer)s" "%(user_agent)s"'
)

# Facts: a client chooses tens of KiB of text, and each escaped character takes up to ten. A pipe takes PIPE_BUF bytes
# at once (pipe(7)), and so do the lines of several processes not mix.
# Decision: text is cut before it is escaped, and says how much of it is missing.
FIELD = 1024  # characters of one text that a client may have chosen
TRACE = 400  # lines of a traceback: more than the stack of any framework, less than a client's text with line ends

_RISKY = re.compile(r"[^ !#-\[\]-~]")
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *b'"\\', *range(127, 256))}


def clipped(text: str, limit: int = FIELD) -> str:
    """The first `limit` characters of `text`, and how many are missing, as `[+123]`."""
    return text if len(text) <= limit else f"{text[:limit]}[+{len(text) - limit}]"


def escaped(text: str, limit: int = FIELD) -> str:
    """`text` on one line of printable ASCII, without quotes, cut at `limit` characters. Time: linear in `limit`."""
    text = clipped(text, limit)
    if not _RISKY.search(text):
        return text
    return text.translate(_ESCAPES).encode("ascii", "backslashreplace").decode("ascii")


def escaped_line(text: str) -> str:
    """`text` on one line, with nothing that a terminal would obey, cut; quotes and other alphabets stay."""
    text = clipped(text)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(ord(c)) for c in text)


def escaped_trace() -> str:
    """The traceback of the exception that is being handled; nothing of it that a terminal would obey.

    Its text may be a client's: lines are cut, and of more than `TRACE` lines the middle is left out.
    """
    lines = traceback.format_exc().rstrip("\n").split("\n")
    if len(lines) > TRACE:
        half = TRACE // 2
        lines[half:-half] = [f"  [+{len(lines) - 2 * half} lines]"]
    return "\n".join(map(escaped_line, lines))


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


class Log:
    """Where lines go.

    Args:
        target: a `logging.Logger` (anything with `info` and `debug`), or a file with `write`; None: `sys.stderr`, as it
            is at the moment of writing.
        output: False: no access lines, and no word about starting and stopping; errors are told all the same.
        debug: say what is of interest only to the search for a fault, too.
    Raises:
        TypeError: nothing can be written to `target`.
    """

    def __init__(self, target: Any = None, output: bool = True, debug: bool = False) -> None:
        self._logger = target if callable(getattr(target, "info", None)) and hasattr(target, "debug") else None
        if self._logger is None and target is not None and not hasattr(target, "write"):
            raise TypeError(f"a log is a logging.Logger, or a file with write(), not {target!r}")
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
