"""Connections whose exchange was interrupted: nobody may take the late answer for the answer to the next question.

Facts: a kill or a Timeout that strikes while a client waits for an answer leaves that answer in the stream, or half of
it. Many clients give the connection back to their pool all the same: they clean up in `except Exception`, and those two
are none. The next user of the connection reads the answer to somebody else's question.
Decision: an interrupted socket is shut down at once, and every later use of it raises ConnectionAbortedError, which
says what interrupted it, and where. That is an error which clients know: they connect anew. It is done to the sockets
that a plug-in names (`abort_if_interrupted`), to all that are connected under `monkey_patch(interrupted="abort")`, and
inside `with exchange(sock)`. Others are left alone: to read with a Timeout and go on is lawful.

What is shut down changes its class, so that sockets in use pay nothing for this.
"""

import _socket
import errno
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from greenlet import GreenletExit

from greening._originals import raw_socket
from greening.timeout import Timeout

_fileno = raw_socket.fileno
_shutdown = raw_socket.shutdown

# What sends or receives. close, shutdown, fileno, detach and the names of both ends go on.
_USES = (
    "recv recv_into recvfrom recvfrom_into recvmsg recvmsg_into send sendall sendto sendmsg sendmsg_afalg sendfile "
    "connect connect_ex makefile read write do_handshake unwrap"
).split()

_marked: WeakSet[Any] = WeakSet()
# Why each aborted socket was aborted.
_reasons: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_aborted_classes: WeakKeyDictionary[type, type] = WeakKeyDictionary()

_every_client = False


def mark_every_client(switch: bool) -> None:
    """Mark each socket that is connected from now on, or no more of them."""
    global _every_client
    _every_client = switch


def every_client() -> bool:
    """Whether each socket that is connected is marked."""
    return _every_client


def abort_if_interrupted(sock: Any) -> None:
    """Have a socket aborted when a wait on it is interrupted by a kill, a Timeout or any other error of outside.

    Its own timeout (`settimeout`) does not count. For the sockets of clients that ask and wait for an answer.

    Args:
        sock: a socket or TLS socket of the patched process, or a green one.
    """
    _marked.add(sock)


def interrupted(sock: Any, error: BaseException) -> None:
    """A wait on `sock` was cut short by `error`, which came from outside. Called by what waits."""
    if _marked and sock in _marked and _fileno(sock) >= 0:
        abort(sock, error)


def abort(sock: Any, error: BaseException) -> None:
    """Shut `sock` down. Every later use of it raises ConnectionAbortedError, which tells of `error` and of this place.

    Does nothing to a socket that is closed, or was aborted before.
    """
    if sock in _reasons or _fileno(sock) < 0:
        return
    _reasons[sock] = f"its exchange was interrupted by {_told(error)} at {_place(sys._getframe(1))}; connect anew"
    _marked.discard(sock)
    try:
        _shutdown(sock, _socket.SHUT_RDWR)
    except OSError:  # it is not connected
        pass
    sock.__class__ = _aborted(type(sock))


class exchange:  # used as a function
    """`with exchange(sock):` a question and its answer. An error that leaves the block aborts the connection.

    Whatever it is: a Timeout, a kill, a reset, an answer that cannot be understood. After it nobody knows what is left
    in the stream. Every later use of the socket raises ConnectionAbortedError, which says why.

    Args:
        sock: a connected socket or TLS socket.
    Thread-safety: as the socket's.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: Any) -> None:
        if not isinstance(sock, raw_socket):
            raise TypeError(f"a socket is needed, not {sock!r}")
        self._sock = sock

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            abort(self._sock, error)


def _aborted(kind: type) -> type:
    """The class of an aborted socket: as `kind`, but of no use."""
    made = _aborted_classes.get(kind)
    if made is None:
        refusing = {name: _refusing(name) for name in _USES if hasattr(kind, name)}
        made = type(f"{kind.__name__} (aborted)", (kind,), {"__slots__": (), "__module__": kind.__module__, **refusing})
        _aborted_classes[kind] = made
    return made


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionAbortedError(errno.ECONNABORTED, f"this connection was aborted: {_reasons[self]}")

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


def _told(error: BaseException) -> str:
    if isinstance(error, Timeout):
        return f"a Timeout of {error}" if error.seconds is not None else "a Timeout"
    if isinstance(error, GreenletExit):
        return "a kill"
    return f"{type(error).__name__}: {error}"


def _place(frame: FrameType | None) -> str:
    """Where the program was: the innermost frame that is not greening's, nor of `socket` and `ssl`."""
    innermost = frame
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("greening", "socket", "ssl"):
        frame = frame.f_back
    frame = frame or innermost
    return "an unknown place" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
