"""llhttp, by way of httptools: takes a whole head apart into names and values, or refuses it."""

try:
    import httptools
except ImportError as error:
    raise ImportError(
        "greening.wsgi needs httptools, an extra that is not installed: pip install greening-toolkit[wsgi]"
    ) from error

from greening.wsgi.errors import Refused


class Taker:
    """A parser, and the field lines it found; of several with one name the last (see `take_apart`)."""

    __slots__ = ("found", "on_header", "feed")

    def __init__(self) -> None:
        self.found: dict[bytes, bytes] = {}
        # Straight into the dictionary: a Python function here is a call for every field line.
        self.on_header = self.found.__setitem__
        self.feed = httptools.HttpRequestParser(self).feed_data


# Parsers that stand before the beginning of a message. Mostly one at a time is in use: a second head is read meanwhile
# only when a finaliser, run by the garbage collector in the midst of a head, blocks.
_idle: list[Taker] = []
_MAX_IDLE = 8


def take_apart(head: bytes, lines: int) -> tuple[Taker, list[tuple[bytes, bytes]]]:
    """The field lines of a whole head that has been found to be well-formed, and ends no line in blanks.

    Args:
        lines: how many there are.
    Returns:
        The parser, to be given to `used`, and (name, value) in order.
    Raises:
        Refused: llhttp does not take it.
    """
    taker = _idle.pop() if _idle else Taker()
    try:
        taker.feed(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserInvalidMethodError:
        raise Refused(501, "unknown method") from None
    except httptools.HttpParserError as error:
        raise Refused(400, f"llhttp: {error}") from None
    found = list(taker.found.items())
    taker.found.clear()
    if len(found) != lines:
        # Field lines of one name: the dictionary has the last one only.
        text = head[head.index(b"\r\n", 2) + 2 : -4]
        found = [
            (name, value.lstrip(b" \t")) for name, _, value in (line.partition(b":") for line in text.split(b"\r\n"))
        ]
    return taker, found


def used(taker: Taker) -> None:
    """Say that the head was that of a message which ends with it, on a connection that goes on: the parser stands at
    the beginning again. One that stands elsewhere is not used twice.
    """
    if len(_idle) < _MAX_IDLE:
        _idle.append(taker)
