"""`WebSocket`: an open connection, of either side."""

from collections import deque
from collections.abc import Iterator
from io import StringIO
from socket import SHUT_RDWR, SHUT_WR
from types import TracebackType
from typing import Any

from greening._core.fairness import fairness_tick
from greening.sync.lock import Lock
from greening.timeout import Timeout
from greening.websocket._wsproto import CloseReason, Frame, Opcode, ParseFailed
from greening.websocket.deflate import Agreement
from greening.websocket.exceptions import ConnectionClosedError
from greening.websocket.frames import Frames, Message
from greening.websocket.message_limits import MessageLimits, Settings
from greening.websocket.writer import FrameWriter

# Bytes of one read of the socket, at most.
_BLOCK = 65536
# Bytes that a control frame may carry (RFC 6455, 5.5).
_MAX_CONTROL = 125


class WebSocket:
    """A connection. You get it from `WebSocketWSGI`, as argument of your handler, or from `connect`.

        for message in ws:      # the same as ws.wait() until it returns None
            ws.send(message)

    Pings are answered while a green thread waits for a message; nothing is read while none does. As a context manager
    it is closed at the end.

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
        self.socket = sock
        self.environ = environ
        self.path = path
        self.origin = origin
        self.protocol = protocol
        self.headers = headers
        self.websocket_closed = False
        self.close_code: int | None = None
        self.close_reason = ""
        self._client = client
        self._close_timeout = settings.close_timeout
        payload = MessageLimits(client, agreement, settings.max_frame_length, settings.message_limit)
        self._frames = Frames(client, payload, begun)
        self._writer = FrameWriter(sock)
        self._reading = Lock()
        self._inbox: deque[Message] = deque()
        self._partial: StringIO | bytearray | None = None
        self._ended = False  # nothing more comes in
        self._failed = False  # because of what the peer sent
        self._answer: tuple[int | None, str] | None = None  # what our close frame says, if the peer was first
        self._closing = False  # messages are not wanted any more
        self._cut = False  # the connection underneath is done with

    def wait(self) -> Message | None:
        """Park until the next message has come.

        A green thread that is killed in it, or runs into a `Timeout`, takes no message with it.

        Returns:
            str for text, bytes for binary. None: the connection is closed, see `close_code`.
        Raises:
            TimeoutError: the socket has a time limit of its own, and it ran out.
        """
        with self._reading:
            while True:
                if self._inbox:
                    return self._inbox.popleft()
                message = None if self._ended else self._next()
                if self._writer.pongs:
                    if message is not None:
                        self._inbox.append(message)  # it must not be lost if this green thread is
                        message = None
                    self._flush()
                if message is not None:
                    return message
                if self._ended and not self._inbox:
                    return None
                if not self._inbox:
                    self._fill()

    def send(self, message: Message | bytearray | memoryview) -> None:
        """Send one message: text for a str, binary for anything else. Parks while the peer does not take it.

        A green thread that is killed in it, or runs into a `Timeout`, has sent nothing if others were still sending. A
        message that was begun is finished, at the latest in front of the next one.

        Raises:
            ConnectionClosedError: the connection is closed, or closing. UnicodeEncodeError: a lone surrogate.
            TypeError: neither text nor bytes. TimeoutError: the socket's own time limit.
        """
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        self._emit(self._message_frame, message)

    def ping(self, payload: bytes = b"") -> None:
        """Ask the peer for a sign of life. Its answer is read, and dropped, by the next `wait`.

        Raises:
            ConnectionClosedError: as `send`. ValueError: more than 125 bytes.
        """
        if len(payload) > _MAX_CONTROL:
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
        code, reason = (1000, "") if close_data is None else close_data
        check_close(code, reason)
        self._close(code, reason, self._close_timeout)

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
        if error is None:
            self._close(1000, "", self._close_timeout)
        elif isinstance(error, (Exception, Timeout)):
            self._close(1011, "", self._close_timeout)
        else:
            self._close(1001, "", min(0.1, self._close_timeout))

    # Outwards.

    def _emit(self, make: Any, payload: Any) -> None:
        try:
            self._writer.send(make, payload)
        except (ConnectionClosedError, TimeoutError):
            raise
        except OSError as error:
            # What the peer sent before it went is still there to be read, its reasons perhaps among it.
            self.websocket_closed = True
            raise ConnectionClosedError(self.close_code, self.close_reason) from error

    def _message_frame(self, message: Any) -> bytes:
        self._check_open()
        return self._frames.message(message)

    def _ping_frame(self, payload: bytes) -> bytearray:
        self._check_open()
        return self._frames.ping(payload)

    def _close_frame(self, code: int | None, reason: str) -> bytes | bytearray:
        if self.websocket_closed:
            return b""
        self.websocket_closed = True
        return self._frames.close(code, reason)

    def _check_open(self) -> None:
        if self.websocket_closed or self._ended:
            raise ConnectionClosedError(self.close_code, self.close_reason)

    def _flush(self) -> None:
        try:
            self._writer.flush()
        except OSError:
            pass  # what came in is still to be read; its end will show

    # Inwards. The caller holds `_reading`.

    def _fill(self) -> None:
        """Read some bytes, or note that there are no more."""
        try:
            data = self.socket.recv(_BLOCK)
        except TimeoutError:
            raise
        except OSError:
            data = b""
        if self._ended:
            return
        if data:
            self._frames.feed(data)
        else:
            self._lost()

    def _next(self) -> Message | None:
        """The next complete message among the bytes that were read. What is not needed for it stays as it is: of a
        block that inflates to many messages only one takes up memory."""
        try:
            while (message := self._frames.quick()) is not None:
                if not self._closing:
                    return message
                fairness_tick()
            for frame in self._frames.others():
                message = self._take(frame)
                if message is not None or self._ended:
                    return message
                fairness_tick()  # a block of tiny fragments is half a second's work
        except ParseFailed as error:
            self._failed = True
            self._end(error.code, str(error))
            self._answer_close(error.code, str(error))
        return None

    def _take(self, frame: Frame) -> Message | None:
        """What wsproto found. Returns the message that is complete by it."""
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            return None if self._closing else self._add(frame)
        if opcode is Opcode.CLOSE:
            self._peer_closes(*frame.payload)
        elif opcode is Opcode.PING and not self.websocket_closed:
            self._writer.pongs.append(self._frames.pong(frame.payload))  # type: ignore[arg-type]  # of this one it is
        return None

    def _add(self, frame: Frame) -> Message | None:
        """A piece of a message; the message, if it is the last one."""
        if self._partial is None:
            self._partial = StringIO() if frame.opcode is Opcode.TEXT else bytearray()
        partial = self._partial
        if isinstance(partial, StringIO):
            partial.write(frame.payload)  # type: ignore[arg-type]
        else:
            partial += frame.payload  # type: ignore[arg-type]
        if not frame.message_finished:
            return None
        self._partial = None
        return partial.getvalue() if isinstance(partial, StringIO) else bytes(partial)

    def _peer_closes(self, code: int, reason: str) -> None:
        self._end(code, reason)
        self._answer_close(None if code == CloseReason.NO_STATUS_RCVD else code, reason)

    def _answer_close(self, code: int | None, reason: str) -> None:
        """Answer the peer's close, unless others are sending what the peer does not take."""
        self._answer = code, reason
        with Timeout(self._close_timeout, False):
            self._say_close(code, reason)

    def _say_close(self, code: int | None, reason: str) -> None:
        try:
            self._writer.send(self._close_frame, code, reason)
        except OSError:
            pass  # it knows

    def _lost(self) -> None:
        self.websocket_closed = True
        self._end(CloseReason.ABNORMAL_CLOSURE, "")

    def _end(self, code: int, reason: str) -> None:
        """Nothing more comes in."""
        self._partial = None
        if not self._ended:
            self._ended = True
            self.close_code, self.close_reason = int(code), reason

    # The end.

    def _close(self, code: int, reason: str, seconds: float) -> None:
        if self._cut:
            return
        self._closing = True
        try:
            with Timeout(seconds, False):
                self._say_close(*(self._answer or (code, reason)))
                self._drain()
        except TimeoutError:  # the socket's own time limit came first
            pass
        finally:
            self._cut = True
            self._lost()
            self._hang_up(SHUT_RDWR)
            if self._client:
                self.socket.close()

    def _drain(self) -> None:
        """Drop what comes until the peer has closed. With bytes unread, the system would reset the connection, and
        what was sent last would not arrive."""
        with self._reading:
            self._inbox.clear()
            while not self._ended:
                self._next()
                if not self._ended:
                    self._fill()
            if self._failed or self._client:
                self._hang_up(SHUT_WR)
                try:
                    while self.socket.recv(_BLOCK):
                        pass
                except OSError:
                    pass

    def _hang_up(self, how: int) -> None:
        try:
            self.socket.shutdown(how)
        except OSError:
            pass


def check_close(code: int, reason: str) -> None:
    """Raises: ValueError: not a code or a reason for a close frame."""
    if not (code in (1000, 1001, 1002, 1003) or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ValueError(f"not a code to close with: {code}")
    if len(reason.encode()) > _MAX_CONTROL - 2:
        raise ValueError("a reason has at most 123 bytes")
