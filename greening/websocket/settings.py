"""`Settings`: what a connection may cost, in bytes and in time."""

from dataclasses import dataclass, fields

from greening.websocket.budget import PROCESS_BUDGET, Budget
from greening.websocket.deflate import OUR_BITS

DEFAULT_MAX_FRAME_LENGTH = 8 << 20  # bytes


@dataclass(frozen=True)
class Settings:
    """Limits of connections, on either side. Times are in seconds and relative; None: no limit.

    Attributes:
        max_frame_length: bytes of one frame, as it is sent. More ends the connection with code 1009.
        max_message_length: bytes of one message, inflated, in however many frames; None: as `max_frame_length`. More
            ends the connection with code 1009.
        compression: permessage-deflate, if the other side wants it, too.
        window_bits: base-2 logarithm of the window of that, in bytes, 9 to 15. A larger one compresses long messages
            better, and takes up more memory for each connection.
        close_timeout: what the other side has to close when this one has.
        ping_interval: a peer of which nothing has come for so long is sent a ping. None: no pings.
        ping_timeout: if nothing has come so long after the ping, the connection ends with code 1011.
        idle_timeout: a connection on which no message went either way for so long ends with code 1001.
        message_timeout: what a message, or any frame, may take from its first bytes to its last; longer ends the
            connection with code 1008.
        write_timeout: what the peer may take nothing at all of what is sent; longer ends the connection. (`connect` and
            other servers than greening.wsgi: 60; there it is the server's.)
        budget: what unfinished messages of all connections may take up; see `Budget`.
    Raises:
        ValueError: a limit below 1 byte, a window that zlib has not, a time that is negative, or zero where that makes
            no sense.
    """

    max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH
    max_message_length: int | None = None
    compression: bool = True
    window_bits: int = OUR_BITS
    close_timeout: float = 5.0
    ping_interval: float | None = 20.0
    ping_timeout: float | None = 20.0
    idle_timeout: float | None = None
    message_timeout: float | None = 60.0
    write_timeout: float | None = 60.0
    budget: Budget = PROCESS_BUDGET

    def __post_init__(self) -> None:
        if self.max_frame_length < 1 or self.message_limit < 1:
            raise ValueError("a message has at least one byte")
        if not 9 <= self.window_bits <= 15:
            raise ValueError(f"window_bits is 9 to 15, not {self.window_bits!r}")
        if self.close_timeout < 0:
            raise ValueError("a time limit cannot be negative")
        for field in fields(self):
            value = getattr(self, field.name)
            timed = field.name.endswith(("_interval", "_timeout")) and field.name != "close_timeout"
            if timed and value is not None and not value > 0:
                raise ValueError(f"{field.name} is a number of seconds above 0, or None, not {value!r}")

    @property
    def message_limit(self) -> int:
        """Bytes of one message."""
        return self.max_frame_length if self.max_message_length is None else self.max_message_length
