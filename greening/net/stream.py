"""recv, recv_into, send and sendall of sockets: the methods in which every server spends its time.

Each tries the system call first and parks on EAGAIN (see retry). After a short read on TCP the next read parks at once:
the short read has said that there is nothing more (see `Registration.drained`). Signatures and errors are those of the
C methods. The accelerator has doubles of them.
"""

from typing import Any, cast

from greening._compiled import accelerator
from greening._core.current import current
from greening._core.fairness import fairness_tick
from greening._core.poller import IN, OUT
from greening._core.recheck import schedule_recheck
from greening._core.running import known_task
from greening._originals import raw_socket
from greening.net.complete_io import WAITALL, recv_into_rest, recv_rest, send_rest
from greening.net.exchange import interrupted
from greening.net.retry import (
    DONTWAIT,
    IMMEDIATE,
    attempt,
    deadline_of,
    registration,
    retry,
    timeouts,
    wait_socket,
)

_fileno = raw_socket.fileno
_recv = raw_socket.recv
_recv_into = raw_socket.recv_into
_send = raw_socket.send
_raw_gettimeout = raw_socket.gettimeout


def recv(self: Any, bufsize: int, flags: int = 0, /) -> bytes:
    """Receive up to `bufsize` bytes; park until at least one has come.

    Args:
        flags: of recv(2), MSG_PEEK and the like.
    Returns:
        The bytes; none at the end of the stream.
    Raises:
        OSError: as the stdlib's. TimeoutError: the socket's timeout has passed; BlockingIOError: it is 0.
    """
    # Every server spends its time in this method: what `retry` does is written out here.
    task = current()
    hub = task.hub
    reg = hub.regs.get(_fileno(self))
    if reg is None or not reg.drained or flags:
        fairness_tick()
        if reg is not None:
            reg.read_news = False
        try:
            data: bytes = _recv(self, bufsize, flags | DONTWAIT)
        except BlockingIOError:
            if flags & IMMEDIATE:
                raise
        else:
            if flags:
                return recv_rest(self, data, bufsize, flags)
            if reg is not None and reg.stream and len(data) < bufsize and not reg.read_news:
                reg.drained = True
            return data
    elif bufsize < 1:
        return _recv(self, bufsize, DONTWAIT)  # b"" at once, or the right error
    elif not reg.recheck_due:
        schedule_recheck(hub, reg)
    deadline = None if not timeouts and _raw_gettimeout(self) is None else deadline_of(self)
    while True:
        if reg is None or reg.owner is None or reg.owner() is not self:
            reg = registration(self, hub, deadline)
        if not hub.registry.wait(reg, task, IN, deadline):
            raise TimeoutError("timed out")
        try:
            data = _recv(self, bufsize, flags | DONTWAIT)
        except BlockingIOError:
            continue
        if flags:
            return recv_rest(self, data, bufsize, flags)
        if reg.stream and 0 < len(data) < bufsize and not reg.read_news:
            reg.drained = True
        return data


def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
    """As `recv`, into a writable buffer.

    Args:
        nbytes: at most so many bytes; 0: as many as there is room for.
        flags: of recv(2).
    Returns:
        How many bytes came; 0 at the end of the stream.
    Raises:
        As `recv`; ValueError: `nbytes` is negative, or more than the buffer has.
    """
    task = known_task()
    reg = None if task is None else task.hub.regs.get(_fileno(self))
    if reg is None or not reg.drained or flags:
        fairness_tick()
        if reg is not None:
            reg.read_news = False
        try:
            got: int = _recv_into(self, buffer, nbytes, flags | DONTWAIT)
        except BlockingIOError:
            if flags & IMMEDIATE:
                raise
        else:
            if flags:
                return recv_all_into(self, buffer, nbytes, flags, got)
            room = (nbytes or len(buffer)) if type(buffer) is memoryview else 0
            if reg is not None and reg.stream and got < room and not reg.read_news:
                reg.drained = True
            return got
    elif not reg.recheck_due:
        schedule_recheck(current().hub, reg)
    return _recv_into_parked(self, buffer, nbytes, flags)


def _recv_into_parked(sock: Any, buffer: Any, nbytes: int, flags: int) -> int:
    # `makefile` passes a memoryview. The length of other buffers need not be in bytes.
    room = (nbytes or len(buffer)) if type(buffer) is memoryview else 0
    if room < 1:
        got = cast(int, attempt(sock, IN, 0, _recv_into, buffer, nbytes, flags | DONTWAIT))
        return recv_all_into(sock, buffer, nbytes, flags, got) if flags else got
    deadline = deadline_of(sock)
    while True:
        reg = wait_socket(sock, IN, deadline)
        try:
            got = _recv_into(sock, buffer, nbytes, flags | DONTWAIT)
        except BlockingIOError:
            continue
        if flags:
            return recv_all_into(sock, buffer, nbytes, flags, got)
        if reg.stream and 0 < got < room and not reg.read_news:
            reg.drained = True
        return got


def recv_all_into(sock: Any, buffer: Any, nbytes: int, flags: int, got: int) -> int:
    if not flags & WAITALL:
        return got
    with memoryview(buffer) as view, view.cast("B") as raw, raw[: nbytes or raw.nbytes] as wanted:
        return recv_into_rest(sock, (wanted,), got, flags)


def send(self: Any, data: Any, flags: int = 0, /) -> int:
    """Send `data`; park until the system has taken it: all of it where the socket has no timeout, else a part.

    Args:
        data: bytes, or what has a buffer of bytes. flags: of send(2).
    Returns:
        How many bytes were taken.
    Raises:
        OSError: as the stdlib's. TimeoutError: the socket's timeout has passed; BlockingIOError: it is 0.
    """
    fairness_tick()
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
    """Send all of `data`; park until the system has taken it. A timeout is for the whole call.

    Args:
        data: bytes, or what has a buffer of bytes. flags: of send(2).
    Raises:
        As `send`. How much was sent before an error is unknown.
    """
    fairness_tick()
    try:
        sent: int = _send(self, data, flags | DONTWAIT)
    except BlockingIOError:
        if flags & IMMEDIATE:
            raise
        sent = 0
    if type(data) is not bytes or sent < len(data):
        _sendall_rest(self, data, sent, flags)


def _sendall_rest(sock: Any, data: Any, sent: int, flags: int) -> None:
    with memoryview(data) as view, view.cast("B") as raw:
        size = raw.nbytes
        if sent >= size:
            return
        # One deadline for the whole, as in C (bpo-8372). Slices of a memoryview copy nothing.
        deadline = None if flags & IMMEDIATE else deadline_of(sock)
        # A write that was cut short may leave room, and then no event will come. Only EAGAIN is a reason to wait.
        full = not sent
        while sent < size:
            if full and not flags & IMMEDIATE:
                wait_socket(sock, OUT, deadline)
            elif deadline is not None and deadline <= current().hub.now():
                raise TimeoutError("timed out")
            else:
                fairness_tick()
            try:
                with raw[sent:] as rest:
                    more = _send(sock, rest, flags | DONTWAIT)
            except BlockingIOError:
                if flags & IMMEDIATE:
                    raise
                full = True
            else:
                sent += more
                full = not more


# The methods that the accelerator doubles: they take the place of the functions above in `net.socket.methods`.
compiled_methods: dict[str, Any] = {}
if accelerator is not None:
    _for_compiled = {
        "schedule_recheck": schedule_recheck,
        "fileno": _fileno,
        "gettimeout": _raw_gettimeout,
        "timeouts": timeouts,
        "recv": recv,
        "recv_into": recv_into,
        "send": send,
        "sendall": sendall,
        "send_rest": send_rest,
        "sendall_rest": _sendall_rest,
        "interrupted": interrupted,
    }
    compiled_methods = accelerator.double_socket_methods(raw_socket, _for_compiled)
