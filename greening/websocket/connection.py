"""`WebSocket`: an open connection, of either side."""

from collections.abc import Iterator
from socket import SHUT_RDWR, SHUT_WR
from types import TracebackType
from typing import Any

from greening.errors import GreenletExit
from greening.timeout import Timeout
from greening.websocket.closing import MAX_CONTROL, check_close
from greening.websocket.deflate import Agreement
from greening.websocket.exceptions import ConnectionClosedError
from greening.websocket.frames import Message
from greening.websocket.link import BLOCK, PING, Link
from greening.websocket.masking import Outgoing
from greening.websocket.settings import Settings


class WebSocket(Link):
    """A connection. You get it from `WebSocketWSGI`, as argument of your handler, or from `connect`.

        for message in ws:      # the same as ws.wait() until it returns None
            ws.send(message)

    The peer's pings are answered while a green thread waits for a message; nothing is read while none does. Our own
    pings, and the limits of time, hold whatever green threads do. As a context manager it is closed at the end.

    Attributes:
        path: of the request, without the query. origin: its Origin field, or None. protocol: the subprotocol that was
            agreed on, or None. environ: the request's (server), {} for a client.
        headers: those of the answer (client), () for a server: (name, value).
        version: 13. socket: the connection underneath; leave its bytes alone.
        websocket_closed: nothing can be sent any more.
        close_code, close_reason: how it ended. 1005: the peer gave no code; 1006: the connection was lost; None: it has
            not ended.
    Thread-safety: any number of green threads of one OS thread.
    Difference from eventlet: `send` sends bytes as a binary message and str as text, and nothing else; the client's
    class is the same; hixie-75 and -76 are not spoken.
    """

    version = 13

    def __init__(
        self,
        sock: Any,
        environ: dict[str, Any],
        settings: Settings,
        *,
        client: bool = False,
        path: str = "",
        origin: str | None = None,
        protocol: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        agreement: Agreement | None = None,
        begun: bytes = b"",
    ) -> None:
        super().__init__(sock, settings, client, agreement, begun)
        self.environ = environ
        self.path = path
        self.origin = origin
        self.protocol = protocol
        self.headers = headers

    def wait(self) -> Message | None:
        """Park until the next message has come.

        A green thread that is killed in it, or runs into a `Timeout`, takes no message with it.

        Returns:
            str for text, bytes for binary. None: the connection is closed, see `close_code`.
        Raises:
            TimeoutError: the socket has a time limit of its own, and it ran out.
        """
        return self._receive(True)

    def take_in(self) -> bool:
        """Read what has come, without waiting for it; `poll` returns the messages. True: there may be more.

        For servers that call back. A green thread that closes the connection meanwhile is waited for.
        """
        with self._reading:
            return not self._ended and self._fill(False)

    def poll(self) -> Message | None:
        """The next message that has been read; None: there is none, see `over`. The one before is done with."""
        self._swollen = 0
        return self._receive(False)

    @property
    def over(self) -> bool:
        """No message comes any more, but those that have been read."""
        return self._ended

    def _receive(self, wait: bool) -> Message | None:
        with self._reading:
            while True:
                message = None if self._ended else self._next()
                if self._writer.control:
                    # Without waiting: a peer that does not read before it has sent would wait for us.
                    self._writer.try_flush()
                    self._see_to_rest()
                if message is not None:
                    return message
                if self._ended:
                    self._forget()
                    return None
                held = self._frames.unfinished
                if held or self._held or self._alive.begun is not None:
                    self._note_unfinished(held)
                if not wait:
                    return None
                self._fill()

    def send(self, message: Message | bytearray | memoryview) -> None:
        """Send one message: text for a str, binary for anything else. Parks while the peer does not take it.

        A green thread that is killed in it, or runs into a `Timeout`, has sent nothing if others were still sending. A
        message that was begun is sent to its end all the same, as the peer takes it, in front of the next one.

        Raises:
            ConnectionClosedError: the connection is closed, or closing, or the peer took nothing for `write_timeout`,
            which ends it.
            UnicodeEncodeError: a lone surrogate. TypeError: neither text nor bytes. TimeoutError: the socket's own time
            limit.
        """
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        self._emit(self._message_frame, message)

    def send_frame(self, first: int, payload: bytes) -> None:
        """Send one frame, for messages in several frames, and for what else RFC 6455 5.2 allows. Nothing is checked.

        Args:
            first: the first byte of the frame: FIN (128), and the opcode.
        Raises:
            ConnectionClosedError, TimeoutError: as `send`.
        """
        self._emit(lambda data: self._one_frame(first, data), payload)

    def ping(self, payload: bytes = b"") -> None:
        """Ask the peer for a sign of life. Its answer is read, and dropped, by the next `wait`.

        Raises:
            ConnectionClosedError: as `send`. ValueError: more than 125 bytes.
        """
        if len(payload) > MAX_CONTROL:
            raise ValueError("a ping has at most 125 bytes")
        self._emit(self._ping_frame, payload)

    def close(self, close_data: tuple[int, str] | None = None) -> None:
        """Say that this side closes, wait until the peer has said it, too, and end the connection. Again: nothing.

        What the peer still sends is dropped. It has `close_timeout` seconds; then the connection is cut.

        Args:
            close_data: code and reason. Codes: 1000 (the default), 1001, 1003, 1007 to 1014, 3000 to 4999.
        Raises:
            ValueError: not such a code, or the reason takes more than 123 bytes.
        """
        if close_data is not None:
            check_close(*close_data)
        code, reason = (self.normal_code, "") if close_data is None else close_data
        self._close(code, reason, self._settings.close_timeout)

    def __iter__(self) -> Iterator[Message]:
        """Messages, until the connection is closed."""
        while (message := self.wait()) is not None:
            yield message

    def __enter__(self) -> "WebSocket":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(value)

    def __repr__(self) -> str:
        state = "open" if self.close_code is None and not self.websocket_closed else f"closed ({self.close_code})"
        return f"<WebSocket {'to' if self._client else 'from'} {self.path or '/'} {state}>"

    def finish(self, error: BaseException | None) -> None:
        """`close` with the code for how the caller ended: 1011 for an error; 1001, in a hurry, when killed."""
        seconds = self._settings.close_timeout
        if error is None:
            self._close(self.normal_code, "", seconds)
        elif isinstance(error, (GreenletExit, KeyboardInterrupt)):
            self._close(1001, "", min(0.1, seconds))
        else:
            self._close(1011, "", seconds)

    # Outwards.

    def _emit(self, make: Any, payload: Any) -> None:
        try:
            self._writer.send(make, payload)
        except ConnectionClosedError:
            raise
        except BaseException as error:
            self._see_to_rest(error)
            if isinstance(error, OSError) and self._writer.broken:
                raise ConnectionClosedError(self.close_code, self.close_reason) from error
            raise

    def _message_frame(self, message: Any) -> Outgoing:
        self._check_open()
        self._alive.moved = self._now()
        return self._framer.message(message)

    def _one_frame(self, first: int, payload: bytes) -> Outgoing:
        self._check_open()
        return self._framer.frame(first, payload)

    def _ping_frame(self, payload: bytes) -> bytes:
        self._check_open()
        return self._framer.control(PING, payload)

    def _check_open(self) -> None:
        if self.websocket_closed or self._ended:
            raise ConnectionClosedError(self.close_code, self.close_reason)

    # The end.

    def _close(self, code: int | None, reason: str, seconds: float) -> None:
        if self._cut:
            return
        self._frames.closing = True
        try:
            with Timeout(seconds, False):
                self._say_close(*(self._answer or (code, reason)))
                self._drain()
        except TimeoutError:  # the socket's own time limit came first
            pass
        finally:
            self._cut = True
            self._lost()
            self._forget()
            self._hang_up(SHUT_RDWR)
            if self._client:
                self.socket.close()

    def _drain(self) -> None:
        """Drop what comes until the peer has closed. With bytes unread, the system would reset the connection, and
        what was sent last would not arrive."""
        with self._reading:
            while not self._ended:
                self._next()
                if not self._ended:
                    self._fill()
            if self._failed or self._client:
                self._hang_up(SHUT_WR)
                try:
                    while self.socket.recv(BLOCK):
                        pass
                except OSError:
                    pass
