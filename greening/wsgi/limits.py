"""What a client may cost: bytes and seconds. One object for a server; every number can be changed."""

from dataclasses import dataclass, fields
from types import NoneType


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what one connection may take. Sizes in bytes, times in seconds; None as a time: no limit.

    Attributes:
        head_timeout: for a request's head as a whole, from its first byte; for the first one, from the accept.
        idle_timeout: for the first byte of the next request on a kept connection.
        body_timeout: what the server waits for a request's body in all, not counting the application's own time.
        body_rate: bytes; each time so many have come, the body gets a second more.
        write_timeout: for the client to take anything of a response (64 KiB of it, at most, count as one thing).
        linger_timeout: how long a connection that is closed in the middle of a request goes on throwing away what
            comes, so that the client gets to read the answer.
        target: a request's target; longer is 414. head: all of a request's head; longer is 431.
        fields: field lines of a head; more is 431.
        chunk_line: a chunk's size with its extensions. trailers: a body's trailer section.
        drain: what is read of a body that the application did not want, to keep the connection.
    Raises:
        ValueError: a number below what the protocol needs. TypeError: it is no number.
    """

    head_timeout: float | None = 10
    idle_timeout: float | None = 60
    body_timeout: float | None = 30
    body_rate: int = 500
    write_timeout: float | None = 60
    linger_timeout: float = 2
    target: int = 8192
    head: int = 65536
    fields: int = 100
    chunk_line: int = 4096
    trailers: int = 16384
    drain: int = 65536

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, (int, float, NoneType)):
                raise TypeError(f"{field.name} is a number or None, not {value!r}")
            if value is not None and not value >= (0 if field.name in ("linger_timeout", "drain") else 1e-3):
                raise ValueError(f"{field.name} cannot be {value!r}")
