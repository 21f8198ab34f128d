"""Cooperative sockets: the methods that patches/socket.py puts on `socket.socket`, and a class of our own that has them.

Every operation tries the system call first and parks on EAGAIN (see retry) - but not after a short read on TCP, which has
already said that there is nothing more (see `Registration.drained`). Signatures and errors are those of the C methods.
"""

import os
import socket as _stdlib
from collections.abc import Callable
from typing import Any, cast

from greenlet import getcurrent

from greening._core.current import current
from greening._core.poller import IN, OUT
from greening._core.task import Task
from greening._core.waiting import forget_fd, yield_now
from greening._originals import os_sendfile, raw_socket
from greening.net.connect import accept_fd, connect, connect_ex, resolved
from greening.net.retry import (
    STREAM,
    BUDGET,
    tick,
    deadline_of,
    drop_timeout,
    registration,
    retry,
    set_timeout,
    spend,
    timeout_of,
    timeouts,
    type_of,
    wait_socket,
)

# Plain integers: `|` of the stdlib's enum members is a Python call that makes an object, and costs more than the system call.
_DONTWAIT = int(_stdlib.MSG_DONTWAIT)
# With these flags a call answers at once by itself, or means to.
_IMMEDIATE = _DONTWAIT | int(getattr(_stdlib, "MSG_ERRQUEUE", 0))
_WAITALL = int(_stdlib.MSG_WAITALL)

_PEEK_OR_DONTWAIT = int(_stdlib.MSG_PEEK) | _DONTWAIT

_fileno = raw_socket.fileno
_recv = raw_socket.recv
_recv_into = raw_socket.recv_into
_recvfrom = raw_socket.recvfrom
_recvfrom_into = raw_socket.recvfrom_into
_recvmsg = raw_socket.recvmsg
_recvmsg_into = raw_socket.recvmsg_into
_send = raw_socket.send
_sendto = raw_socket.sendto
_sendmsg = raw_socket.sendmsg
_sendmsg_afalg = getattr(raw_socket, "sendmsg_afalg", None)
_raw_close = raw_socket.close
_raw_detach = raw_socket.detach
_raw_gettimeout = raw_socket.gettimeout
_raw_setblocking = raw_socket.setblocking
_raw_bind = raw_socket.bind
_raw_init = _stdlib.socket.__init__


def recv(self: Any, bufsize: int, flags: int = 0, /) -> bytes:
    # The one method that every server spends its time in: what `retry` does is written out here.
    try:
        task: Task = getcurrent()._greening_task  # type: ignore[attr-defined]  # set by the engine
    except AttributeError:
        task = current()
    hub = task.hub
    reg = hub.regs.get(_fileno(self))
    if reg is None or not reg.drained or flags:
        try:
            data: bytes = _recv(self, bufsize, flags | _DONTWAIT)
        except BlockingIOError:
            if flags & _IMMEDIATE:
                raise
        else:
            if flags:
                return _recv_rest(self, data, bufsize, flags)
            if reg is not None and reg.stream and len(data) < bufsize:
                reg.drained = True
            elif not tick() % BUDGET:
                yield_now()
            return data
    deadline = None if not timeouts and _raw_gettimeout(self) is None else deadline_of(self)
    while True:
        if reg is None or reg.owner is None or reg.owner() is not self:
            reg = registration(self, hub)
        if not hub.registry.wait(reg, task, IN, deadline):
            raise TimeoutError("timed out")
        try:
            data = _recv(self, bufsize, flags | _DONTWAIT)
        except BlockingIOError:
            continue
        if flags:
            return _recv_rest(self, data, bufsize, flags)
        if reg.stream and 0 < len(data) < bufsize:
            reg.drained = True
        return data


def _recv_rest(sock: Any, data: bytes, bufsize: int, flags: int) -> bytes:
    """MSG_WAITALL, on streams: with MSG_DONTWAIT the kernel does not wait for all, so we do."""
    if not flags & _WAITALL or not data or len(data) >= bufsize:
        return data
    if type_of(sock) != STREAM or flags & _PEEK_OR_DONTWAIT:
        return data
    parts = [data]
    missing = bufsize - len(data)
    while missing:
        part = recv(sock, missing)
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
    fd = _fileno(self)
    try:
        reg = getcurrent()._greening_task.hub.regs.get(fd)  # type: ignore[attr-defined]  # set by the engine
    except AttributeError:
        reg = None
    if reg is None or not reg.drained or flags:
        try:
            got: int = _recv_into(self, buffer, nbytes, flags | _DONTWAIT)
        except BlockingIOError:
            if flags & _IMMEDIATE:
                raise
        else:
            return _recv_all_into(self, buffer, nbytes, flags, got) if flags & _WAITALL else got
    got = retry(self, IN, _recv_into, buffer, nbytes, flags | _DONTWAIT)
    return _recv_all_into(self, buffer, nbytes, flags, got) if flags & _WAITALL else got


def _recv_all_into(sock: Any, buffer: Any, nbytes: int, flags: int, got: int) -> int:
    with memoryview(buffer) as view, view.cast("B") as octets:
        wanted = nbytes or octets.nbytes
        if got and type_of(sock) == STREAM and not flags & _PEEK_OR_DONTWAIT:
            while got < wanted:
                more = recv_into(sock, octets[got:wanted])
                if not more:
                    break
                got += more
    return got


def recvfrom(self: Any, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
    return _attempt(self, IN, flags, _recvfrom, bufsize, flags | _DONTWAIT)  # type: ignore[no-any-return]  # the C method's


def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
    return _attempt(self, IN, flags, _recvfrom_into, buffer, nbytes, flags | _DONTWAIT)  # type: ignore[no-any-return]  # likewise


def recvmsg(self: Any, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> Any:
    return _attempt(self, IN, flags, _recvmsg, bufsize, ancbufsize, flags | _DONTWAIT)


def recvmsg_into(self: Any, buffers: Any, ancbufsize: int = 0, flags: int = 0, /) -> Any:
    return _attempt(self, IN, flags, _recvmsg_into, buffers, ancbufsize, flags | _DONTWAIT)


def _attempt(sock: Any, mask: int, user_flags: int, call: Callable[..., Any], *args: Any) -> Any:
    try:
        result = call(sock, *args)
    except BlockingIOError:
        if user_flags & _IMMEDIATE:
            raise
    else:
        spend()
        return result
    return retry(sock, mask, call, *args)


def send(self: Any, data: Any, flags: int = 0, /) -> int:
    try:
        sent: int = _send(self, data, flags | _DONTWAIT)
    except BlockingIOError:
        if flags & _IMMEDIATE:
            raise
    else:
        if not tick() % BUDGET:
            yield_now()
        return sent
    return cast(int, retry(self, OUT, _send, data, flags | _DONTWAIT))


def sendall(self: Any, data: Any, flags: int = 0, /) -> None:
    try:
        sent: int = _send(self, data, flags | _DONTWAIT)
    except BlockingIOError:
        sent = 0
    if type(data) is bytes and sent == len(data):
        if not tick() % BUDGET:
            yield_now()
        return
    with memoryview(data) as view, view.cast("B") as octets:
        if sent < octets.nbytes:
            _send_rest(self, octets, sent, flags | _DONTWAIT)


def _send_rest(sock: Any, octets: memoryview, sent: int, flags: int) -> None:
    # One deadline for the whole, as in C (bpo-8372). Slices of a memoryview copy nothing.
    deadline = deadline_of(sock)
    size = octets.nbytes
    while sent < size:
        wait_socket(sock, OUT, deadline)
        try:
            with octets[sent:] as rest:
                sent += _send(sock, rest, flags)
        except BlockingIOError:
            continue


def sendto(self: Any, data: Any, *args: Any) -> int:
    """`sendto(data, address)` or `sendto(data, flags, address)`."""
    if len(args) not in (1, 2) or (len(args) == 2 and not isinstance(args[0], int)):
        return _sendto(self, data, *args)  # it knows the right error
    flags = args[0] if len(args) == 2 else 0
    address = resolved(self, args[-1])
    return cast(int, _attempt(self, OUT, flags, _sendto, data, flags | _DONTWAIT, address))


def sendmsg(self: Any, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
    if not isinstance(buffers, (list, tuple)):
        buffers = list(buffers)  # a retry must find them again
    if address is None:
        return cast(int, _attempt(self, OUT, flags, _sendmsg, buffers, ancdata, flags | _DONTWAIT))
    address = resolved(self, address)
    return cast(int, _attempt(self, OUT, flags, _sendmsg, buffers, ancdata, flags | _DONTWAIT, address))


def sendmsg_afalg(self: Any, *args: Any, **kwargs: Any) -> int:
    assert _sendmsg_afalg is not None
    flags = kwargs.get("flags", 0)
    kwargs["flags"] = flags | _DONTWAIT
    return cast(int, _attempt(self, OUT, flags, lambda sock: _sendmsg_afalg(sock, *args, **kwargs)))


def bind(self: Any, address: Any, /) -> None:
    _raw_bind(self, resolved(self, address))


def gettimeout(self: Any) -> float | None:
    """Seconds; None: blocking; 0.0: non-blocking."""
    return timeout_of(self)


def settimeout(self: Any, value: float | None, /) -> None:
    """Seconds; None: blocking; 0: non-blocking."""
    set_timeout(self, value)


def getblocking(self: Any) -> bool:
    """False when the timeout is 0."""
    return timeout_of(self) != 0


def setblocking(self: Any, flag: Any, /) -> None:
    _raw_setblocking(self, flag)
    drop_timeout(_fileno(self))


def detach(self: Any) -> int:
    fd = _fileno(self)
    if fd >= 0:
        forget_fd(fd)
        drop_timeout(fd)
    self._closed = True
    return _raw_detach(self)


def _real_close(self: Any, _ss: Any = raw_socket) -> None:
    fd = _fileno(self)
    if fd >= 0:
        # Waiters get EBADF, now: the number may be another file's before they run.
        forget_fd(fd)
        drop_timeout(fd)
    _ss.close(self)


def _sendfile_use_sendfile(self: Any, file: Any, offset: int = 0, count: int | None = None) -> int:
    self._check_sendfile_params(file, offset, count)
    sock_fd = _fileno(self)
    give_up = _stdlib._GiveupOnSendfile  # type: ignore[attr-defined]  # what makes socket.sendfile fall back to send
    try:
        file_fd = file.fileno()
        size = os.fstat(file_fd).st_size
    except (AttributeError, OSError) as error:
        raise give_up(error) from None
    if not size:
        return 0
    timeout = timeout_of(self)
    if timeout == 0:
        raise ValueError("non-blocking sockets are not supported")
    blocksize = min(count or size, 2**30)
    if timeout is None:
        os.set_blocking(sock_fd, False)
    try:
        return _sendfile_loop(self, sock_fd, file_fd, (offset, count, blocksize), give_up)
    finally:
        if timeout is None and _fileno(self) == sock_fd:
            os.set_blocking(sock_fd, True)


def _sendfile_loop(sock: Any, sock_fd: int, file_fd: int, span: tuple[int, int | None, int], give_up: Any) -> int:
    start, count, blocksize = span
    total = 0
    while True:
        if count is not None:
            blocksize = min(count - total, blocksize)
            if blocksize <= 0:
                return total
        try:
            sent = os_sendfile(sock_fd, file_fd, start + total, blocksize)
        except BlockingIOError:
            wait_socket(sock, OUT, deadline_of(sock))
            continue
        except OSError as error:
            if total == 0:
                # Nothing was sent: plain reads and sends may still do (a file that sendfile(2) does not take).
                raise give_up(error) from None
            raise error from None
        if sent == 0:
            return total
        total += sent
        spend()


def accept_of(make: Callable[..., Any]) -> Callable[[Any], tuple[Any, Any]]:
    """`accept` that makes its sockets with `make`, as the stdlib's makes `socket.socket`, whatever the listener's class."""

    def accept(self: Any) -> tuple[Any, Any]:
        """Wait for a connection. Returns (socket, address)."""
        fd, address = accept_fd(self)
        return make(self.family, self.type, self.proto, fileno=fd), address

    return accept


_default_timeout: float | None = None


def setdefaulttimeout(timeout: float | None, /) -> None:
    """Seconds that new sockets get as their timeout; None: they are blocking. Errors as the stdlib's."""
    global _default_timeout
    _stdlib_setdefault(timeout)
    _default_timeout = _stdlib_getdefault()
    # The C level must not know: it would wait by itself.
    _stdlib_setdefault(None)


def getdefaulttimeout() -> float | None:
    """Seconds that new sockets get as their timeout, or None."""
    return _default_timeout


def raw_timeout(sock: Any) -> float | None:
    """The timeout that the C level knows."""
    return raw_socket.gettimeout(sock)


_stdlib_setdefault = _stdlib.setdefaulttimeout
_stdlib_getdefault = _stdlib.getdefaulttimeout


def init(self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:  # noqa: A002  # the stdlib's names
    _raw_init(self, family, type, proto, fileno)
    if _default_timeout is not None:
        set_timeout(self, _default_timeout)


def methods(make: Callable[..., Any]) -> dict[str, Any]:
    """What makes a `socket.socket` class cooperative. `make`: the class of accepted sockets."""
    found: dict[str, Any] = {
        "__init__": init,
        "_real_close": _real_close,
        "_sendfile_use_sendfile": _sendfile_use_sendfile,
        "accept": accept_of(make),
        "bind": bind,
        "connect": connect,
        "connect_ex": connect_ex,
        "detach": detach,
        "getblocking": getblocking,
        "gettimeout": gettimeout,
        "recv": recv,
        "recv_into": recv_into,
        "recvfrom": recvfrom,
        "recvfrom_into": recvfrom_into,
        "recvmsg": recvmsg,
        "recvmsg_into": recvmsg_into,
        "send": send,
        "sendall": sendall,
        "sendmsg": sendmsg,
        "sendto": sendto,
        "setblocking": setblocking,
        "settimeout": settimeout,
        "timeout": property(timeout_of, doc="the timeout of the socket, in seconds, or None"),
    }
    if _sendmsg_afalg is not None:
        found["sendmsg_afalg"] = sendmsg_afalg
    return found


class GreenSocket(_stdlib.socket):
    """A `socket.socket` that is cooperative whether or not the stdlib's class has been patched."""


for _name, _method in methods(GreenSocket).items():
    setattr(GreenSocket, _name, _method)
