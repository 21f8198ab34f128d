"""Static files, for development: a folder under a URL, before an application.

Facts: a path with `..`, a symbolic link or a race between a look and an open may lead out of a folder. What was opened
is known for sure: /proc/self/fd has its real path (proc(5)).
Decision: a file is opened first, and served only if it is a regular file whose real path is inside the folder. Names
that begin with a dot are not served.

In production a web server in front, or a CDN, serves them: it has caches, compression and listings of types.
"""

import mimetypes
import os
import re
import stat
from collections.abc import Iterable, Mapping
from email.utils import formatdate, parsedate_to_datetime
from io import FileIO
from typing import Any

_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))")
_TAGS = re.compile(r'(?:W/)?("[^"]*")')
_BLOCK = 65536  # bytes

StartResponse = Any
Environ = dict[str, Any]


class StaticFiles:
    """A WSGI application that serves folders, and leaves all other paths to `app`.

    Args:
        folders: URL prefixes, which begin with a slash, and folders. The longest prefix that fits counts.
    Raises:
        ValueError: a prefix does not begin with a slash. NotADirectoryError: there is no such folder.
    Source: RFC 9110 8.8 (validators), 13 (conditions), 14 (ranges).
    """

    def __init__(self, app: Any, folders: Mapping[str, str | os.PathLike[str]]) -> None:
        self._app = app
        found = []
        for prefix, folder in folders.items():
            if not prefix.startswith("/"):
                raise ValueError(f"a URL prefix begins with a slash, and {prefix!r} does not")
            if not os.path.isdir(folder):
                raise NotADirectoryError(f"static files: {os.fspath(folder)} is no folder")
            found.append((prefix.rstrip("/") + "/", os.path.realpath(folder)))
        self._folders = sorted(found, key=lambda pair: -len(pair[0]))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for prefix, folder in self._folders:
            if path.startswith(prefix):
                return _serve(environ, start_response, folder, path[len(prefix) :])
        return self._app(environ, start_response)  # type: ignore[no-any-return]  # an application's


def parse_static(text: str) -> tuple[str, str]:
    """URL=FOLDER, as on the command line.

    Raises:
        ValueError: it is not.
    """
    prefix, equals, folder = text.partition("=")
    if not prefix.startswith("/") or not equals or not folder:
        raise ValueError(f"{text!r} is not of the form /URL=FOLDER")
    return prefix, folder


def _serve(environ: Environ, start_response: StartResponse, folder: str, name: str) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return _say(start_response, "405 Method Not Allowed", [("Allow", "GET, HEAD")])
    file = _open(folder, name)
    if file is None:
        return _say(start_response, "404 Not Found")
    try:
        return _answer(environ, start_response, file, name)
    except BaseException:
        file.close()
        raise


def _open(folder: str, name: str) -> FileIO | None:
    """The file, if it may be served."""
    name = name.encode("latin-1").decode("utf-8", "surrogateescape")  # PEP 3333: bytes, as Latin-1
    if "\0" in name or any(part.startswith(".") or not part for part in name.split("/")):
        return None
    try:
        # O_NONBLOCK: a FIFO without a writer is not waited for.
        descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        real = os.readlink(f"/proc/self/fd/{descriptor}")
        inside = real.startswith(folder.rstrip("/") + "/")
        if inside and stat.S_ISREG(os.fstat(descriptor).st_mode):
            return FileIO(descriptor)
    except OSError:
        pass
    os.close(descriptor)
    return None


def _answer(environ: Environ, start_response: StartResponse, file: FileIO, name: str) -> Iterable[bytes]:
    found = os.fstat(file.fileno())
    size, seconds = found.st_size, int(found.st_mtime)
    tag = f'"{found.st_mtime_ns:x}-{size:x}"'
    fields = [("ETag", tag), ("Last-Modified", formatdate(seconds, usegmt=True)), ("Accept-Ranges", "bytes")]
    if _is_fresh(environ, tag, seconds):
        file.close()
        start_response("304 Not Modified", fields)
        return []
    kind, coding = mimetypes.guess_type(name)
    # What is compressed is served as the archive that it is, not as a coding of the response.
    kind = "application/octet-stream" if kind is None or coding is not None else kind
    fields += [("Content-Type", kind), ("X-Content-Type-Options", "nosniff")]
    wanted = _range(environ, tag, seconds, size) if environ["REQUEST_METHOD"] == "GET" else None
    if wanted is None:
        start_response("200 OK", [*fields, ("Content-Length", str(size))])
        return environ["wsgi.file_wrapper"](file)  # type: ignore[no-any-return]  # the server's
    start, length = wanted
    if length <= 0:
        file.close()
        return _say(start_response, "416 Range Not Satisfiable", [("Content-Range", f"bytes */{size}")])
    file.seek(start)
    where = f"bytes {start}-{start + length - 1}/{size}"
    start_response("206 Partial Content", [*fields, ("Content-Length", str(length)), ("Content-Range", where)])
    return _Part(file, length)


def _is_fresh(environ: Environ, tag: str, seconds: int) -> bool:
    """The client has the file already: RFC 9110 13.2.2."""
    tags = environ.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        return tags.strip() == "*" or tag in _TAGS.findall(tags)
    return seconds <= _time_of(environ.get("HTTP_IF_MODIFIED_SINCE"))


def _time_of(text: str | None) -> float:
    """Seconds since the epoch; -1 for what is no date."""
    if not text:
        return -1
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return -1


def _range(environ: Environ, tag: str, seconds: int, size: int) -> tuple[int, int] | None:
    """Where the client wants to begin, and how much; a length of 0: it cannot have that. None: everything.

    Several ranges at once are answered with everything, as RFC 9110 14.2 allows.
    """
    match = _RANGE.fullmatch(environ.get("HTTP_RANGE", "").strip())
    if match is None:
        return None
    condition = environ.get("HTTP_IF_RANGE")
    if condition is not None and condition != tag and _time_of(condition) != seconds:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(int(suffix), size)
        return size - length, length
    if last is not None and int(last) < int(first):
        return None  # RFC 9110 14.1.1: it is invalid, and not to be followed
    end = size - 1 if last is None else min(int(last), size - 1)
    return int(first), end - int(first) + 1


class _Part:
    """Some bytes of a file."""

    def __init__(self, file: FileIO, length: int) -> None:
        self._file = file
        self._left = length

    def __iter__(self) -> "_Part":
        return self

    def __next__(self) -> bytes:
        data = self._file.read(min(self._left, _BLOCK)) if self._left else b""
        if not data:
            raise StopIteration
        self._left -= len(data)
        return data

    def close(self) -> None:
        """The server has what it wants."""
        self._file.close()


def _say(start_response: StartResponse, status: str, fields: list[tuple[str, str]] | None = None) -> list[bytes]:
    data = f"{status}\n".encode()
    start_response(
        status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(data))), *(fields or [])]
    )
    return [data]
