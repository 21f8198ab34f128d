"""llhttp, by way of httptools: takes a whole head apart into names and values, or refuses it.

Fact: a message leaves a parser in a state that depends on its fields, among them some that no specification names
(llhttp closes after `Proxy-Connection: close`). httptools cannot reset one.
Decision: every head gets a parser of its own, so that nothing of one client's request is there when another's is read.
It costs 0.4 us, and heads that come again are not parsed at all (see protocol).
"""

try:
    from httptools import (
        HttpParserError,
        HttpParserInvalidMethodError,
        HttpParserUpgrade,
        HttpRequestParser,
    )
except ImportError:
    raise ImportError(
        "greening.wsgi needs httptools, an extra that is not installed: pip install greening-toolkit[wsgi]"
    ) from None

from greening.wsgi.errors import Refused


class _Fields:
    """What a parser calls: the field lines go straight into the dictionary, without a Python function for each."""

    __slots__ = ("on_header",)

    def __init__(self, found: dict[bytes, bytes]) -> None:
        self.on_header = found.__setitem__


def take_apart(head: bytes, lines: int) -> list[tuple[bytes, bytes]]:
    """The field lines of a whole head that has been found to be well-formed, and ends no line in blanks.

    Args:
        lines: how many there are.
    Returns:
        (name, value) in order.
    Raises:
        Refused: llhttp does not take it.
    """
    found: dict[bytes, bytes] = {}
    try:
        HttpRequestParser(_Fields(found)).feed_data(head)
    except HttpParserUpgrade:
        pass
    except HttpParserInvalidMethodError:
        raise Refused(501, "unknown method") from None
    except HttpParserError as error:
        raise Refused(400, f"llhttp: {error}") from None
    if len(found) == lines:
        return list(found.items())
    # Field lines of one name: the dictionary has the last one only.
    text = head[head.index(b"\r\n", 2) + 2 : -4]
    return [(name, value.lstrip(b" \t")) for name, _, value in (line.partition(b":") for line in text.split(b"\r\n"))]
