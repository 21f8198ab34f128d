"""Cooperative TLS: the methods that patches/ssl.py puts on `ssl.SSLSocket`, and a class of our own that has them.

The stdlib's methods stay and do the work: on a descriptor that never blocks, OpenSSL says "want read" or "want write";
we park until the descriptor is ready and call again. Contexts, verification and MemoryBIO users are not touched.

Fact (SSL_write(3), "bad write retry"): a write that wants to be repeated must be repeated before any other write.
Decision: while one green thread repeats its write, others queue up behind a lock that exists only then.
"""

import errno
import os
import ssl
from collections.abc import Callable
from typing import Any

from greening._core.poller import IN, OUT
from greening._originals import raw_socket
from greening.net.retry import deadline_of, set_tls_timeout, spend, timeout_of, wait_socket
from greening.net.socket import GreenSocket
from greening.sync.lock import Lock

_fileno = raw_socket.fileno
_raw_gettimeout = raw_socket.gettimeout

_read = ssl.SSLSocket.read
_write = ssl.SSLSocket.write
_send = ssl.SSLSocket.send
_unwrap = ssl.SSLSocket.unwrap


def _repeat(sock: Any, what: str, call: Callable[..., Any], *args: Any) -> Any:
    """Call until OpenSSL wants nothing any more; parked in between. One deadline for the whole.

    Args:
        what: the operation, for the message of a timeout; "": that of what OpenSSL was waiting for.
    Raises:
        TimeoutError: as the stdlib's, with the name of the operation. SSLWantReadError, SSLWantWriteError: the socket
            is non-blocking for its user.
    """
    if _raw_gettimeout(sock) != 0:
        set_tls_timeout(sock, timeout_of(sock))  # a socket that is older than the patch
    deadline: float | None = None
    asked = False
    while True:
        try:
            return call(sock, *args)
        except ssl.SSLWantReadError:
            mask = IN
            if timeout_of(sock) == 0:
                raise
        except ssl.SSLWantWriteError:
            mask = OUT
            if timeout_of(sock) == 0:
                raise
        if not asked:
            deadline = deadline_of(sock)
            asked = True
        try:
            wait_socket(sock, mask, deadline)
        except TimeoutError:
            what = what or ("read" if mask == IN else "write")
            raise TimeoutError(f"The {what} operation timed out") from None
        if _fileno(sock) < 0:
            # Closed after the event that woke us: what OpenSSL's object, which is gone, had to say does not matter.
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def read(self: Any, len: int = 1024, buffer: Any = None) -> Any:  # the stdlib's name
    spend()
    return _repeat(self, "read", _read, len, buffer)


def write(self: Any, data: Any) -> int:
    return _in_turn(self, _write, data)


def send(self: Any, data: Any, flags: int = 0) -> int:
    if self._sslobj is None:
        return _send(self, data, flags)
    return _in_turn(self, _send, data, flags)


def _in_turn(sock: Any, call: Callable[..., int], *args: Any) -> int:
    spend()
    lock: Lock | None = sock.__dict__.get("_greening_write_lock")
    if lock is None:
        if _raw_gettimeout(sock) == 0:
            try:
                return call(sock, *args)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if timeout_of(sock) == 0:
                    raise
        lock = sock.__dict__["_greening_write_lock"] = Lock()
    timeout = timeout_of(sock)
    if not lock.acquire(timeout != 0, timeout or -1):
        if timeout:
            raise TimeoutError("The write operation timed out")
        raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "another write is under way")
    try:
        return _repeat(sock, "write", call, *args)  # type: ignore[no-any-return]  # octets written
    finally:
        lock.release()
        if not lock.locked():
            sock.__dict__.pop("_greening_write_lock", None)


def do_handshake(self: Any, block: bool = False) -> None:
    timeout = timeout_of(self)
    try:
        if timeout == 0 and block:
            self.settimeout(None)
        _repeat(self, "handshake", _handshake_once)
    finally:
        if timeout == 0 and block:
            self.settimeout(timeout)


def _handshake_once(sock: Any) -> None:
    sock._check_connected()
    sock._sslobj.do_handshake()


def unwrap(self: Any) -> Any:
    return _repeat(self, "", _unwrap)


def settimeout(self: Any, value: float | None, /) -> None:
    """Seconds; None: blocking; 0: non-blocking."""
    set_tls_timeout(self, value)


def setblocking(self: Any, flag: Any, /) -> None:
    set_tls_timeout(self, None if flag else 0.0)


METHODS: dict[str, Any] = {
    "do_handshake": do_handshake,
    "read": read,
    "send": send,
    "setblocking": setblocking,
    "settimeout": settimeout,
    "unwrap": unwrap,
    "write": write,
}


class GreenSSLSocket(ssl.SSLSocket, GreenSocket):
    """An `ssl.SSLSocket` that is cooperative whether or not the stdlib's class has been patched.

    Give it to a context as `sslsocket_class`.
    """


for _name, _method in METHODS.items():
    setattr(GreenSSLSocket, _name, _method)
