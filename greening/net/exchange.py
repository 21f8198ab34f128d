"""Connections whose exchange was interrupted: nobody may take the late answer for the answer to the next question.

Facts: a kill or a Timeout that strikes while a client waits for an answer leaves that answer in the stream, or half of
it. Many clients give the connection back to their pool all the same: they clean up in `except Exception`, and those two
are none. The next user of the connection reads the answer to somebody else's question.
Decision: an interrupted connection is shut down at once, and every later use of its socket raises
ConnectionAbortedError, which says what interrupted it, and where. That is an error which clients know: they connect
anew. It is done to the connections that a plug-in names (`abort_if_interrupted`), to all that are made under
`monkey_patch(interrupted="abort")`, and inside `with exchange(sock)`. Others are left alone: to read with a Timeout and
go on is lawful.

It is the connection that is marked, by its descriptor, and not one object: TLS makes a new socket of the same
descriptor, and a client may wait for the descriptor by select, poll or epoll, and read when there is something. The
number of the inode tells a connection from another one that has its descriptor's number now.

What is shut down changes its class, so that sockets in use pay nothing for this.
"""

import _socket
import errno
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, TracebackType
from typing import Any
from weakref import WeakKeyDictionary, ref

from greenlet import GreenletExit

from greening._core.names import program_frame
from greening._core.registry import interruptions
from greening._originals import getpid, os_close, os_fstat, os_open, os_read, raw_socket
from greening.timeout import Timeout

_fileno = raw_socket.fileno
_shutdown = raw_socket.shutdown

# What sends or receives. close, shutdown, fileno, detach and the names of both ends go on.
_USES = (
    "recv recv_into recvfrom recvfrom_into recvmsg recvmsg_into send sendall sendto sendmsg sendmsg_afalg sendfile "
    "connect connect_ex makefile read write do_handshake unwrap"
).split()


class Mark:
    """A connection whose exchanges may not be interrupted.

    Attributes:
        inode: the number of its inode, which no other connection has.
        process: the one that marked it. A child that inherits it does not shut it down: its parent goes on with it.
        sockets: the socket objects that it has, or had.
        watchers: how many want it aborted by an interrupted wait. 0: only an error that leaves an `exchange` does it.
        blocks: how many blocks of `exchange` and `watch` there are.
        aborted: whether it was aborted.
    """

    __slots__ = ("aborted", "blocks", "inode", "process", "sockets", "watchers")

    def __init__(self, fd: int, sock: Any) -> None:
        self.inode = os_fstat(fd).st_ino
        self.process = getpid()
        self.sockets: list[ref[Any]] = [ref(sock)]
        self.watchers = 0
        self.blocks = 0
        self.aborted = False


# By descriptor. One that was closed behind our back leaves its mark, until its number is used again.
marks: dict[int, Mark] = {}
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
    """Have a connection aborted when a wait on it is interrupted by a kill, a Timeout or any other error of outside.

    A wait in an operation of the socket, and one for its descriptor: by select, poll, epoll or selectors. Its own
    timeout (`settimeout`) does not count. TLS that is begun on it later belongs to it.

    Args:
        sock: an open socket or TLS socket of the patched process, or a green one. For a client that asks and waits for
            the answer.
    Raises:
        OSError: it is closed.
    """
    _mark_of(_fileno(sock), sock).watchers += 1
    _listen()


def _listen() -> None:
    if _interrupted not in interruptions:
        interruptions.append(_interrupted)


def _mark_of(fd: int, sock: Any) -> Mark:
    mark = _valid(fd)
    if mark is None:
        mark = marks[fd] = Mark(fd, sock)
    elif not any(known() is sock for known in mark.sockets):
        mark.sockets = [known for known in mark.sockets if known() is not None]
        mark.sockets.append(ref(sock))
    return mark


def _valid(fd: int) -> Mark | None:
    """The mark of the connection that has the descriptor `fd` now."""
    mark = marks.get(fd)
    try:
        if mark is None or os_fstat(fd).st_ino == mark.inode:
            return mark
    except OSError:  # it is closed
        pass
    forget_mark(fd)
    return None


def another_object(sock: Any) -> None:
    """A socket object is made of an open descriptor: if the connection is marked, the object belongs to it."""
    fd = _fileno(sock)
    if _valid(fd) is not None:
        _mark_of(fd, sock)


def forget_mark(fd: int) -> None:
    """A descriptor is closed."""
    marks.pop(fd, None)


def interrupted(sock: Any, error: BaseException) -> None:
    """A wait in an operation of `sock` was cut short by `error`. Called by the accelerator, for its own waits."""
    if marks:
        _interrupted((_fileno(sock),), error)


def _interrupted(fds: Sequence[int], error: BaseException) -> None:
    """A wait for these descriptors was cut short."""
    if isinstance(error, OSError) and error.errno == errno.EBADF:
        return  # one of them was closed
    for fd in tuple(_with_members(fds)) if marks else ():
        if fd in marks and (mark := _valid(fd)) is not None and mark.watchers:
            _abort(fd, mark, error)


def _with_members(fds: Sequence[int], depth: int = 5) -> Iterator[int]:
    """The descriptors, and those in the epoll sets among them. Sets may be in one another, five deep (epoll(7))."""
    for fd in fds:
        yield fd
        if fd not in marks and depth:
            yield from _with_members(_members(fd), depth - 1)


def _members(fd: int) -> list[int]:
    """The descriptors in an epoll set; none, if it is something else. Source: proc_pid_fdinfo(5)."""
    try:
        file = os_open(f"/proc/self/fdinfo/{fd}", 0)
    except OSError:
        return []
    try:
        text = b""
        while piece := os_read(file, 65536):
            text += piece
    finally:
        os_close(file)
    return [int(line.split()[1]) for line in text.splitlines() if line.startswith(b"tfd:")]


def abort(sock: Any, error: BaseException) -> None:
    """Shut a connection down. Every later use of `sock` raises ConnectionAbortedError, which tells of `error`.

    And of the place where the program is now. Does nothing to a socket that is closed, or was aborted before.
    """
    fd = _fileno(sock)
    if fd >= 0 and sock not in _reasons:
        _abort(fd, _mark_of(fd, sock), error)


def _abort(fd: int, mark: Mark, error: BaseException) -> None:
    forget_mark(fd)
    mark.aborted = True
    reason = f"its exchange was interrupted by {_told(error)} at {_place(sys._getframe(1))}; connect anew"
    if mark.process == getpid():
        shut_down(fd)
    for known in mark.sockets:
        sock = known()
        if sock is not None and _fileno(sock) == fd and sock not in _reasons:
            _reasons[sock] = reason
            try:
                sock.__class__ = _aborted(type(sock))
            except TypeError:  # an object of C, or of a class that allows no other: it finds the end of the stream
                pass


def shut_down(fd: int) -> None:
    """End a connection by its descriptor, which stays open: what reads from it finds the end."""
    temporary = raw_socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, fd)  # to ask for the family would take calls
    try:
        _shutdown(temporary, _socket.SHUT_RDWR)
    except OSError:  # it is not connected
        pass
    finally:
        temporary.detach()


class exchange:  # used as a function
    """`with exchange(sock):` a question and its answer. An error that leaves the block aborts the connection.

    Whatever it is: a Timeout, a kill, a reset, an answer that cannot be understood. After it nobody knows what is left
    in the stream. Every later use of the socket raises ConnectionAbortedError, which says why. If the block begins TLS
    on the connection, the TLS socket is aborted.

    Args:
        sock: a connected socket or TLS socket.
    Raises:
        TypeError: it is no socket. OSError: it is closed, or was aborted before.
    Thread-safety: as the socket's.
    """

    __slots__ = ("_fd", "_mark", "_sock")

    def __init__(self, sock: Any) -> None:
        if not isinstance(sock, raw_socket) or type(sock) is raw_socket:
            raise TypeError(f"a socket is needed, not {sock!r}")
        self._sock = sock
        self._fd = -1
        self._mark: Mark | None = None

    def __enter__(self) -> None:
        sock = self._sock
        if sock in _reasons:
            raise _refusal(sock)
        self._fd = _fileno(sock)
        self._mark = _mark_of(self._fd, sock)
        self._mark.blocks += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mark, fd = self._mark, self._fd
        if mark is None or _valid(fd) is not mark:
            return  # closed, or aborted, in the block
        mark.blocks -= 1
        if error is not None:
            _abort(fd, mark, error)
        else:
            _forget_unused(fd, mark)


class watch:  # used as a function
    """`with watch(sock):` a wait that is interrupted inside aborts the connection. For plug-ins.

    Other errors may leave the block: they are answers. `abort_if_interrupted`, for a while.

    Attributes:
        aborted: whether the connection was aborted inside.
    """

    __slots__ = ("_fd", "_mark", "aborted")

    def __init__(self, sock: Any) -> None:
        self._fd = _fileno(sock)
        self._mark = _mark_of(self._fd, sock)
        self.aborted = False

    def __enter__(self) -> "watch":
        self._mark.watchers += 1
        self._mark.blocks += 1
        _listen()
        return self

    def __exit__(self, *error: object) -> None:
        mark = self._mark
        self.aborted = mark.aborted
        mark.watchers -= 1
        mark.blocks -= 1
        if marks.get(self._fd) is mark:
            _forget_unused(self._fd, mark)


def _forget_unused(fd: int, mark: Mark) -> None:
    if not mark.watchers and not mark.blocks:
        forget_mark(fd)


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
        raise _refusal(self)

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


def _refusal(sock: Any) -> ConnectionAbortedError:
    reason = _reasons.get(sock, "its exchange was interrupted")  # finalisers run when its weak references are gone
    return ConnectionAbortedError(errno.ECONNABORTED, f"this connection was aborted: {reason}")


def _told(error: BaseException) -> str:
    if isinstance(error, Timeout):
        return f"a Timeout of {error}" if error.seconds is not None else "a Timeout"
    if isinstance(error, GreenletExit):
        return "a kill"
    return f"{type(error).__name__}: {error}"


def _place(frame: FrameType | None) -> str:
    """Where the program was."""
    frame = program_frame(frame) or frame
    return "an unknown place" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
