"""The applications of the rows about servers: for WSGI, and the small one for ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from benchmarks.inside.job import pattern_file

HELLO = b"Hello, world!"
FILE_SIZE = 1 << 20

_file = ""


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Thirteen bytes."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(HELLO)))])
    return [HELLO]


def file(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """A file of a mebibyte, by the server's own wrapper."""
    global _file
    _file = _file or pattern_file(FILE_SIZE)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(FILE_SIZE))])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](open(_file, "rb"), 65536)  # noqa: SIM115  # the server closes it
    return wrapped


async def hello_asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """The same thirteen bytes."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(HELLO)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": HELLO})
