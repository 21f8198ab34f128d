"""WebSocket servers: the CPU of a message that is echoed, and the memory of connections on which nothing comes."""

from __future__ import annotations

from benchmarks.environment import Machine
from benchmarks.families.common import Sampler
from benchmarks.families.servers import Exchange
from benchmarks.families.web import open_started, start_web_server
from benchmarks.inside.job import pattern
from benchmarks.peers import Peer
from benchmarks.processes import Child
from benchmarks.rows import Row

SIZE = 64  # bytes of a message
MASK = b"\x9a\xc3\xe5\x87"  # its highest bits are set, so that ASCII that is masked has no zero bytes; see `Exchange`
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def open_websocket(machine: Machine, row: Row, peer: Peer, seconds: float) -> Sampler:
    """A handshake on each connection, then text messages: under load, or one and no more."""

    def start() -> tuple[Child, int, Exchange]:
        server, port, opened = start_web_server(machine, row, peer, "websocket_servers", HANDSHAKE)
        ask, answer = frame(pattern(SIZE), MASK), frame(pattern(SIZE))
        return server, port, Exchange(len(ask), len(answer), ask, answer, HANDSHAKE, opened)

    return open_started(machine, row, start, seconds)


def frame(text: bytes, mask: bytes = b"") -> bytes:
    """Return the frame of a whole text message of less than 126 bytes (RFC 6455 5.2); a client's has a mask."""
    head = bytes((0x81, len(text) | bool(mask) << 7))
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(text)) if mask else head + text
