"""A faster `parse_headers` for `eventlet.green.http.client`, with the results of the stdlib's.

Facts: `http.client.parse_headers` has a parser of e-mail look for bodies within bodies behind the field lines. It takes
a third of the time that a small request takes as a whole. Nearly every head consists of fields of one line each, ended
by an empty line; the result is then the list of these pairs, and an empty payload.
Decision: one regular expression tells such a head from all others. The others get the stdlib's parser.
"""

import re
from collections.abc import Callable
from io import BytesIO
from types import ModuleType
from typing import Any

# What email.feedparser takes for a field: the name is of printable ASCII without a colon, and not empty.
_PLAIN = re.compile(r"(?:[!-9;-~]++:[^\r\n]*+\r?\n)++\r?\n")
_FIELD = re.compile(r"([!-9;-~]+):[ \t]*([^\r\n]*)")

# Types whose bodies the stdlib's parser looks for, and complains of when they are not there.
_NESTED = ("multipart/", "message/")


def fields_of(head: str) -> list[tuple[str, str]] | None:
    """The fields of a head with its empty line; None: it is one for the stdlib's parser."""
    return _FIELD.findall(head) if _PLAIN.fullmatch(head) is not None else None


def message_from(fields: list[tuple[str, str]], kind: Callable[[], Any]) -> Any:
    """The message of these fields; None: it is of a type that the stdlib's parser has to look at.

    Args:
        kind: makes an empty `email.message.Message`.
    """
    message = kind()
    put = message.set_raw
    for name, value in fields:
        put(name, value)
    if message.get_content_type().startswith(_NESTED):
        return None
    message.set_payload("")
    return message


def quicken(module: ModuleType) -> Callable[[], None]:
    """Replace the `parse_headers` of http.client, or of a copy of it. Returns what takes the change back.

    Args:
        module: its limits (`_MAXLINE`, `_MAXHEADERS`) are obeyed as before, also when a program sets them.
    """
    stdlibs: Callable[..., Any] = module.parse_headers
    read: Any = getattr(module, "_read_headers", None)
    if read is None or stdlibs.__module__ == __name__ or read.__code__.co_argcount != 1:
        return lambda: None  # it is done; or `parse_headers` of this Python is another, and stays as it is

    def parse_headers(fp: Any, _class: Callable[[], Any] = module.HTTPMessage) -> Any:
        """Parse the field lines of a head, up to its empty line. Raises: LineTooLong, HTTPException: too many."""
        raw = b"".join(read(fp))
        fields = fields_of(raw.decode("iso-8859-1"))
        message = None if fields is None else message_from(fields, _class)
        return stdlibs(BytesIO(raw), _class) if message is None else message

    vars(module)["parse_headers"] = parse_headers
    return lambda: vars(module).update(parse_headers=stdlibs)
