"""Field values of a handshake: lists, tokens, parameters (RFC 9110 5.6, RFC 6455 9.1)."""

import base64
import binascii
import re
from hashlib import sha1
from urllib.parse import SplitResult, unquote

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
# An extension's name and its parameters in order; None: a parameter without a value.
Offer = tuple[str, list[tuple[str, str | None]]]


def tokens(value: str) -> list[str]:
    """The elements of a list. Empty ones are left out."""
    return [element for element in (part.strip(" \t") for part in value.split(",")) if element]


def has_token(value: str, token: str) -> bool:
    """Whether a list has it, in whatever case."""
    return token in tokens(value.lower())


def extensions(value: str) -> list[Offer]:
    """What Sec-WebSocket-Extensions says.

    Raises:
        ValueError: that is not its syntax.
    """
    offers = []
    for element in tokens(value):
        name, *parameters = (part.strip(" \t") for part in element.split(";"))
        offers.append((_token(name), [_parameter(one) for one in parameters]))
    return offers


def _token(text: str) -> str:
    if TOKEN.fullmatch(text) is None:
        raise ValueError(f"not a token: {text!r}")
    return text.lower()


def _parameter(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not equals:
        return _token(name), None
    value = value.strip(" \t")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]  # what is in quotes must be a token, too (RFC 6455 9.1)
    return _token(name.rstrip(" \t")), _token(value)


def basic(url: SplitResult) -> str | None:
    """The value of Authorization for a URL's user and password (RFC 7617); None: it has none."""
    if url.username is None:
        return None
    user = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return f"Basic {base64.b64encode(user.encode()).decode()}"


def is_key(value: str) -> bool:
    """Whether it is what Sec-WebSocket-Key must be: 16 bytes in base64."""
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def accept_of(key: str) -> str:
    """The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key."""
    return base64.b64encode(sha1(key.encode("ascii") + _GUID).digest()).decode("ascii")
