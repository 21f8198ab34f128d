"""`wsgi.input`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from greening._core.fairness import fairness_tick
from greening.wsgi.body_reader import BLOCK, BodyReader
from greening.wsgi.chunks import Chunks
from greening.wsgi.errors import BadBody
from greening.wsgi.headers import field_line
from greening.wsgi.request_head import CHUNKED

# Pieces of a body that are joined at once. Of tiny chunks, an object for each would take many times their bytes.
_MANY = 1024


class Input:
    """A request's body as a file. It ends where the body ends, however it is framed (`wsgi.input_terminated`).

    A read waits for all that it was asked for, or the end. The client that waits for `100 Continue` gets it at the
    first one.

    Raises (all methods): BadBody, an OSError; then for ever.
    """

    # Most requests have no body, and nothing of this is ever set.
    inlet: BodyReader | None = None  # where its bytes come from; None: there is no body
    _chunks: Chunks | None = None
    _left = 0
    _piece = b""
    _at = 0
    _error: BadBody | None = None
    _continue: Callable[[bytes], None] | None = None
    _extra = b""
    _take: Callable[[], Any] | None = None

    def receive(self, inlet: BodyReader, length: int) -> None:
        """There is a body.

        Args:
            length: in bytes, or CHUNKED.
        """
        self.inlet = inlet
        if length == CHUNKED:
            self._chunks = Chunks(inlet)
        else:
            self._left = length

    def ask_first(self, proceed: Callable[[bytes], None]) -> None:
        """The client waits to be told to go on: `proceed` tells it, with the field lines that it is given."""
        self._continue = proceed

    def lend(self, take: Callable[[], Any]) -> None:
        """The connection may be had: `take` hands it over."""
        self._take = take

    @property
    def ended(self) -> bool:
        """All of the body has been taken off the connection."""
        return not self._left if self._chunks is None else self._chunks.ended

    @property
    def failed(self) -> BadBody | None:
        """The error that a read ended in."""
        return self._error

    @property
    def waited_for(self) -> bool:
        """The client still waits for `100 Continue`."""
        return self._continue is not None

    def too_much(self, limit: int) -> bool:
        """More than `limit` bytes are known to be left: they will not be read to keep the connection."""
        return self._left > limit

    def _more(self, size: int) -> bytes:
        """The next piece of the body, of `size` bytes at most; b"": its end."""
        if self._error is not None:
            raise BadBody(self._error.status, self._error.why)
        inlet = self.inlet
        if inlet is None:
            return b""
        fairness_tick()  # a block may hold thousands of chunks
        proceed = self._continue
        if proceed is not None and not self.ended:
            self._continue = None
            if self._extra or inlet.at >= len(inlet.raw):
                proceed(self._extra)
        try:
            if self._chunks is not None:
                return self._chunks.read(size)
            if not self._left:
                return b""
            data = inlet.some(min(size, self._left))
        except BadBody as error:
            self._error = error
            raise
        self._left -= len(data)
        return data

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes, or as many as there are; without a size, all."""
        wanted = -1 if size is None or size < 0 else size
        if not wanted:
            return b""
        parts = []
        if self._at < len(self._piece):
            end = len(self._piece) if wanted < 0 else self._at + wanted
            parts.append(self._piece[self._at : end])
            self._at += len(parts[0])
            if self._at >= len(self._piece):
                self._piece, self._at = b"", 0
            wanted -= len(parts[0]) if wanted > 0 else 0
        gathered = bytearray()
        while wanted and (data := self._more(BLOCK if wanted < 0 else min(wanted, BLOCK))):
            parts.append(data)
            if len(parts) >= _MANY:
                gathered += b"".join(parts)
                parts.clear()
            if wanted > 0:
                wanted -= len(data)
        return parts[0] if len(parts) == 1 and not gathered else b"".join((gathered, *parts))

    def readline(self, size: int | None = -1, /) -> bytes:
        """A line with its end; no more than `size` bytes of it."""
        wanted = -1 if size is None or size < 0 else size
        fairness_tick()
        parts: list[bytes] = []
        gathered = bytearray()
        while wanted:
            if self._at >= len(self._piece):
                self._piece, self._at = self._more(BLOCK), 0
                if not self._piece:
                    break
            stop = self._piece.find(b"\n", self._at) + 1 or len(self._piece)
            if wanted > 0:
                stop = min(stop, self._at + wanted)
                wanted -= stop - self._at
            part = self._piece[self._at : stop]
            self._at = stop
            parts.append(part)
            if part.endswith(b"\n"):
                break
            if len(parts) >= _MANY:
                gathered += b"".join(parts)
                parts.clear()
        return b"".join((gathered, *parts)) if gathered else b"".join(parts)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """All lines, or lines until `hint` bytes have been read."""
        lines = []
        total = 0
        while line := self.readline():
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def discard(self, limit: int) -> bool:
        """Read what is left, `limit` bytes at most. True: it was all there is. It does not ask a client to go on."""
        if self._error is not None or self._continue is not None or self._left > limit:
            return self.ended
        try:
            while limit > 0 and (data := self._more(BLOCK)):
                limit -= len(data)
        except BadBody:
            return False
        return self.ended

    def get_socket(self) -> Any:
        """eventlet's: the connection of a request for another protocol, taken over from the server.

        Raises:
            RuntimeError: this request asks for none.
        """
        if self._take is None:
            raise RuntimeError("this request does not ask for another protocol: its connection stays the server's")
        return self._take()

    def set_hundred_continue_response_headers(
        self, headers: Iterable[tuple[str, str]], capitalize_response_headers: bool = True
    ) -> None:
        """eventlet's: field lines for the `100 Continue` that the first read sends.

        Raises:
            ValueError: a name or a value that does not belong into a head.
        """
        self._extra = b"".join(field_line(name, value, capitalize_response_headers) for name, value in headers)


# The connection in the environ, for applications that speak another protocol on it: WebSocket.


def offer(take: Callable[[], Any], environ: dict[str, Any], body: Input) -> None:
    """Put the connection where websocket libraries look for it. An application that uses it has taken it over.

    It is offered only to a request that asks for another protocol, and only if nothing has come after the head. So no
    bytes have to be given back.
    """
    environ["greening.upgrade"] = take
    environ["werkzeug.socket"] = environ["gunicorn.socket"] = Offered(take)
    body.lend(take)


class Offered:
    """Stands for a connection's socket. The first attribute that is asked for takes the connection over."""

    __slots__ = ("_take",)

    def __init__(self, take: Callable[[], Any]) -> None:
        self._take = take

    def __getattr__(self, name: str) -> Any:
        return getattr(self._take(), name)
