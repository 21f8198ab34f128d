"""Errors of the protocol: each is answered once, and then the connection is closed, never read as HTTP again."""

from http import HTTPStatus


class Refused(Exception):
    """The request is not acceptable. `status` is the answer, `why` is for the log.

    Not raised into applications: they see `BadBody`.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why

    def __str__(self) -> str:
        return f"{self.status}: {self.why}"


class BadBody(OSError):
    """`wsgi.input` cannot go on: the body is malformed, ends too early, or comes too slowly. `status` is the answer
    that the client gets if the application lets this error pass before it has begun its own.

    An OSError, because that is what applications and frameworks expect of a read that fails.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def page(status: int, text: str = "") -> tuple[bytes, bytes]:
    """The status line without its version, and a plain page that says the same, or `text`."""
    phrase = HTTPStatus(status).phrase
    return b"%d %s" % (status, phrase.encode()), (text or f"{status} {phrase}\n").encode("utf-8", "backslashreplace")
