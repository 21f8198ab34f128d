"""The head of a request: what is let in, decided once, from bytes.

llhttp (httptools) takes the head apart; before it sees it, `HEAD` has looked at every byte. The two must agree: what
either refuses is refused. Rules: RFC 9110 and 9112, by section at each expression. Nothing here is converted to `str`
before its bytes have been checked, since `str` methods know more blanks, digits and small letters than HTTP does.
"""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from greening.wsgi.errors import Refused
from greening.wsgi.limits import Limits
from greening.wsgi.llhttp import take_apart

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # RFC 9110 5.6.2
# RFC 9112 3.2, and what browsers and other clients leave unescaped in it (the URL Standard of the WHATWG, 4.3); never a
# fragment, which is not the server's business.
_TARGET = rb"[!\"$-~]++"
FIELD_LINES = TOKEN + rb":[\t -~\x80-\xff]*+\r\n"  # RFC 9112 5, RFC 9110 5.5: no blank before the colon, no folding
HEAD = re.compile(rb"(?:\r\n)?(%s) (%s) HTTP/1\.([0-9])\r\n(?:%s)*+\r\n" % (TOKEN, _TARGET, FIELD_LINES))
# From the first blank only: from each, it would be the square of them.
_BLANKS_AT_END = re.compile(rb"(?<![ \t])[ \t]++\r\n")
_ANY_VERSION = re.compile(rb"(?:\r\n)?%s %s HTTP/[0-9]\.[0-9]\r\n" % (TOKEN, _TARGET))
_FIELDS = re.compile(rb"(?:%s)*+" % FIELD_LINES)
_OWN_METHOD = re.compile(rb"[A-Z]++(?:[-_][A-Z]++)*+")
_BEGUN = re.compile(rb"(?:\r\n)?%s [^\r\n ]++" % TOKEN)

# What can stand nowhere outside a body: controls, and half of a line's end. A CR at the very end may get its LF yet.
FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
# The same but for a line that ends in LF alone, which a parser of a subclass of eventlet's protocol may take.
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)")

# RFC 3986 3.2.2 and 3.2.3; a comma is legal in a name and means two hosts wherever it was seen.
_HOST = re.compile(rb"(?:\[([0-9A-Fa-f:.]++)\]|(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})++)(?::([0-9]{0,5}+))?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*+)([^?]*+)(?:\?(.*+))?")  # RFC 9112 3.2.2
_DIGITS = re.compile(rb"[0-9]{1,18}")  # RFC 9110 8.6; what does not fit into 64 bits is a lie
_CODINGS = re.compile(rb"(?i)\r\ntransfer-encoding:[ \t]*+(?!chunked[ \t]*+[,\r])(%s)[ \t]*+\r\n" % TOKEN)

# A second one of these cannot be joined to the first.
_SINGLE = {"HTTP_HOST", "HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH", "CONTENT_TYPE"}

# Not to be remembered longer than it takes.
_SECRET = {"HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "HTTP_COOKIE"}

CHUNKED: Final = -1

_KNOWN = 512  # entries of each memory below: more names than honest clients send
_LONG = 64  # characters: a longer name is not remembered
_names: dict[bytes, tuple[str, str]] = {}
_hosts: set[str] = set()
_methods: dict[bytes, str] = {}


class Head:
    """A request without its body.

    Attributes:
        method, target: as they came. minor: 0 or 1, of HTTP/1.x.
        environ: what they and the fields are in CGI's terms.
        length: of the body; CHUNKED.
        keep: the client wants to go on afterwards, and may.
        expects: it waits for `100 Continue`.
        upgrade: it asks for another protocol, and says so properly.
        plain: it has no body, asks for nothing special and holds no secret.
        whole: the environ with what is the server's in it, once it was asked for. A head belongs to one server.
    """

    __slots__ = ("method", "target", "minor", "environ", "length", "keep", "expects", "upgrade", "plain", "whole")

    method: str
    target: bytes
    minor: int
    environ: dict[str, Any]
    length: int
    keep: bool
    expects: bool
    upgrade: bool
    plain: bool
    whole: dict[str, Any] | None


def read_head(data: bytes, limits: Limits, any_method: bool = False, needs_host: bool = True) -> Head:
    """Understand a whole head.

    Args:
        data: from its first byte (a line's end before it is let pass) to the empty line, inclusive.
        any_method: let a method pass that llhttp does not know, for applications that have their own.
        needs_host: refuse HTTP/1.1 without Host, as RFC 9112 3.2 says.
    Raises:
        Refused.
    """
    match = HEAD.fullmatch(data)
    if match is None:
        raise _why_not(data)
    head = Head()
    head.whole = None
    method, target, minor = match.groups()
    if b" \r\n" in data or b"\t\r\n" in data:
        # Blanks behind a value are no part of it, but llhttp takes some for one.
        data = _BLANKS_AT_END.sub(b"\r\n", data)
    if len(target) > limits.target:
        raise Refused(414, "target too long")
    lines = data.count(b"\n", match.end(3)) - 2
    if lines > limits.fields:
        raise Refused(431, "too many fields")
    if minor > b"1":
        # RFC 9110 2.5: a later minor version is served as the latest one that is known. llhttp refuses it.
        data = data[: match.start(3)] + b"1" + data[match.end(3) :]
    if any_method and method != b"CONNECT" and _OWN_METHOD.fullmatch(method):
        data = b"POST" + data[match.end(1) :]  # to llhttp, all methods that it knows are one, but for CONNECT
    raw: list[tuple[str, str]] = []
    fields: dict[str, str] = {}
    for name, value in _fields_of(data, lines):
        known = _names.get(name) or _learn(name)
        key = known[0]
        text = value.decode("latin-1")
        raw.append((known[1], text))
        if key in fields:
            text = _joined(key, fields[key], text)
        fields[key] = text
    fields.pop("", None)
    head.minor = 0 if minor == b"0" else 1
    head.method = _methods.get(method) or _learn_method(method)
    head.target = target
    environ: dict[str, Any] = fields
    head.environ = environ
    _route(head, target)
    host = fields.get("HTTP_HOST")
    if host is None:
        if head.minor and needs_host:
            raise Refused(400, "no Host")
    elif host not in _hosts:
        check_host(host)
    head.plain = _frame(head) and environ.keys().isdisjoint(_SECRET)
    environ["REQUEST_METHOD"] = head.method
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.minor else "HTTP/1.0"
    environ["eventlet.headers_raw"] = tuple(raw)
    return head


def _fields_of(data: bytes, lines: int) -> list[tuple[bytes, bytes]]:
    try:
        return take_apart(data, lines)
    except Refused:
        if _CODINGS.search(data):
            raise Refused(501, "unknown transfer coding") from None
        raise


def _learn(name: bytes) -> tuple[str, str]:
    text = name.decode("ascii")
    key = text.upper().replace("-", "_")
    if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        key = "HTTP_" + key
    if b"_" in name or key == "HTTP_PROXY":
        # X_Y would pass for X-Y, and `Proxy` for the variable of the environment that http clients obey.
        key = ""
    if len(name) <= _LONG:
        if len(_names) >= _KNOWN:
            _names.clear()
        _names[name] = key, text
    return key, text


def _learn_method(method: bytes) -> str:
    if len(_methods) >= _KNOWN:
        _methods.clear()
    text = _methods[method] = method.decode("ascii")
    return text


def _joined(key: str, first: str, second: str) -> str:
    if key in _SINGLE:
        raise Refused(400, f"repeated {key.removeprefix('HTTP_').replace('_', '-').title()}")
    return f"{first}; {second}" if key == "HTTP_COOKIE" else f"{first},{second}"


def _route(head: Head, target: bytes) -> None:
    """The target, by its form: RFC 9112 3.2."""
    environ = head.environ
    if head.method == "CONNECT":
        match = _HOST.fullmatch(target)
        if match is None or not match[2]:
            raise Refused(400, "CONNECT to no host and port")
        check_host(target.decode("ascii"))
        environ["PATH_INFO"] = environ["QUERY_STRING"] = ""
        environ["RAW_PATH_INFO"] = target.decode("ascii")
        return
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
    elif target == b"*" and head.method == "OPTIONS":
        path, query = target, b""
    else:
        match = _ABSOLUTE.fullmatch(target)
        if match is None:
            raise Refused(400, "target of no known form")
        authority = match[1].decode("ascii")
        check_host(authority)
        # It takes the place of Host, whatever that says; but Host has to be there, and well-formed: RFC 9112 3.2.2.
        if "HTTP_HOST" in environ:
            check_host(environ["HTTP_HOST"])
            environ["HTTP_HOST"] = authority
        elif not head.minor:
            environ["HTTP_HOST"] = authority
        path, query = match[2] or b"/", match[3] or b""
    environ["RAW_PATH_INFO"] = environ["PATH_INFO"] = path.decode("ascii")
    environ["QUERY_STRING"] = query.decode("ascii")
    if b"%" in path:
        if b"%00" in path:
            raise Refused(400, "a NUL in the path")
        # A lone % stands for itself, as browsers send it.
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")


def check_host(host: str) -> None:
    """Check and remember a host: RFC 9112 3.2, RFC 9110 7.2. An empty one names no host.

    Raises:
        Refused.
    """
    match = _HOST.fullmatch(host.encode("latin-1"))
    if match is None or len(host) > 300 or (match[2] and int(match[2]) > 65535):
        raise Refused(400, "faulty host")
    if match[1]:
        try:
            IPv6Address(match[1].decode("ascii"))
        except AddressValueError:
            raise Refused(400, "faulty host") from None
    if len(_hosts) >= _KNOWN:
        _hosts.clear()
    _hosts.add(host)


def _frame(head: Head) -> bool:
    """Where the body ends, and what comes after it. RFC 9112 6 and 9, decided here and nowhere else.

    Returns:
        True: the message ends with its head, and the connection goes on, in the same protocol.
    Raises:
        Refused.
    """
    fields = head.environ
    coding = fields.get("HTTP_TRANSFER_ENCODING")
    length = fields.get("CONTENT_LENGTH")
    head.length = 0
    if coding is not None:
        if length is not None:
            raise Refused(400, "Transfer-Encoding with Content-Length")
        if not head.minor:
            raise Refused(400, "Transfer-Encoding in HTTP/1.0")
        if not coding.isascii() or coding.lower() != "chunked":
            raise Refused(501, "Transfer-Encoding that is not chunked")
        head.length = CHUNKED
    elif length is not None:
        if _DIGITS.fullmatch(length.encode("latin-1")) is None:
            raise Refused(400, "bad Content-Length")
        head.length = int(length)
    options: set[str] = set()
    connection = fields.get("HTTP_CONNECTION")
    head.keep = head.minor == 1
    head.upgrade = False
    if connection is not None:
        options = {option.strip(" \t") for option in connection.lower().split(",")}
        head.keep = "close" not in options and (head.minor == 1 or "keep-alive" in options)
        # h2c is declined, as all that is unknown; clients that ask for it in every first request go on.
        other = fields.get("HTTP_UPGRADE", "h2c").lower()
        head.upgrade = "upgrade" in options and head.minor == 1 and head.length == 0 and other != "h2c"
    if head.method == "CONNECT":
        head.keep = head.upgrade = False  # RFC 9931: what follows may be anything
    head.expects = False
    expect = fields.get("HTTP_EXPECT")
    if expect is not None and head.minor:
        if any(one.strip(" \t") not in ("100-continue", "") for one in expect.lower().split(",")):
            raise Refused(417, "unknown expectation")
        head.expects = head.length != 0
    return head.keep and head.length == 0 and not head.upgrade and (connection is None or len(options) == 1)


def _why_not(data: bytes) -> Refused:
    match = _ANY_VERSION.match(data)
    if match is not None and data[match.end() - 5 : match.end() - 3] != b"1.":
        return Refused(505, "HTTP of another version")
    return Refused(400, "malformed head")


def check_partial(data: bytearray, start: int, limits: Limits) -> None:
    """Refuse a head that is not complete, and never can be.

    Args:
        data: what there is of it. start: up to where it was looked at before.
    Raises:
        Refused.
    Time: linear in what is new, and the request line.
    """
    if FORBIDDEN.search(data, max(0, start - 1)):
        raise Refused(400, "control characters in the head")
    if len(data) > limits.head:
        raise Refused(431, "head too long")
    end = data.find(b"\r\n", 2)
    if end < 0 or end + 2 > start:
        line = data[: end + 2] if end >= 0 else data
        if len(line) > limits.target + 64:
            raise Refused(414 if _BEGUN.match(line) else 400, "request line too long")
        if end >= 0 and HEAD.fullmatch(line + b"\r\n") is None:
            raise _why_not(bytes(line) + b"\r\n")
        if data[:1] in b" \t:":
            raise Refused(400, "blanks before the request line")
    if end >= 0:
        last = data.rfind(b"\r\n") + 2
        first = max(end + 2, data.rfind(b"\r\n", 0, start) + 2)
        if first < last and _FIELDS.fullmatch(data, first, last) is None:
            raise Refused(400, "malformed field line")
        if data.startswith((b" ", b"\t"), last):
            raise Refused(400, "folded field line")
