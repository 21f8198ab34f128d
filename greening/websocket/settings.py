"""What a connection may cost."""

from dataclasses import dataclass

DEFAULT_MAX_FRAME_LENGTH = 8 << 20


@dataclass(frozen=True)
class Settings:
    """Limits of connections, on either side. What exceeds one ends the connection with code 1009.

    Attributes:
        max_frame_length: octets of one frame, as it is sent.
        max_message_length: octets of one message, inflated, in however many frames; None: as `max_frame_length`.
        compression: permessage-deflate, if the other side wants it, too.
        close_timeout: seconds that the other side has to close when this one has.
    Raises:
        ValueError: a limit below 1, a negative time.
    """

    max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH
    max_message_length: int | None = None
    compression: bool = True
    close_timeout: float = 5.0

    def __post_init__(self) -> None:
        if self.max_frame_length < 1 or self.message_limit < 1:
            raise ValueError("a message has at least one octet")
        if self.close_timeout < 0:
            raise ValueError("a time limit cannot be negative")

    @property
    def message_limit(self) -> int:
        return self.max_frame_length if self.max_message_length is None else self.max_message_length
