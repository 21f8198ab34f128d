"""Cooperative sockets: the methods that patches/socket.py puts on `socket.socket`, and a class of our own that has
them.

Every operation tries the system call first and parks on EAGAIN (see retry) - but not after a short read on TCP, which
has
already said that there is nothing more (see `Registration.drained`). Signatures and errors are those of the C methods.
"""

import gc
import socket as _stdlib
from collections.abc import Callable, Iterator
from typing import Any, cast

from greenlet import getcurrent

from greening._core.current import current
from greening._core.poller import IN, OUT
from greening._core.task import Task
from greening._core.waiting import forget_fd, yield_now
from greening._originals import raw_socket
from greening.net.connect import accept_fd, connect, connect_ex, resolved
from greening.net.retry import (
    BUDGET,
    DONTWAIT,
    IMMEDIATE,
    attempt,
    deadline_of,
    drop_timeout,
    family_of,
    proto_of,
    registration,
    retry,
    set_blocking,
    set_timeout,
    tick,
    timeout_of,
    timeouts,
    type_of,
    wait_socket,
)
from greening.net.sendfile import _sendfile_use_sendfile
from greening.net.whole import WAITALL, recv_into_rest, recv_rest, send_rest, sendmsg_rest

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
_raw_settimeout = raw_socket.settimeout
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
        if not tick() % BUDGET:
            yield_now()
        try:
            data: bytes = _recv(self, bufsize, flags | DONTWAIT)
        except BlockingIOError:
            if flags & IMMEDIATE:
                raise
        else:
            if flags:
                return recv_rest(self, data, bufsize, flags)
            if reg is not None and reg.stream and len(data) < bufsize:
                reg.drained = True
            return data
    elif bufsize < 1:
        return _recv(self, bufsize, DONTWAIT)  # nothing, at once; or the right error
    deadline = None if not timeouts and _raw_gettimeout(self) is None else deadline_of(self)
    while True:
        if reg is None or reg.owner is None or reg.owner() is not self:
            reg = registration(self, hub)
        if not hub.registry.wait(reg, task, IN, deadline):
            raise TimeoutError("timed out")
        try:
            data = _recv(self, bufsize, flags | DONTWAIT)
        except BlockingIOError:
            continue
        if flags:
            return recv_rest(self, data, bufsize, flags)
        if reg.stream and 0 < len(data) < bufsize:
            reg.drained = True
        return data


def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
    try:
        reg = getcurrent()._greening_task.hub.regs.get(_fileno(self))  # type: ignore[attr-defined]  # set by the engine
    except AttributeError:
        reg = None
    if reg is None or not reg.drained or flags:
        if not tick() % BUDGET:
            yield_now()
        try:
            got: int = _recv_into(self, buffer, nbytes, flags | DONTWAIT)
        except BlockingIOError:
            if flags & IMMEDIATE:
                raise
        else:
            if flags:
                return _recv_all_into(self, buffer, nbytes, flags, got)
            if reg is not None and reg.stream and type(buffer) is memoryview and got < (nbytes or len(buffer)):
                reg.drained = True
            return got
    return _recv_into_parked(self, buffer, nbytes, flags)


def _recv_into_parked(sock: Any, buffer: Any, nbytes: int, flags: int) -> int:
    # What `makefile` hands us is a memoryview; of other buffers the length need not be in octets.
    room = (nbytes or len(buffer)) if type(buffer) is memoryview else 0
    if room < 1:
        got = cast(int, attempt(sock, IN, 0, _recv_into, buffer, nbytes, flags | DONTWAIT))
        return _recv_all_into(sock, buffer, nbytes, flags, got) if flags else got
    deadline = deadline_of(sock)
    while True:
        reg = wait_socket(sock, IN, deadline)
        try:
            got = _recv_into(sock, buffer, nbytes, flags | DONTWAIT)
        except BlockingIOError:
            continue
        if flags:
            return _recv_all_into(sock, buffer, nbytes, flags, got)
        if reg.stream and 0 < got < room:
            reg.drained = True
        return got


def _recv_all_into(sock: Any, buffer: Any, nbytes: int, flags: int, got: int) -> int:
    if not flags & WAITALL:
        return got
    with memoryview(buffer) as view, view.cast("B") as octets, octets[: nbytes or octets.nbytes] as wanted:
        return recv_into_rest(sock, (wanted,), got, flags)


def recvfrom(self: Any, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
    data, address = attempt(self, IN, flags, _recvfrom, bufsize, flags | DONTWAIT)
    return recv_rest(self, data, bufsize, flags), address


def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
    got, address = attempt(self, IN, flags, _recvfrom_into, buffer, nbytes, flags | DONTWAIT)
    return _recv_all_into(self, buffer, nbytes, flags, got), address


def recvmsg(self: Any, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> Any:
    data, *rest = attempt(self, IN, flags, _recvmsg, bufsize, ancbufsize, flags | DONTWAIT)
    return (recv_rest(self, data, bufsize, flags), *rest)


def recvmsg_into(self: Any, buffers: Any, ancbufsize: int = 0, flags: int = 0, /) -> Any:
    buffers = _again(buffers)
    got, *rest = attempt(self, IN, flags, _recvmsg_into, buffers, ancbufsize, flags | DONTWAIT)
    return (recv_into_rest(self, buffers, got, flags) if flags & WAITALL else got, *rest)


def _again(buffers: Any) -> Any:
    """An iterable of buffers that a second try finds again."""
    return buffers if isinstance(buffers, list | tuple) else list(buffers)


def send(self: Any, data: Any, flags: int = 0, /) -> int:
    if not tick() % BUDGET:
        yield_now()
    try:
        sent: int = _send(self, data, flags | DONTWAIT)
    except BlockingIOError:
        if flags & IMMEDIATE:
            raise
        sent = retry(self, OUT, _send, data, flags | DONTWAIT)
    if type(data) is bytes and sent == len(data):
        return sent
    return send_rest(self, data, sent, flags)


def sendall(self: Any, data: Any, flags: int = 0, /) -> None:
    if not tick() % BUDGET:
        yield_now()
    try:
        sent: int = _send(self, data, flags | DONTWAIT)
    except BlockingIOError:
        if flags & IMMEDIATE:
            raise
        sent = 0
    if type(data) is bytes and sent == len(data):
        return
    with memoryview(data) as view, view.cast("B") as octets:
        if sent < octets.nbytes:
            _sendall_rest(self, octets, sent, flags)


def _sendall_rest(sock: Any, octets: memoryview, sent: int, flags: int) -> None:
    # One deadline for the whole, as in C (bpo-8372). Slices of a memoryview copy nothing.
    deadline = None if flags & IMMEDIATE else deadline_of(sock)
    size = octets.nbytes
    while sent < size:
        if not flags & IMMEDIATE:
            wait_socket(sock, OUT, deadline)
        try:
            with octets[sent:] as rest:
                sent += _send(sock, rest, flags | DONTWAIT)
        except BlockingIOError:
            if flags & IMMEDIATE:
                raise


def sendto(self: Any, data: Any, *args: Any) -> int:
    """`sendto(data, address)` or `sendto(data, flags, address)`."""
    if len(args) not in (1, 2) or (len(args) == 2 and not isinstance(args[0], int)):
        return _sendto(self, data, *args)  # it knows the right error
    flags = args[0] if len(args) == 2 else 0
    address = resolved(self, args[-1])
    sent = cast(int, attempt(self, OUT, flags, _sendto, data, flags | DONTWAIT, address))
    return sent if type(data) is bytes and sent == len(data) else send_rest(self, data, sent, flags)


def sendmsg(self: Any, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
    buffers = _again(buffers)
    ancdata = _again(ancdata)
    to = () if address is None else (resolved(self, address),)
    sent = cast(int, attempt(self, OUT, flags, _sendmsg, buffers, ancdata, flags | DONTWAIT, *to))
    return sendmsg_rest(self, buffers, sent, flags)


def sendmsg_afalg(self: Any, *args: Any, **kwargs: Any) -> int:
    assert _sendmsg_afalg is not None
    flags = kwargs.get("flags", 0)
    kwargs["flags"] = flags | DONTWAIT
    return cast(int, attempt(self, OUT, flags, lambda sock: _sendmsg_afalg(sock, *args, **kwargs)))


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
    """True: no timeout; False: timeout 0."""
    set_blocking(self, flag)


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


def accept_of(make: Callable[..., Any]) -> Callable[[Any], tuple[Any, Any]]:
    """`accept` that makes its sockets with `make`, as the stdlib's makes `socket.socket`, whatever the listener's
    class.
    """

    def accept(self: Any) -> tuple[Any, Any]:
        """Wait for a connection. Returns (socket, address)."""
        fd, address = accept_fd(self)
        return make(family_of(self), type_of(self), proto_of(self), fileno=fd), address

    return accept


_stdlib_setdefault = _stdlib.setdefaulttimeout
_stdlib_getdefault = _stdlib.getdefaulttimeout
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


def init(self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
    _raw_init(self, family, type, proto, fileno)
    seconds = _raw_gettimeout(self)
    if seconds is None:
        seconds = _default_timeout  # not for SOCK_NONBLOCK, whose timeout is 0
    if seconds is not None:
        set_timeout(self, seconds)  # the C level's default, too: that of a process in which nothing is patched


def take_over() -> None:
    """The stdlib's class becomes cooperative: the timeouts that the C level has are ours from now on."""
    setdefaulttimeout(_stdlib_getdefault())
    for sock in _living_sockets():
        seconds = _raw_gettimeout(sock)
        if seconds:
            set_timeout(sock, seconds)


def give_back() -> None:
    """The stdlib's class is to be the plain one again: the C level gets the timeouts, and the descriptors fit them."""
    global _default_timeout
    _stdlib_setdefault(_default_timeout)
    _default_timeout = None
    for sock in _living_sockets():
        if not isinstance(sock, GreenSocket):
            seconds = timeout_of(sock)
            drop_timeout(_fileno(sock))
            _raw_settimeout(sock, seconds)


def _living_sockets() -> Iterator[Any]:
    for thing in gc.get_objects():
        # The type, not `isinstance`: a proxy's `__class__` is somebody else's code.
        if issubclass(type(thing), raw_socket) and _fileno(thing) >= 0:
            yield thing


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
