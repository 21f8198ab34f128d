"""Handshakes and frames, byte by byte."""

import os
import struct
import zlib
from typing import Any

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455's example, and what belongs to it
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
BIG = bytes(12 << 20)  # more than buffers take

FIN, RSV1, RSV2, RSV3 = 128, 64, 32, 16


def echo(ws: Any) -> None:
    for message in ws:
        ws.send(message)


def frame(
    first: int, payload: bytes = b"", mask: bytes | None = b"\x01\x02\x03\x04", length: int | None = None
) -> bytes:
    """Bytes of a frame. first: its first byte. length: the one that it claims."""
    size = len(payload) if length is None else length
    bit = 0 if mask is None else 128
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if mask is None:
        return head + payload
    if not any(mask):
        return head + mask + payload
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def code_of(payload: bytes) -> int:
    """What a close frame says."""
    return struct.unpack("!H", payload[:2])[0]  # type: ignore[no-any-return]


def deflated(data: bytes, level: int = 9) -> bytes:
    """A message of its own, as it is sent."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(FIN | CLOSE, struct.pack("!H", code) + reason)


def handshake(*lines: str, drop: str = "", path: str = "/") -> bytes:
    """A request. lines: further fields, in place of those of the same name. drop: the name of a field to leave out."""
    fields = {
        "Host": "Host: a",
        "Connection": "Connection: Upgrade",
        "Upgrade": "Upgrade: websocket",
        "Sec-WebSocket-Version": "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key": f"Sec-WebSocket-Key: {KEY}",
    }
    fields |= {line.partition(":")[0]: line for line in lines}
    fields.pop(drop, None)
    return "\r\n".join([f"GET {path} HTTP/1.1", *fields.values(), "", ""]).encode("latin-1")


def resident() -> int:
    """Bytes of memory that this process has now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
