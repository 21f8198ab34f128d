"""The application's status and field lines, as bytes: checked, so that nothing in them ends a line, and remembered."""

import re
from collections.abc import Sequence
from typing import Final

from greening.wsgi.request_head import Head

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
# RFC 9110 5.5. Blanks around a value are let pass; they are not part of it.
_VALUE = re.compile(r"[\t -~\x80-\xff]*+")
_STATUS = re.compile(r"([1-9][0-9]{2}) [\t -~\x80-\xff]*+|([1-9][0-9]{2})")
_LENGTH = re.compile(r"[0-9]{1,18}")

# Of field lines, what they mean to the server, as bits.
PLAIN: Final = 0
LENGTH: Final = 1
DATE: Final = 2
SERVER: Final = 4
CLOSE: Final = 8
SWITCH: Final = 16  # Connection and Upgrade, which belong to 101 only

# Between the application and its client there is the server, which frames and keeps connections: PEP 3333 leaves these
# to it.
_HOP = {"keep-alive", "te", "trailer", "trailers", "transfer-encoding", "proxy-connection"}

_KNOWN = 1024
_LONG = 512  # longer lines are not remembered
_lines: dict[tuple[str, str], tuple[bytes, int]] = {}
_as_given: dict[tuple[str, str], tuple[bytes, int]] = {}
_statuses: dict[str, tuple[int, bytes]] = {}


# A status and its fields, ready to be sent: number, status line behind the version, field lines, bits, the length of
# the body or -1, and whether it has none.
Answer = tuple[int, bytes, bytes, int, int, bool]


def compose(status: str, headers: Sequence[tuple[str, str]], head: Head, capitalize: bool) -> Answer:
    """What an application gave to `start_response`, in answer to `head`.

    Raises:
        TypeError, ValueError: it cannot be sent.
    """
    number, line = status_line(status)
    if number == 101 and not head.upgrade:
        raise ValueError("101 is no answer to a request that asks for no other protocol")
    # RFC 9110 8.6, 9.3.6: these have neither a body nor a length.
    lengthless = number in (101, 204) or (head.method == "CONNECT" and number < 300)
    known = _lines if capitalize else _as_given
    bits, length = 0, -1
    lines = []
    for pair in headers:
        data, meaning = known.get(pair) or _learn(pair, capitalize)
        if meaning == LENGTH:
            if bits & LENGTH:
                raise ValueError("Content-Length twice")
            length = int(pair[1])
            if lengthless:
                continue
        elif meaning == SWITCH and number != 101:
            continue
        bits |= meaning
        lines.append(data)
    bodyless = lengthless or number == 304 or head.method == "HEAD"
    return number, line, b"".join(lines), bits, -1 if bodyless else length, bodyless


def _learn(pair: tuple[str, str], capitalize: bool) -> tuple[bytes, int]:
    """A field line of the application's, b"" for one that is not its business, and what it means.

    Raises:
        TypeError: not two `str` in a tuple. ValueError: characters that do not belong into a head.
    """
    if type(pair) is not tuple or len(pair) != 2:
        raise TypeError(f"a header is a tuple of a name and a value, not {pair!r}")
    name, value = pair
    line = field_line(name, value, capitalize)
    lower = name.lower()
    bits = {"content-length": LENGTH, "date": DATE, "server": SERVER}.get(lower, PLAIN)
    if bits == LENGTH and _LENGTH.fullmatch(value) is None:
        raise ValueError(f"a Content-Length is a number, not {value!r}")
    if lower == "connection":
        options = {option.strip(" \t") for option in value.lower().split(",")}
        bits = CLOSE if "close" in options else SWITCH if "upgrade" in options else PLAIN
        line = line if bits == SWITCH else b""
    elif lower == "upgrade":
        bits = SWITCH
    elif lower in _HOP:
        line = b""
    known = _lines if capitalize else _as_given
    if len(line) <= _LONG and lower != "set-cookie":
        if len(known) >= _KNOWN:
            known.clear()
        known[pair] = line, bits
    return line, bits


def field_line(name: str, value: str, capitalize: bool, token: re.Pattern[str] = _TOKEN) -> bytes:
    """`Name: value` with its line's end.

    Args:
        capitalize: each part of the name. token: what a name may be.
    Raises:
        TypeError, ValueError: characters that do not belong into a head, or no `str`.
    """
    # Exactly `str`: what a subclass says of itself when it is looked at need not be what it says when it is sent.
    if type(name) is not str or type(value) is not str:
        raise TypeError(f"a header's name and value are str, not {name!r}, {value!r}")
    if token.fullmatch(name) is None:
        raise ValueError(f"not the name of a header: {name!r}")
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"the value of {name} has characters that no header may have: {value!r}")
    if capitalize:
        name = "-".join(part.capitalize() for part in name.split("-"))
    return f"{name}: {value}\r\n".encode("latin-1")


def status_line(status: str) -> tuple[int, bytes]:
    """The number of a status, and the rest of a status line behind `HTTP/1.x `.

    Raises:
        TypeError: not a `str`. ValueError: not a status, or one that is not the application's to give (1xx but 101).
    """
    if type(status) is not str:
        raise TypeError(f"a status is a str, not {status!r}")
    known = _statuses.get(status)
    if known is None:
        match = _STATUS.fullmatch(status)
        if match is None:
            raise ValueError(f"not a status: {status!r}")
        number = int(match[1] or match[2])
        if number < 200 and number != 101:
            raise ValueError(f"an application cannot answer {status!r}")
        if len(_statuses) >= _KNOWN:
            _statuses.clear()
        tail = "" if match[1] else " "  # RFC 9112 4: the blank is there even when nothing follows it
        known = _statuses[status] = number, f"{status}{tail}\r\n".encode("latin-1")
    return known
