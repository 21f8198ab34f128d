"""A line for each request: what a format may name, as text with `%` or as JSON.

Fact: a line of at most PIPE_BUF (4,096) bytes is written to a pipe in one piece (pipe(7)); longer ones of several
processes may mix.
Decision: a line that would be longer is made again with less of each text that a client chose. It stays well-formed, so
that programs which read it find its numbers.
"""

import json
import os
import re
import time
from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from greening.wsgi.environ import peer_of
from greening.wsgi.log import FIELD, clipped, escaped

LINE = 4095  # bytes, without the line's end
_LIMITS = (FIELD, 256, 64, 16, 0)  # characters of each text; the next one counts when the line is too long
_CONSTANT = 2048  # bytes that a format may take when every text is empty

JSON_FIELDS = (
    "time client_ip client_port user scheme host method path query protocol status_code body_length wall_seconds"
    " referer user_agent pid"
).split()

# Made once: `json.dumps` makes an encoder for each call with arguments of its own.
_as_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_NAMES_IN = re.compile(r"%(?:%|\(([^)]*)\))")
_OTHER = re.compile(r"\{([^{}]+)\}([ioe])")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Entry:
    """What a log format may name, made when it is named. A mapping for `%`: texts come escaped, "-" for none.

    Args:
        address: the client's: (host, port, ...), or what a Unix socket has.
        forwarded: name the addresses of X-Forwarded-For as well, whoever sent them (eventlet's `log_x_forwarded_for`).
        environ: of the request. line: the request line. fields: the response's field lines.
        status, length, seconds: of the response; bytes of its body, time that the request took.
    Attributes:
        limit: characters of each text; what is longer is cut, with a mark.
    """

    __slots__ = ("address", "forwarded", "environ", "line", "status", "length", "seconds", "fields", "limit")

    def __init__(
        self,
        address: Any,
        forwarded: bool,
        environ: dict[str, Any],
        line: str,
        status: int,
        length: int,
        seconds: float,
        fields: bytes = b"",
    ) -> None:
        self.address = address
        self.forwarded = forwarded
        self.environ = environ
        self.line = line
        self.status = status
        self.length = length
        self.seconds = seconds
        self.fields = fields
        self.limit = FIELD

    def __getitem__(self, name: str) -> Any:
        found = self._found(name)
        return "-" if found is None else escaped(found, self.limit) if type(found) is str else found

    def plain(self, name: str) -> Any:
        """The same without escapes, for JSON: a text that is cut, a number, or None. Raises: KeyError."""
        found = self._found(name)
        return clipped(found, self.limit) if type(found) is str else found

    def _found(self, name: str) -> Any:
        return (FIELDS.get(name) or _other(name))(self)


def _client_ip(entry: Entry) -> str:
    address = peer_of(entry.address)[0]
    if entry.forwarded and (chain := entry.environ.get("HTTP_X_FORWARDED_FOR")):
        return f"{clipped(chain.replace(' ', ''), entry.limit)},{address}"
    return address


def _user(entry: Entry) -> str | None:
    """Who says to have asked: what the application or a middleware says, or else the name of Basic authentication."""
    user = entry.environ.get("REMOTE_USER")
    if user:
        return str(user)
    scheme, _, credentials = entry.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        # Cut before it is decoded; four characters are three bytes.
        decoded = b64decode(credentials.strip()[: FIELD * 4]).decode("utf-8", "replace")
    except (Error, ValueError):
        return None
    return decoded.partition(":")[0] or None


def _target(entry: Entry) -> str:
    return entry.line.split(" ", 2)[1]


def _query(entry: Entry) -> str | None:
    return _target(entry).partition("?")[2] or None


def _environ(name: str) -> Callable[[Entry], str | None]:
    def make(entry: Entry) -> str | None:
        found = entry.environ.get(name)
        return None if found is None else str(found)

    return make


@lru_cache(maxsize=2)
def _date_time(timestamp: int) -> str:
    """The local time, as the combined format has it. Most lines of a busy server are of the same second."""
    now, offset = _local(timestamp)
    return (
        f"{now.tm_mday:02d}/{_MONTHS[now.tm_mon - 1]}/{now.tm_year:04d}:{now.tm_hour:02d}:{now.tm_min:02d}:"
        f"{now.tm_sec:02d} {offset[:3]}{offset[4:]}"
    )


def _iso_time(timestamp: float) -> str:
    """The local time in milliseconds, as RFC 3339 has it."""
    date, offset = _iso_parts(int(timestamp))
    return f"{date}.{int(timestamp % 1 * 1000):03d}{offset}"


@lru_cache(maxsize=2)
def _iso_parts(timestamp: int) -> tuple[str, str]:
    now, offset = _local(timestamp)
    return time.strftime("%Y-%m-%dT%H:%M:%S", now), offset


def _local(timestamp: int) -> tuple[time.struct_time, str]:
    """The local time, and its offset as `+hh:mm`."""
    now = time.localtime(timestamp)
    minutes = now.tm_gmtoff // 60
    return now, f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


FIELDS: dict[str, Callable[[Entry], Any]] = {
    "client_ip": _client_ip,
    "client_port": lambda entry: peer_of(entry.address)[1],
    "user": _user,
    "date_time": lambda entry: _date_time(int(time.time())),
    "time": lambda entry: _iso_time(time.time()),
    "request_line": lambda entry: entry.line,
    "method": lambda entry: entry.line.partition(" ")[0],
    "target": _target,
    "path": lambda entry: _target(entry).partition("?")[0],
    "query": _query,
    "protocol": lambda entry: entry.line.rpartition(" ")[2],
    "scheme": _environ("wsgi.url_scheme"),
    "host": _environ("HTTP_HOST"),
    "referer": _environ("HTTP_REFERER"),
    "user_agent": _environ("HTTP_USER_AGENT"),
    "forwarded_for": _environ("HTTP_X_FORWARDED_FOR"),
    "status_code": lambda entry: entry.status,
    "status_class": lambda entry: f"{entry.status // 100}xx",
    "body_length": lambda entry: entry.length,
    "wall_seconds": lambda entry: entry.seconds,
    "wall_ms": lambda entry: int(entry.seconds * 1e3),
    "wall_us": lambda entry: int(entry.seconds * 1e6),
    "pid": lambda entry: os.getpid(),
}


@lru_cache(maxsize=256)  # names come from formats alone
def _other(name: str) -> Callable[[Entry], Any]:
    """What gives `{name}i`, a field of the request, `{name}o`, one of the response, or `{name}e`, of the environ.

    Raises:
        KeyError: it is none of them.
    """
    match = _OTHER.fullmatch(name)
    if match is None:
        raise KeyError(name)
    wanted, kind = match.groups()
    if kind == "e":
        return _environ(wanted)
    if kind == "i":
        key = wanted.upper().replace("-", "_")
        return _environ(key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}")
    line = re.compile(rb"(?mi)^%s: ([^\r\n]*)" % re.escape(wanted.encode("latin-1")))

    def make(entry: Entry) -> str | None:
        found = line.search(entry.fields)
        return None if found is None else found[1].decode("latin-1")

    return make


class TextLine:
    """Makes the line of an `Entry` from a format for `%`.

    Raises:
        KeyError: the format names what there is not. TypeError, ValueError: it is malformed, or takes more than 2,048
            bytes when every text in it is empty.
    """

    def __init__(self, template: str) -> None:
        self._template = template
        _check(self._made(_sample()))

    def _made(self, entry: Entry) -> str:
        return self._template % entry

    def __call__(self, entry: Entry) -> str:
        line = self._made(entry)
        for limit in _LIMITS[1:]:
            if len(line) <= LINE and (line.isascii() or len(line.encode("utf-8", "backslashreplace")) <= LINE):
                break
            entry.limit = limit
            line = self._made(entry)
        return line


class JsonLine(TextLine):
    """Makes a JSON object (RFC 8259) of an `Entry`: numbers are numbers, what there is not is null.

    Args:
        template: a format for `%`; the names in it are the keys, in their order. None: `JSON_FIELDS`.
    Raises:
        As `TextLine`.
    """

    def __init__(self, template: str | None = None) -> None:
        names = JSON_FIELDS if template is None else [name for name in _NAMES_IN.findall(template) if name]
        if not names:
            raise ValueError(f"a format for JSON names fields, as in '%(path)s'; {template!r} names none")
        self._names = dict.fromkeys(names)
        super().__init__("" if template is None else template)

    def _made(self, entry: Entry) -> str:
        found = {name: entry.plain(name) for name in self._names}
        if "wall_seconds" in found:
            found["wall_seconds"] = round(entry.seconds, 6)
        # JSON leaves DEL as it is.
        return _as_json(found).replace("\x7f", "\\u007f")


def _sample() -> Entry:
    entry = Entry(("", 0), False, {}, "  ", 0, 0, 0.0)
    entry.limit = 0
    return entry


def _check(line: str) -> None:
    if len(line.encode("utf-8", "backslashreplace")) > _CONSTANT:
        raise ValueError(f"a log format may take {_CONSTANT} bytes besides what clients send, and this one takes more")
