"""Cooperative TLS: the methods that patches/ssl.py puts on `ssl.SSLSocket`, and a class that has them.

The stdlib's methods stay and do the work. On a descriptor that never blocks, OpenSSL says "want read" or "want write".
We park until the descriptor is ready, and call again. Contexts, verification and users of MemoryBIO are not touched.

Fact (SSL_write(3), "bad write retry"): a write that OpenSSL asks to repeat must be repeated before any other write.
Decision: while one green thread repeats its write, others queue up behind a lock that exists only then.

Fact (BIO_should_retry(3)): OpenSSL says the same "want" where a signal interrupted the system call, and does not tell
which it was. The event of the data may have come before, and would not come again.
Decision: the data is looked for again a moment after a read has parked (see schedule_recheck). For a write, which
seldom parks, and for a read of a socket that is not trusted (any more), the descriptor is armed again. It then reports
what is there now.

Fact: an SSL_read that finds nothing costs a system call and, here, an exception with a formatted message.
Decision: a read whose predecessor had to wait looks into the socket first, where the accelerator makes that cheap.
"""

import errno
import ssl
from collections.abc import Callable
from typing import Any

from greening._compiled import accelerator
from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.poller import IN, OUT
from greening._core.recheck import schedule_recheck
from greening._originals import raw_socket, strerror
from greening.net.retry import deadline_of, set_tls_timeout, timeout_of, wait_socket
from greening.net.socket import GreenSocket
from greening.sync.lock import Lock

_fileno = raw_socket.fileno
_raw_gettimeout = raw_socket.gettimeout

_read = ssl.SSLSocket.read
_write = ssl.SSLSocket.write
_send = ssl.SSLSocket.send
_sendall = ssl.SSLSocket.sendall
_unwrap = ssl.SSLSocket.unwrap

# Parks until there is something to read. 1: there was at once; 2: now there is; 0: it cannot tell, so call OpenSSL.
_await_data: Callable[[Any], int] | None = None if accelerator is None else accelerator.await_data
# What an SSL object says when it has to wait, and the event to wait for.
_WANTS = {ssl.SSL_ERROR_WANT_READ: IN, ssl.SSL_ERROR_WANT_WRITE: OUT}


def _repeat(sock: Any, what: str, call: Callable[..., Any], *args: Any, wants: int = 0) -> Any:
    """Park and call until OpenSSL wants nothing any more. One deadline for the whole.

    Args:
        what: the operation, for the message of a timeout; "": "read" or "write", by what OpenSSL wants.
        wants: the event that OpenSSL wants already (IN, OUT).
    Raises:
        TimeoutError: as the stdlib's, with the name of the operation.
        SSLWantReadError, SSLWantWriteError: the socket is non-blocking for its user.
    """
    if _raw_gettimeout(sock) != 0:
        set_tls_timeout(sock, timeout_of(sock))  # a socket that is older than the patch
    deadline = deadline_of(sock) if wants else None
    asked = bool(wants)
    while True:
        if wants:
            _wait(sock, wants, deadline, what)
        try:
            return call(sock, *args)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            if timeout_of(sock) == 0:
                raise
            wants = _WANTS[error.args[0]]
        if not asked:
            deadline = deadline_of(sock)
            asked = True


def _wait(sock: Any, mask: int, deadline: float | None, what: str) -> None:
    _check_open(sock)
    hub = current().hub
    reg = hub.regs.get(_fileno(sock))  # None: it is armed now for the first time
    if reg is not None and reg.edge:
        if mask == IN and reg.stream:
            reg.drained = True
            schedule_recheck(hub, reg)
        else:
            hub.poller.arm_edge(reg.fd)
    try:
        wait_socket(sock, mask, deadline)
    except TimeoutError:
        raise _timed_out(what or ("read" if mask == IN else "write")) from None
    finally:
        if reg is not None:
            reg.drained = False  # a `recv` after `unwrap` would believe it
    _check_open(sock)


def _timed_out(what: str) -> TimeoutError:
    return TimeoutError(f"The {what} operation timed out")


def _check_open(sock: Any) -> None:
    """Raise OSError (EBADF) for a socket that was closed meanwhile: OpenSSL's object is gone."""
    if _fileno(sock) < 0:
        raise OSError(errno.EBADF, strerror(errno.EBADF))


# The docstrings leave out what these methods have in common. TimeoutError: the socket's timeout has passed;
# SSLWantReadError, SSLWantWriteError: it is 0; SSLError, OSError: as the stdlib's. One green thread may read while
# another writes. Several that write take turns.


def read(self: Any, len: int = 1024, buffer: Any = None) -> Any:  # the stdlib's name
    """Read up to `len` decrypted bytes; park until something has come. (`recv` and `recv_into` call this.)

    Args:
        buffer: a writable buffer to fill, or None.
    Returns:
        The bytes; with a buffer their number. Nothing, or 0, at the end.
    """
    fairness_tick()
    wants = 0
    if _raw_gettimeout(self) == 0:
        members = self.__dict__
        if members.get("_greening_waits") and self._sslobj is not None and not self._sslobj.pending():
            _look(self, members)
        # What `_read` does, without the call.
        engine = self._sslobj
        if engine is not None:
            try:
                return engine.read(len) if buffer is None else engine.read(len, buffer)
            except ssl.SSLWantReadError:
                if timeout_of(self) == 0:
                    raise
                members["_greening_waits"] = _await_data is not None
                wants = IN
            except ssl.SSLError as error:
                if error.args[0] == ssl.SSL_ERROR_EOF and self.suppress_ragged_eofs:
                    return b"" if buffer is None else 0
                if error.args[0] != ssl.SSL_ERROR_WANT_WRITE or timeout_of(self) == 0:
                    raise
                wants = OUT
    return _repeat(self, "read", _read, len, buffer, wants=wants)


def _look(sock: Any, members: dict[str, Any]) -> None:
    assert _await_data is not None
    try:
        members["_greening_waits"] = _await_data(sock) != 1
    except TimeoutError:
        raise _timed_out("read") from None
    _check_open(sock)


def write(self: Any, data: Any) -> int:
    """Encrypt and send `data`; park until the system has taken it. Returns the number of bytes of `data`."""
    fairness_tick()
    return _write_now(self, _write, data)


def send(self: Any, data: Any, flags: int = 0) -> int:
    """Encrypt and send `data`; park until the system has taken it.

    Args:
        flags: must be 0.
    Returns:
        The number of bytes of `data` that were sent.
    """
    fairness_tick()
    engine = self._sslobj
    if engine is None:
        return _send(self, data, flags)
    if flags or _raw_gettimeout(self) != 0 or "_greening_write_lock" in self.__dict__:
        return _write_now(self, _send, data, flags)
    try:
        return engine.write(data)  # type: ignore[no-any-return]  # bytes written
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
        if timeout_of(self) == 0:
            raise
        return _in_turn(self, _WANTS[error.args[0]], _send, data)


def sendall(self: Any, data: Any, flags: int = 0) -> None:
    """Encrypt and send all of `data`; park until the system has taken it. `flags` must be 0."""
    if type(data) is not bytes or not data or flags or self._sslobj is None:
        _sendall(self, data, flags)
        return
    sent = self.send(data)
    if sent < len(data):
        with memoryview(data) as raw, raw[sent:] as rest:
            _sendall(self, rest)


def _write_now(sock: Any, call: Callable[..., int], *args: Any) -> int:
    """Write. A lock is made only if the write has to be repeated, or while others repeat theirs."""
    wants = 0
    if _raw_gettimeout(sock) == 0 and "_greening_write_lock" not in sock.__dict__:
        try:
            return call(sock, *args)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            if timeout_of(sock) == 0:
                raise
            wants = _WANTS[error.args[0]]
    return _in_turn(sock, wants, call, *args)


def _in_turn(sock: Any, wants: int, call: Callable[..., int], *args: Any) -> int:
    lock: Lock | None = sock.__dict__.get("_greening_write_lock")
    if lock is None:
        lock = sock.__dict__["_greening_write_lock"] = Lock()
    timeout = timeout_of(sock)
    if not lock.acquire(timeout != 0, timeout or -1):
        if timeout:
            raise _timed_out("write")
        raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "another write is under way")
    try:
        return _repeat(sock, "write", call, *args, wants=wants)  # type: ignore[no-any-return]  # bytes written
    finally:
        lock.release()
        if not lock.locked():
            sock.__dict__.pop("_greening_write_lock", None)


def do_handshake(self: Any, block: bool = False) -> None:
    """Shake hands; park until that is done. The timeout of the socket counts for the whole handshake.

    Args:
        block: True: wait although the timeout is 0.
    """
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
    """End TLS in both directions; park until the peer has answered. Returns the socket for plain use."""
    return _repeat(self, "", _unwrap)


def settimeout(self: Any, value: float | None, /) -> None:
    """Set the timeout of every later operation, in seconds. None: no limit; 0: an operation never waits."""
    set_tls_timeout(self, value)


def setblocking(self: Any, flag: Any, /) -> None:
    """Set the timeout to None (True: operations wait) or 0 (False: operations never wait)."""
    set_tls_timeout(self, None if flag else 0.0)


METHODS: dict[str, Any] = {
    "do_handshake": do_handshake,
    "read": read,
    "send": send,
    "sendall": sendall,
    "setblocking": setblocking,
    "settimeout": settimeout,
    "unwrap": unwrap,
    "write": write,
}


class GreenSSLSocket(ssl.SSLSocket, GreenSocket):
    """An `ssl.SSLSocket` that is cooperative whether or not the stdlib's class has been patched.

    Assign it to the `sslsocket_class` of a context; `SSLContext.wrap_socket` then makes sockets of this class.

    Differences from the stdlib: several green threads may write at once, and each write stays whole. `close` ends the
    operations of other green threads with OSError (EBADF).
    """


for _name, _method in METHODS.items():
    setattr(GreenSSLSocket, _name, _method)


def wrapped(context: ssl.SSLContext, sock: Any, **how: Any) -> Any:
    """Wrap `sock` for TLS, cooperatively also where the stdlib's class is not patched. The handshake is still to come.

    Args:
        how: arguments of `context.wrap_socket`.
    Raises:
        OSError: the connection is gone; it is closed.
    """
    before = context.sslsocket_class
    if isinstance(sock, GreenSocket) and before is ssl.SSLSocket:
        context.sslsocket_class = GreenSSLSocket
    try:
        return context.wrap_socket(sock, do_handshake_on_connect=False, **how)
    finally:
        context.sslsocket_class = before


def shake_hands(context: ssl.SSLContext, sock: Any, **how: Any) -> Any:
    """`wrapped`, and the handshake.

    Returns:
        The TLS socket.
    Raises:
        OSError: the handshake failed (ssl.SSLError, TimeoutError); the connection is closed.
    """
    secured = wrapped(context, sock, **how)
    try:
        secured.do_handshake()
    except BaseException:
        secured.close()
        raise
    return secured
