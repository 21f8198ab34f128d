"""Cooperative sockets: the methods that patches/socket.py puts on `socket.socket`, and a class that has them.

Every operation tries the system call first and parks on EAGAIN (see retry). Signatures and errors are those of the C
methods. The methods in which every server spends its time are in stream.
"""

import gc
import os
import socket as _stdlib
from collections.abc import Callable, Iterator
from fcntl import F_DUPFD_CLOEXEC, fcntl
from functools import update_wrapper
from types import FunctionType
from typing import Any, cast

from greening._core.poller import IN, OUT
from greening._core.waiting import forget_fd
from greening._originals import os_close, raw_socket
from greening.fdio.buffers import io_with_turns
from greening.net.complete_io import WAITALL, recv_into_rest, recv_rest, send_rest, sendmsg_rest
from greening.net.connect import accept_fd, connect, connect_ex, resolved
from greening.net.exchange import another_object, forget_mark, marks
from greening.net.retry import (
    DONTWAIT,
    attempt,
    drop_timeout,
    family_of,
    proto_of,
    set_blocking,
    set_timeout,
    timeout_of,
    type_of,
)
from greening.net.sendfile import _sendfile_use_sendfile
from greening.net.stream import compiled_methods, recv, recv_all_into, recv_into, send, sendall

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
_raw_detach = raw_socket.detach
_raw_gettimeout = raw_socket.gettimeout
_raw_settimeout = raw_socket.settimeout
_raw_bind = raw_socket.bind
_raw_init = _stdlib.socket.__init__


# The docstrings of these methods leave out what all have in common. Raises OSError as the stdlib's; TimeoutError: the
# socket's timeout has passed; BlockingIOError: it is 0. Several green threads, of any OS thread, may use one socket.


def recvfrom(self: Any, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
    """Receive up to `bufsize` bytes and the address of the sender; park until something has come.

    Args:
        flags: of recv(2), MSG_PEEK and the like.
    Returns:
        (bytes, address). Errors as those of `recv`.
    """
    data, address = attempt(self, IN, flags, _recvfrom, bufsize, flags | DONTWAIT)
    return recv_rest(self, data, bufsize, flags), address


def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
    """As `recvfrom`, into a writable buffer.

    Args:
        nbytes: at most so many bytes; 0: as many as there is room for.
        flags: of recv(2).
    Returns:
        (number of bytes, address).
    """
    got, address = attempt(self, IN, flags, _recvfrom_into, buffer, nbytes, flags | DONTWAIT)
    return recv_all_into(self, buffer, nbytes, flags, got), address


def recvmsg(self: Any, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> Any:
    """Receive up to `bufsize` bytes and ancillary data; park until something has come.

    Args:
        ancbufsize: bytes of room for ancillary data; see `socket.CMSG_SPACE`.
        flags: of recvmsg(2).
    Returns:
        (bytes, [(level, type, ancillary bytes), ...], flags of the message, address).
    """
    data, *rest = attempt(self, IN, flags, _recvmsg, bufsize, ancbufsize, flags | DONTWAIT)
    return (recv_rest(self, data, bufsize, flags), *rest)


def recvmsg_into(self: Any, buffers: Any, ancbufsize: int = 0, flags: int = 0, /) -> Any:
    """As `recvmsg`, into an iterable of writable buffers. The result begins with the number of bytes."""
    buffers = _again(buffers)
    got, *rest = attempt(self, IN, flags, _recvmsg_into, buffers, ancbufsize, flags | DONTWAIT)
    return (recv_into_rest(self, buffers, got, flags) if flags & WAITALL else got, *rest)


def _again(buffers: Any) -> Any:
    """Make an iterable of buffers one that a second try can go through again."""
    return buffers if isinstance(buffers, list | tuple) else list(buffers)


def sendto(self: Any, data: Any, *args: Any) -> int:
    """Send `data` to an address: `sendto(data, address)` or `sendto(data, flags, address)`. Parks until there is room.

    Difference from the stdlib: a host name in the address is looked up while other green threads run.

    Returns:
        The number of bytes sent.
    """
    if len(args) not in (1, 2) or (len(args) == 2 and not isinstance(args[0], int)):
        return _sendto(self, data, *args)  # it raises the right error
    flags = args[0] if len(args) == 2 else 0
    address = resolved(self, args[-1])
    sent = cast(int, attempt(self, OUT, flags, _sendto, data, flags | DONTWAIT, address))
    return sent if type(data) is bytes and sent == len(data) else send_rest(self, data, sent, flags)


def sendmsg(self: Any, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
    """Send several buffers and ancillary data as one message; park until there is room.

    Args:
        buffers: an iterable of bytes-like objects. ancdata: an iterable of (level, type, bytes-like object).
        flags: of sendmsg(2).
        address: where to; None: the peer. A host name in it is looked up while other green threads run.
    Returns:
        The number of bytes sent, without the ancillary data.
    """
    buffers = _again(buffers)
    ancdata = _again(ancdata)
    to = () if address is None else (resolved(self, address),)
    sent = cast(int, attempt(self, OUT, flags, _sendmsg, buffers, ancdata, flags | DONTWAIT, *to))
    return sendmsg_rest(self, buffers, sent, flags)


def sendmsg_afalg(self: Any, *args: Any, **kwargs: Any) -> int:
    """Send a request to the kernel's ciphers (AF_ALG), as `socket.sendmsg_afalg`; park until there is room."""
    assert _sendmsg_afalg is not None
    flags = kwargs.get("flags", 0)
    kwargs["flags"] = flags | DONTWAIT
    return cast(int, attempt(self, OUT, flags, lambda sock: _sendmsg_afalg(sock, *args, **kwargs)))


def bind(self: Any, address: Any, /) -> None:
    """Bind to a local address. A host name in it is looked up while other green threads run."""
    _raw_bind(self, resolved(self, address))


def gettimeout(self: Any) -> float | None:
    """Return the timeout in seconds. None: blocking; 0.0: non-blocking."""
    return timeout_of(self)


def settimeout(self: Any, value: float | None, /) -> None:
    """Set the timeout of every later operation.

    Args:
        value: seconds, relative to the begin of each operation; None: no limit; 0: an operation never waits.
    Raises:
        ValueError: `value` is negative or not a number. TypeError: it is of another type.
    """
    set_timeout(self, value)


def getblocking(self: Any) -> bool:
    """Return False if the timeout is 0, else True."""
    return timeout_of(self) != 0


def setblocking(self: Any, flag: Any, /) -> None:
    """Set the timeout to None (True: operations wait) or 0 (False: operations never wait)."""
    set_blocking(self, flag)


def detach(self: Any) -> int:
    """Give the descriptor away, open, and return it; -1: the socket is closed.

    Difference from the stdlib: green threads that wait in operations of this socket get OSError (EBADF).
    """
    fd = _fileno(self)
    if fd >= 0:
        forget_fd(fd)
        drop_timeout(fd)
    self._closed = True
    return _raw_detach(self)


def _real_close(self: Any, _ss: Any = raw_socket) -> None:
    fd = _fileno(self)
    if fd >= 0:
        # The green threads that wait get EBADF now: the number may be another file's before they run.
        forget_fd(fd)
        drop_timeout(fd)
        forget_mark(fd)
    _ss.close(self)


def accept_of(make: Callable[..., Any]) -> Callable[[Any], tuple[Any, Any]]:
    """Return an `accept` that makes its sockets with `make`, whatever the listener's class."""

    def accept(self: Any) -> tuple[Any, Any]:
        """Park until there is a connection. Returns (socket, address of the peer). The socket is blocking."""
        fd, address = accept_fd(self)
        return make(family_of(self), type_of(self), proto_of(self), fileno=fd), address

    return accept


_stdlib_setdefault = _stdlib.setdefaulttimeout
_stdlib_getdefault = _stdlib.getdefaulttimeout
_default_timeout: float | None = None


def setdefaulttimeout(timeout: float | None, /) -> None:
    """Set the timeout that new sockets get.

    Args:
        timeout: seconds; None: new sockets are blocking.
    Raises:
        ValueError: `timeout` is negative or not a number. TypeError: it is of another type.
    """
    global _default_timeout
    _stdlib_setdefault(timeout)
    _default_timeout = _stdlib_getdefault()
    # The C level must not have it: it would wait by itself.
    _stdlib_setdefault(None)


def getdefaulttimeout() -> float | None:
    """Return the timeout that new sockets get, in seconds, or None."""
    return _default_timeout


def init(self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
    try:
        _raw_init(self, family, type, proto, fileno)
    except TypeError:
        if not (isinstance(self, GreenSocket) and hasattr(family, "fileno")):
            raise
        self.take_over(family)
    if marks and fileno is not None:
        another_object(self)  # it may be the TLS socket of a connection that is marked
    seconds = _raw_gettimeout(self)
    if seconds is None:
        seconds = _default_timeout  # not for SOCK_NONBLOCK, whose timeout is 0
    if seconds is not None:
        set_timeout(self, seconds)  # also the C level's default, of a process in which nothing is patched


def take_over() -> None:
    """Take the timeouts over from the C level: the stdlib's class becomes cooperative."""
    setdefaulttimeout(_stdlib_getdefault())
    for sock in _living_sockets():
        seconds = _raw_gettimeout(sock)
        if seconds:
            set_timeout(sock, seconds)


def give_back() -> None:
    """Give the timeouts back to the C level, and let the descriptors fit them: the stdlib's class is plain again."""
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
        # The type, not `isinstance`: the `__class__` of a proxy may run any code.
        if issubclass(type(thing), raw_socket) and _fileno(thing) >= 0:
            yield thing


def name_like_stdlib(method: FunctionType, name: str, twin: type) -> None:
    """Have `help` show a method under the name that it has in `twin`; without a docstring, with the one from there."""
    method.__qualname__ = f"{twin.__name__}.{name}"
    method.__doc__ = method.__doc__ or getattr(twin, name).__doc__


# What else the cooperative classes have: `greening.compat` puts in what programs for another library expect.
further_members: dict[str, Any] = {}


def methods(make: Callable[..., Any]) -> dict[str, Any]:
    """Return the methods that make a `socket.socket` class cooperative. `make`: the class of accepted sockets."""
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
    found |= further_members
    if _sendmsg_afalg is not None:
        found["sendmsg_afalg"] = sendmsg_afalg
    found |= compiled_methods
    for name, method in found.items():
        if isinstance(method, FunctionType):
            name_like_stdlib(method, name, _stdlib.socket)
    return found


def _makefile_in_turns() -> Any:
    """Return the stdlib's `makefile`, which sees the `io` of a patched socket module."""
    stdlibs: Any = _stdlib.socket.makefile
    makefile = FunctionType(
        stdlibs.__code__, {**vars(_stdlib), "io": io_with_turns()}, "makefile", stdlibs.__defaults__
    )
    makefile.__kwdefaults__ = stdlibs.__kwdefaults__
    return update_wrapper(makefile, stdlibs)


class GreenSocket(_stdlib.socket):
    """A `socket.socket` that is cooperative whether or not the stdlib's class has been patched.

    Args, results and errors: as `socket.socket`. An operation that has to wait parks the green thread, and others run.
    The only argument may also be a socket, or another object with the `fileno` of one, as in eventlet: see `take_over`.

    set_nonblocking=True sets O_NONBLOCK on the descriptor, for others that use it; this class does not need it.

    Differences from the stdlib: `close` in one green thread ends the operations of the others with OSError (EBADF). A
    host name in an address is looked up while others run. Several green threads may read the files of `makefile`, in
    turn.
    Thread-safety: any green thread of any OS thread may use it. Of two that read (or write) at once, each gets (or
    sends) a part of the stream.
    Source: socket(7).
    """

    makefile = _makefile_in_turns()
    _taken_over: Any = None

    def __init__(self, *args: Any, set_nonblocking: bool = False, **named: Any) -> None:
        init(self, *args, **named)
        if set_nonblocking:
            os.set_blocking(_fileno(self), False)

    @property
    def fd(self) -> Any:
        """What has the descriptor: the socket that was taken over, or else this one itself (eventlet's name)."""
        return self if self._taken_over is None else self._taken_over

    def take_over(self, sock: Any) -> None:
        """Become another socket object of the same connection, or of the same listener. Called by the constructor.

        Both stay usable. This one has a descriptor of its own, a duplicate; `close` closes the other one, too.

        Args:
            sock: a socket, or an object with the `fileno` of one. Its timeout is taken over; 0 becomes None.
        Raises:
            OSError: it is closed, or is no socket; or there are no descriptors left.
        """
        fd = fcntl(sock.fileno(), F_DUPFD_CLOEXEC, 0)
        try:
            _raw_init(self, -1, -1, -1, fd)
        except BaseException:
            os_close(fd)
            raise
        self._taken_over = sock
        seconds = sock.gettimeout() if hasattr(sock, "gettimeout") else None
        if seconds:
            set_timeout(self, seconds)

    def _real_close(self, _ss: Any = raw_socket) -> None:
        _real_close(self, _ss)
        sock, self._taken_over = self._taken_over, None
        if sock is not None:
            sock.close()


for _name, _method in methods(GreenSocket).items():
    if _name not in vars(GreenSocket):
        setattr(GreenSocket, _name, _method)
