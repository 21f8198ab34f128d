"""Bytes to messages: what comes in.

Facts: most messages are one frame that comes whole. wsproto takes 40 us for one of them.
Decision: these are taken here, and long ones that come in pieces. wsproto gets the other frames, one by one -
fragments, control frames, what is wrong in any way - and decides about them. Its decoder exists only meanwhile.
"""

from codecs import IncrementalDecoder
from struct import Struct
from sys import getsizeof

from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.task import Task
from greening.websocket._wsproto import CloseReason, Frame, FrameDecoder, Opcode, ParseFailed
from greening.websocket.deflate import Agreement
from greening.websocket.fragments import Fragments
from greening.websocket.inflate import Inflater, Utf8, decoded
from greening.websocket.masking import _BINARY, _DEFLATED, _TEXT, mask
from greening.websocket.settings import Settings

Message = str | bytes

_LONG_FRAME = 4096  # bytes: one that is longer, and cut, is collected. Faults of a shorter one show at once
# What a message inflates to is out of proportion if it is more than this many times of what was sent. (Text and tables
# deflate to a tenth.) Messages of so few bytes never are.
_PROPORTION, _FREE = 50, 64 << 10
_LONG, _LONGEST = Struct("!H").unpack_from, Struct("!Q").unpack_from


class _GivenUp(Exception):
    """See `Frames.give_up`."""


class Frames:
    """The messages and control frames of one connection. What comes in is given to `feed` when `next` returns None.

    Args:
        client: our side. agreement: None: nothing is deflated. settings: limits. begun: bytes that have come already.
    Attributes:
        swollen: bytes that the last message costs, if it is out of proportion to what was sent; else 0.
        closing: messages are not wanted any more; they are dropped as they are.
    """

    __slots__ = (
        "closing",
        "swollen",
        "_client",
        "_settings",
        "_most",
        "_inflater",
        "_decoder",
        "_fragments",
        "_owed",
        "_long",
        "_key",
        "_first",
        "_utf8",
        "_data",
        "_at",
        "_whole",
        "_waiting",
    )

    def __init__(self, client: bool, agreement: Agreement | None, settings: Settings, begun: bytes = b"") -> None:
        self.closing = False
        self.swollen = 0
        self._client = client
        self._settings = settings
        self._inflater: Inflater | None = None
        if agreement is not None:
            bits = agreement.server_bits if client else agreement.client_bits
            reset = agreement.server_reset if client else agreement.client_reset
            self._inflater = Inflater(bits, reset, settings.message_limit)
        self._decoder: FrameDecoder | None = None
        self._fragments: Fragments | None = None
        self._most = settings.max_frame_length
        self._owed = 0  # bytes that are still to come of the frame that is coming in
        # The message in a long frame that is coming in, unmasked; its key (b"": none) and its first byte; for text,
        # what looks whether it is UTF-8.
        self._long: bytearray | None = None
        self._key = b""
        self._first = 0
        self._utf8: IncrementalDecoder | None = None
        self._data = begun
        self._at = 0
        # A message that has come whole and was not finished with: the one who waited was interrupted.
        self._whole: tuple[bytes | bytearray, bool, bool] | None = None
        self._waiting: Task | None = None  # what waits for its turn to inflate a long message

    @property
    def unfinished(self) -> int:
        """Bytes that are kept of a message, or frame, that has begun and not come whole; 0: there is none."""
        left = len(self._data) - self._at
        if self._long is not None:
            return left + len(self._long) + 1
        if self._decoder is None or self._fragments is None:
            return left
        return left + 1 + len(self._fragments.data)

    def feed(self, data: bytes) -> None:
        """Bytes that came in."""
        if self._owed and self._decoder is not None:
            part = data if self._owed >= len(data) else data[: self._owed]
            self._owed -= len(part)
            self._data, self._at = (data, len(part)) if self._owed == 0 else (b"", 0)
            self._decoder.receive_bytes(part)
        elif self._at < len(self._data):
            self._data, self._at = self._data[self._at :] + data, 0
        else:
            self._data, self._at = data, 0

    def drop(self) -> None:
        """Forget what has come: nothing is wanted any more."""
        self._data, self._at, self._owed = b"", 0, 0
        self._decoder = self._fragments = self._inflater = self._whole = self._long = None

    def next(self) -> Message | Frame | None:
        """The next message or control frame. None: there is none yet.

        Others run meanwhile, if it takes long. An interrupted call is gone on with by the next one.

        Raises:
            ParseFailed: the peer does something wrong.
        """
        if self._decoder is None and self._whole is None and self._long is None and not self.closing:
            message = self._quick()
            if message is not None:
                return message
        return self._next_odd()

    def _quick(self) -> Message | None:
        """The next message, if it is one frame that has come whole. None: there is nothing, or it is for wsproto."""
        data, at = self._data, self._at
        if len(data) - at < 6:
            return None
        first, size = data[at], data[at + 1]
        begin = at + 2
        is_masked, size = size >> 7, size & 127
        if size > 125:
            least = 126 if size == 126 else 65536
            if size == 126:
                (size,) = _LONG(data, begin)
                begin += 2
            elif len(data) - begin >= 8:
                (size,) = _LONGEST(data, begin)
                begin += 8
            if size < least:
                return None
        kind = first & ~_DEFLATED
        if (kind != _TEXT and kind != _BINARY) or is_masked == self._client or size > self._most:
            return None
        begin += 4 * is_masked
        end = begin + size
        if self._inflater is None if first & _DEFLATED else size > self._settings.message_limit:
            return None
        if end > len(data):
            if size > _LONG_FRAME and begin <= len(data):
                self._first, self._owed, self._at = first, size, begin
                self._key = data[begin - 4 : begin] if is_masked else b""
                self._long = bytearray()
                self._utf8 = Utf8() if first == _TEXT else None
            return None
        raw = mask(data[begin:end], data[begin - 4 : begin]) if is_masked else data[begin:end]
        self._at = end
        if first & _DEFLATED:
            self._complete(raw, kind == _TEXT, True)
            return self._finish()
        if kind == _BINARY:
            return raw
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise ParseFailed(str(error), CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None

    def _collect(self, long: bytearray) -> bool:
        """Take what has come of a long frame. False: there must come more.

        Raises:
            ParseFailed: text that is not UTF-8, as soon as that shows.
        """
        data, at = self._data, self._at
        part = data if not at and len(data) <= self._owed else data[at : at + self._owed]
        self._owed -= len(part)
        self._at = at + len(part)
        if not self.closing:
            if self._key:
                turn = len(long) & 3
                part = mask(part, self._key[turn:] + self._key[:turn])
            long += part
            if self._utf8 is not None and not (part.isascii() and not self._utf8.getstate()[0]):
                try:
                    self._utf8.decode(part, not self._owed)
                except UnicodeDecodeError as error:
                    raise ParseFailed(str(error), CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None
        if self._owed:
            self._data, self._at = b"", 0
            return False
        self._long = self._utf8 = None
        self._complete(long, self._first & ~_DEFLATED == _TEXT, bool(self._first & _DEFLATED))
        return True

    def _next_odd(self) -> Message | Frame | None:
        """The same for what is no matter for `_quick`: wsproto decodes frames, and messages are put together."""
        while True:
            if self._long is not None and not self._collect(self._long):
                return None
            if self._whole is not None and not self.closing:
                return self._finish()
            self._whole = None
            if self._decoder is None and not self._hand_over():
                return None
            decoder, fragments = self._decoder, self._fragments
            assert decoder is not None
            assert fragments is not None
            frame = decoder.process_buffer()
            if frame is not None:
                if frame.opcode >= Opcode.CLOSE:
                    return frame
                self._take(fragments, frame)
                fairness_tick()  # a block of tiny fragments is half a second's work
            elif self._owed:
                return None
            elif fragments.inside:
                if not self._hand_over():
                    return None
            else:
                self._decoder = self._fragments = None
                message = None if self.closing else self._quick()
                if message is not None:
                    return message

    def _hand_over(self) -> bool:
        """Let wsproto have the next frame, as far as it has come. False: not enough of it has come."""
        data, at = self._data, self._at
        there = len(data) - at
        if there == 0:
            self._data, self._at = b"", 0  # a connection that idles holds nothing of the past
        if there < 2:
            return False
        size, head = data[at + 1] & 127, 2
        if size > 125:
            head = 4 if size == 126 else 10
            if there < head:
                return self._judge(data[at:])
            (size,) = _LONG(data, at + 2) if head == 4 else _LONGEST(data, at + 2)
        head += 4 * (data[at + 1] >> 7)
        if there < head:
            return self._judge(data[at:])
        if self._decoder is None:
            self._fragments = self._new_fragments()
            self._decoder = FrameDecoder(self._client, [self._fragments])
        end = at + head + size
        self._decoder.receive_bytes(data if at == 0 and end >= len(data) else data[at:end])
        self._owed = max(0, end - len(data))
        self._at = min(end, len(data))
        return True

    def _new_fragments(self) -> Fragments:
        settings = self._settings
        return Fragments(self._inflater is not None, settings.max_frame_length, settings.message_limit)

    def _judge(self, begun: bytes) -> bool:
        """Let wsproto look at half a header: what is wrong may show already. Returns False. Raises: ParseFailed."""
        fragments = self._new_fragments()
        fragments.inside = self._fragments is not None and self._fragments.inside
        decoder = FrameDecoder(self._client, [fragments])
        decoder.receive_bytes(begun)
        decoder.process_buffer()
        return False

    def _take(self, fragments: Fragments, frame: Frame) -> None:
        """A piece of a message."""
        payload = frame.payload
        assert isinstance(payload, bytes)
        if self.closing:
            fragments.inside = not (frame.frame_finished and frame.message_finished)
        elif fragments.add(payload, frame.frame_finished and frame.message_finished):
            data, fragments.data = fragments.data, bytearray()
            self._complete(data, fragments.text, fragments.deflated)

    def _complete(self, data: bytes | bytearray, text: bool, deflated: bool) -> None:
        """A message has come whole."""
        self._whole = data, text, deflated
        if deflated:
            assert self._inflater is not None
            self._inflater.begin(data)

    def _finish(self) -> Message | None:
        """The message that has come whole, inflated and decoded. None: it has been given up."""
        assert self._whole is not None
        data, text, deflated = self._whole
        if not deflated:
            return self._made(data, text)
        inflater = self._inflater
        assert inflater is not None
        inflated = inflater.step()
        if inflated is None:
            if not self._wait_for_turn():
                return None
            try:
                while (inflated := inflater.step()) is None:
                    fairness_tick()
                message = self._made(inflated, text)
            finally:
                self._settings.budget.inflating.release()
        else:
            message = self._made(inflated, text)
        size = getsizeof(message)
        # Twice: it was made of pieces, and the allocator does not give back at once what those took up.
        self.swollen = 2 * size if size > max(_FREE, _PROPORTION * len(data)) else 0
        return message

    def _wait_for_turn(self) -> bool:
        """Take the lock of those that inflate long messages. False: `give_up` was called."""
        self._waiting = current()
        try:
            return self._settings.budget.inflating.acquire()
        except _GivenUp:
            return False
        finally:
            self._waiting = None

    def give_up(self) -> None:
        """The connection is over: a green thread that waits to inflate a message need not wait any more."""
        self.closing = True
        if self._waiting is not None:
            self._waiting.interrupt(_GivenUp())

    def _made(self, data: bytes | bytearray, text: bool) -> Message:
        self._whole = data, text, False
        message = decoded(data) if text else bytes(data)
        self._whole = None
        return message
