"""What the attacks are, and what is promised of an honest client and of memory under each."""

from __future__ import annotations

from dataclasses import dataclass

GREENING, WORKER = "greening.wsgi", "gunicorn worker"

# More than the places that the servers have by default (1,024, and 1,000 of gunicorn's worker).
MANY = 1100


@dataclass(frozen=True)
class Attack:
    """One kind of hostile clients.

    Attributes:
        name: its key in `attackers.BY_NAME`.
        count: clients. what: what they do.
        wait: seconds, the median that an honest client, a new one each time, may have to wait for its answer.
        longest: seconds, for each of these clients.
        memory: megabytes that the server may grow by.
        servers: those that it is for. tls: it needs a server with TLS.
    """

    name: str
    count: int
    what: str
    wait: float = 0.1
    longest: float = 1.0
    memory: int = 100
    servers: tuple[str, ...] = (GREENING, WORKER)
    tls: bool = False


ATTACKS = (
    Attack("idle", MANY, "had an answer, and keep the connection"),
    Attack("silent", MANY, "say nothing"),
    Attack("half heads", MANY, "stop in the middle of a head"),
    Attack("slow bodies", MANY, "stop in the middle of a body"),
    Attack("silent TLS", MANY, "connect to a TLS port, and say nothing", tls=True),
    Attack("half hello", MANY, "stop in the middle of a ClientHello", tls=True),
    Attack("idle websockets", MANY, "open a WebSocket, and say nothing"),
    Attack("non readers", 100, "ask for 20 MB, and read nothing"),
    Attack("websocket non readers", 100, "are sent messages without end, and read nothing"),
    Attack("tiny chunks", 5, "upload without end, in chunks of one byte", servers=(GREENING,)),
    Attack("inflating messages", 1, "send 8 KB without end that inflate to 8 MiB"),
    Attack("unfinished messages", 50, "send 8 KB that inflate to 8 MiB, and do not finish the message"),
)
