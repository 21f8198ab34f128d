"""The rest of a read or write that a blocking descriptor does whole, and that MSG_DONTWAIT does in parts.

Facts (send(2), recv(2), tcp(7)): on a blocking stream `send` returns when the kernel has taken everything, and with
MSG_WAITALL `recv` returns when the buffer is full. After an error half way, the call returns what it has moved, and the
next call reports the error. On a descriptor with O_NONBLOCK both return what could be moved at once. A timeout means
O_NONBLOCK, in the stdlib as here.
Decision: we ask with MSG_DONTWAIT. Where the user has set no timeout, the rest is waited for here.
"""

import _socket
from collections.abc import Iterable, Sequence
from typing import Any

from greening._core.poller import IN, OUT
from greening._originals import raw_socket
from greening.net.retry import DONTWAIT, STREAM, attempt, timeout_of, type_of

WAITALL = _socket.MSG_WAITALL
_PEEK_OR_DONTWAIT = _socket.MSG_PEEK | DONTWAIT

_recv = raw_socket.recv
_recv_into = raw_socket.recv_into
_send = raw_socket.send


def wants_all(sock: Any, flags: int) -> bool:
    """True if a read with these flags has to fill its buffer."""
    return bool(
        flags & WAITALL
        and not flags & _PEEK_OR_DONTWAIT
        and type_of(sock) == STREAM
        and timeout_of(sock) is None
    )  # fmt: skip


def recv_rest(sock: Any, data: bytes, bufsize: int, flags: int) -> bytes:
    """Complete `data`, the result of a read: with MSG_WAITALL up to `bufsize` bytes, or up to the end or an error."""
    if not flags & WAITALL or not data or len(data) >= bufsize or not wants_all(sock, flags):
        return data
    parts = [data]
    missing = bufsize - len(data)
    while missing:
        try:
            part: bytes = attempt(sock, IN, 0, _recv, missing, DONTWAIT)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def recv_into_rest(sock: Any, buffers: Iterable[Any], got: int, flags: int) -> int:
    """Complete a read that has put `got` bytes in `buffers`: with MSG_WAITALL fill them. Returns the bytes in them."""
    if not got or not wants_all(sock, flags):
        return got
    skip = got
    for buffer in buffers:
        with memoryview(buffer) as view, view.cast("B") as raw:
            if skip < raw.nbytes:
                more = _fill(sock, raw[skip:])
                got += more
                if more < raw.nbytes - skip:
                    break
            skip = max(0, skip - raw.nbytes)
    return got


def _fill(sock: Any, raw: memoryview) -> int:
    got = 0
    with raw:
        while got < raw.nbytes:
            with raw[got:] as rest:
                try:
                    more: int = attempt(sock, IN, 0, _recv_into, rest, 0, DONTWAIT)
                except OSError:
                    break
            if not more:
                break
            got += more
    return got


def send_rest(sock: Any, data: Any, sent: int, flags: int) -> int:
    """Complete a send that has sent `sent` bytes of `data`, if it has to be whole. Returns the bytes sent."""
    if flags & DONTWAIT or type_of(sock) != STREAM or timeout_of(sock) is not None:
        return sent
    with memoryview(data) as view, view.cast("B") as raw:
        while sent < raw.nbytes:
            with raw[sent:] as rest:
                try:
                    sent += attempt(sock, OUT, 0, _send, rest, flags | DONTWAIT)
                except OSError:
                    break
    return sent


def sendmsg_rest(sock: Any, buffers: Sequence[Any], sent: int, flags: int) -> int:
    """`send_rest` for several buffers."""
    if flags & DONTWAIT or type_of(sock) != STREAM or timeout_of(sock) is not None:
        return sent
    if sent >= sum(memoryview(buffer).nbytes for buffer in buffers):
        return sent
    return send_rest(sock, b"".join(buffers), sent, flags)
