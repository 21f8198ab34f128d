"""`Link`: the two directions of a connection, and its end, below what users call.

Green threads may wait in `_fill` and send; the keeper, the budget and the server come in between without waiting.
"""

from math import inf
from socket import SHUT_RDWR, SHUT_WR
from typing import Any

from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.greenthread import spawn
from greening._originals import raw_socket
from greening.net.idle import read_now
from greening.net.places import cut
from greening.sync.lock import Lock
from greening.timeout import Timeout
from greening.websocket._wsproto import CloseReason, Frame, Opcode, ParseFailed
from greening.websocket.closing import close_payload, parsed_close
from greening.websocket.deflate import Agreement
from greening.websocket.frames import Frames, Message
from greening.websocket.keeper import keeper
from greening.websocket.liveness import Liveness, unread_bytes
from greening.websocket.masking import Framer
from greening.websocket.settings import Settings
from greening.websocket.writer import FrameWriter, PeerStalledError

# Bytes of one read of the socket, at most.
BLOCK = 65536
# First bytes of control frames.
_CLOSE, PING, _PONG = 0x88, 0x89, 0x8A
# Seconds in which the rest of a record of TLS should come, once it has begun.
_RECORD = 0.05
# Bytes of an unfinished message that no budget counts.
_FREE = 4096


class Link:
    """See `WebSocket`, which is one, for arguments and attributes."""

    next_look: float  # see `Kept`

    # How this side says goodbye, for subclasses whose peers expect it in a certain way.
    normal_code: int | None = int(CloseReason.NORMAL_CLOSURE)  # when nothing went wrong; None: it gives no code
    hangs_up_first = False  # the stream ends with this side's close frame, and not after the peer's

    def __init__(self, sock: Any, settings: Settings, client: bool, agreement: Agreement | None, begun: bytes) -> None:
        self.socket = sock
        self.websocket_closed = False
        self.close_code: int | None = None
        self.close_reason = ""
        self._client = client
        self._settings = settings
        self._frames = Frames(client, agreement, settings, begun)
        self._framer = Framer(client, agreement)
        self._writer = FrameWriter(sock, settings.write_timeout)
        self._finishing = False  # a green thread sends what others have begun
        self._owing = False  # it is a message, perhaps
        self._reading = Lock()
        self._held = 0  # bytes that the budget knows of
        self._swollen = 0  # those of the message that was taken last, if they are out of proportion
        self._ended = False  # nothing more comes in
        self._failed = False  # because of what the peer sent
        self._answer: tuple[int | None, str] | None = None  # what our close frame says, if the peer was first
        self._cut = False  # the connection underneath is done with
        hub = current().hub
        self.thread = hub.thread
        self._now = hub.now
        self._alive = Liveness(settings, hub.now())
        self._cut_at = inf  # when the peer must have closed
        self._keeper = keeper()
        self._keeper.keep(self, self._alive.next_look())

    # Without waiting, for those who look after the connection.

    def look_after(self, now: float) -> float:
        """See `Kept`: end the connection if its time is up, ask for a sign of life."""
        if self._ended:
            return inf
        if self.socket.fileno() < 0:  # closed over the heads of its green threads
            self._lost()
            self._forget()
            return inf
        alive = self._alive
        if now >= self._cut_at:
            self.dismiss(CloseReason.GOING_AWAY)
            return inf
        if self._writer.busy or self._owing:
            alive.heard = now  # it may have to take a long message before it sees a ping; `write_timeout` holds
        over = alive.verdict(now, unread_bytes(self.socket))
        if over is not None:
            self.dismiss(*over)
            return inf
        if not self.websocket_closed and alive.needs_ping(now):
            self._writer.offer(self._framer.control(PING, b""))
            self._see_to_rest()
        return min(alive.next_look(), self._cut_at)

    def leave(self, code: int = CloseReason.GOING_AWAY, reason: str = "") -> None:
        """Say that this side closes. Green threads go on: they get what the peer still sends, and the end when it has
        closed, too, or `close_timeout` is over. Does not wait."""
        self._writer.offer(self._close_frame(*(self._answer or (code, reason))))
        self._see_to_rest()
        self._cut_at = self._now() + self._settings.close_timeout
        self._keeper.expect(self, self._cut_at)

    def dismiss(self, code: int = CloseReason.GOING_AWAY, reason: str = "") -> None:
        """End the connection now: say why, if that can be sent at once, and hang up. Does not wait."""
        if self._ended:
            return
        self._end(code, reason)
        last = self._close_frame(code, reason)
        self._frames.give_up()
        if not self._reading.locked():
            self._forget()
        self._writer.offer(last)
        self._hang_up(SHUT_RDWR)

    def give_way(self) -> None:
        """See `Holder`."""
        self._held = 0
        self.dismiss(CloseReason.TRY_AGAIN_LATER, "messages take up too much memory")

    def _hang_up(self, how: int) -> None:
        if how == SHUT_RDWR and isinstance(self.socket, raw_socket):
            cut(self.socket)
            return
        try:
            self.socket.shutdown(how)
        except OSError:
            pass

    # Outwards.

    def _see_to_rest(self, failure: BaseException | None = None) -> None:
        """Frames were offered, or a sender has failed: have what is left of them sent as the peer takes it. If that is
        impossible, end the connection."""
        writer = self._writer
        if writer.broken:
            self.websocket_closed = True
            # If the peer has gone, what it sent before is still there to be read, its reasons perhaps among it.
            if isinstance(failure, PeerStalledError):
                self._end(CloseReason.ABNORMAL_CLOSURE, failure.strerror or "")
            self._hang_up(SHUT_RDWR)
        elif writer.behind and not self._cut:
            self._owing |= failure is not None
            if not self._finishing:
                self._finishing = True
                spawn(self._finish_frames).name = "websocket writer"

    def _finish_frames(self) -> None:
        """Body of a green thread. It holds up no sender while it waits: a sender finishes what was begun itself."""
        writer, failure = self._writer, None
        try:
            while writer.behind and not self._cut:
                writer.await_room()
                self._alive.heard = self._now()
                writer.try_flush()
        except OSError as error:
            failure = error
            if not writer.busy:
                writer.give_up()
        finally:
            self._finishing = self._owing = False
        self._see_to_rest(failure)

    # Inwards. The caller holds `_reading`.

    def _fill(self, wait: bool = True) -> bool:
        """Read some bytes, or note that there are no more. True: there may be more."""
        try:
            data = self.socket.recv(BLOCK) if wait else self._read_now()
        except TimeoutError:
            raise
        except OSError:
            data = b""
        if self._ended or data is None:
            return False
        if data:
            self._alive.heard = self._now()
            self._frames.feed(data)
        else:
            self._lost()
        return len(data) == BLOCK or (self._writer.tls and self.socket.pending() > 0)

    def _read_now(self) -> bytes | None:
        """What has come; None: nothing."""
        if not self._writer.tls:
            return read_now(self.socket, BLOCK)
        with Timeout(_RECORD, False):
            return self.socket.recv(BLOCK)  # type: ignore[no-any-return]
        return None

    def _note_unfinished(self, size: int) -> None:
        """So many bytes of an unfinished message are kept."""
        alive = self._alive
        if not size:
            alive.begun = None
        elif alive.begun is None:
            alive.begun = alive.heard
            self._keeper.expect(self, alive.next_look())
        self._hold((size if size > _FREE else 0) + self._swollen)

    def _hold(self, size: int) -> None:
        if size != self._held:
            self._held = size
            self._settings.budget.hold(self, size)

    def _next(self) -> Message | None:
        """The next complete message among the bytes that were read. What is not needed for it stays as it is: of a
        block that inflates to many messages only one takes up memory."""
        try:
            while (found := self._frames.next()) is not None and not self._ended:
                if type(found) is str or type(found) is bytes:
                    alive = self._alive
                    alive.moved = alive.heard
                    alive.begun = None
                    swollen = self._frames.swollen
                    if swollen or self._swollen:
                        self._frames.swollen, self._swollen = 0, swollen
                        self._hold(swollen)
                    if not self._frames.closing:
                        return found
                else:
                    self._obey(found)  # type: ignore[arg-type]  # what is no message is a control frame
                fairness_tick()
        except ParseFailed as error:
            self._failed = True
            self._end(error.code, str(error))
            self._answer_close(error.code, str(error))
        return None

    def _obey(self, frame: Frame) -> None:
        """A control frame."""
        payload = frame.payload
        assert isinstance(payload, bytes)
        if frame.opcode is Opcode.CLOSE:
            code, reason = parsed_close(payload)
            self._end(code, reason)
            self._answer_close(*self.answer_to(code, reason))
        elif frame.opcode is Opcode.PING and not self.websocket_closed:
            self._writer.answer(self._framer.control(_PONG, payload))

    def answer_to(self, code: int, reason: str) -> tuple[int | None, str]:
        """What this side's close frame says to the peer's. code: 1005: it gave none."""
        return None if code == CloseReason.NO_STATUS_RCVD else code, reason

    def _answer_close(self, code: int | None, reason: str) -> None:
        """Answer the peer's close, unless others are sending what the peer does not take."""
        self._answer = code, reason
        with Timeout(self._settings.close_timeout, False):
            self._say_close(code, reason)

    def _say_close(self, code: int | None, reason: str) -> None:
        try:
            self._writer.send(self._close_frame, code, reason)
            if self.hangs_up_first and not self._writer.tls:  # TLS cannot go on reading then
                self._hang_up(SHUT_WR)
        except OSError as error:
            if self._writer.broken:
                self._see_to_rest(error)

    def _lost(self) -> None:
        self.websocket_closed = True
        self._end(CloseReason.ABNORMAL_CLOSURE, "")

    def _end(self, code: int, reason: str) -> None:
        """Nothing more comes in."""
        if not self._ended:
            self._ended = True
            self.close_code, self.close_reason = int(code), reason
            self._keeper.release(self)

    def _forget(self) -> None:
        """Drop what has come of a message."""
        self._frames.drop()
        if self._held:
            self._held = 0
            self._settings.budget.hold(self, 0)

    def _close_frame(self, code: int | None, reason: str) -> bytes:
        if self.websocket_closed:
            return b""
        self.websocket_closed = True
        return self._framer.control(_CLOSE, close_payload(code, reason))
