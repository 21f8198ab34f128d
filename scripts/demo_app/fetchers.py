"""Two ordinary blocking ways to fetch a page, and words for the ways in which that fails."""

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import requests

Fetch = Callable[[str, float], bytes]


def fetch_urllib(url: str, timeout: float) -> bytes:
    """The body; raises for everything that is not a whole page. `timeout`: seconds for each single wait."""
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return response.read()  # type: ignore[no-any-return]


def fetch_requests(url: str, timeout: float) -> bytes:
    """The same with requests."""
    response = requests.get(url, timeout=timeout)
    response.raise_for_status()
    return response.content


FETCHERS: dict[str, Fetch] = {"urllib": fetch_urllib, "requests": fetch_requests}

# The first row that fits names the cause: the special before the general.
CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "timed out"),
    (requests.Timeout, "timed out"),
    (http.client.RemoteDisconnected, "closed without an answer"),
    (ConnectionResetError, "connection reset"),
    (ConnectionRefusedError, "connection refused"),
    (http.client.IncompleteRead, "body cut short"),
    (socket.gaierror, "name not found"),
    (ssl.SSLCertVerificationError, "certificate not trusted"),
    (ssl.SSLError, "TLS failed"),
    (requests.TooManyRedirects, "too many redirects"),
)


def cause_of(error: BaseException) -> str:
    """A few words for the table, the same ones for both libraries."""
    for link in chain(error):
        response = getattr(link, "response", link)  # requests keeps the answer, urllib's error is the answer
        status = getattr(response, "status_code", getattr(response, "code", None))
        if isinstance(link, urllib.error.HTTPError | requests.HTTPError) and isinstance(status, int):
            return f"{status} {http.client.responses.get(status, '')}".strip()
    for kind, words in CAUSES:
        if any(isinstance(link, kind) for link in chain(error)):
            return words
    numbered = (link.strerror for link in chain(error) if isinstance(link, OSError) and link.strerror)
    return next(numbered, type(error).__name__)


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and every error wrapped in it, the outermost first."""
    seen: list[BaseException] = [error]
    for link in seen:
        yield link
        wrapped = (link.__cause__, link.__context__, getattr(link, "reason", None), *link.args)
        seen.extend(other for other in wrapped if isinstance(other, BaseException) and other not in seen)
