"""Connections that wait for their clients without a green thread.

Facts: a parked green thread costs a stack: 8 KiB and more. Most connections of a server wait for the next request most
of the time.
Measured: to make a green thread for each request takes 2 us more than to switch to one that stays (12 for 10 in the row
http-hello).
Decision: such a connection is a green thread that has not begun, in the registration of its descriptor. The hub starts
it when bytes come, as it starts every new one. A server may wait in its green thread for a client that asks often.
"""

from _socket import MSG_PEEK
from typing import Any

from greening._core.poller import IN
from greening._core.recheck import schedule_recheck
from greening._core.task import Task
from greening._originals import raw_socket
from greening.net.retry import DONTWAIT, registration

_fileno = raw_socket.fileno
_recv = raw_socket.recv


class Idle:
    """A connection between two requests. A handler of `StreamServer` that returns one leaves its connection open.

    When bytes have come, `resume` runs in a new green thread, in a copy of the context in which the server was made,
    and what it returns counts in the same way.

    Attributes:
        timeout: seconds that it may be idle; None: no limit.
        eager: bytes have been read already: `resume` need not wait for more.
        over: it is finished: the connection is to be closed, although it is handed over as one that stays.
        since: None, or the hub time since which a green thread of it waits for the client, who has nothing under way:
            it may be cut off for a newcomer as if it were idle.
    """

    __slots__ = ("eager", "over", "since", "timeout")

    since: float | None

    def __init__(self, timeout: float | None = None) -> None:
        self.timeout = timeout
        self.eager = False
        self.over = False
        self.since = None

    def resume(self) -> "Idle | None":
        """Bytes have come, or the end of the stream. Return an Idle to leave the connection open, None to have it
        closed. It may be called when nothing has come, and must not wait then.
        """
        raise NotImplementedError

    def dismiss(self, why: str) -> None:
        """The connection is about to be closed while it is idle, or cut while a green thread of it waits for the
        client: its time is up, or its place is needed. Say goodbye, without waiting.

        Args:
            why: for a log.
        """

    def shut_down(self) -> bool:
        """The server stops. True: nothing is lost if the connection is closed now; False: it will end by itself."""
        return True


def start_when_readable(thread: Task, sock: Any) -> bool:
    """Have `thread`, which has not begun, begin when bytes, or the end of the stream, come for `sock`.

    If the socket is closed before, it begins as well, and finds it closed. Its time limit does not count.

    Args:
        sock: a cooperative socket, also of TLS. What TLS has decrypted, and not handed out yet, does not count.
    Returns:
        False: there may be bytes already. Nothing has been done.
    Raises:
        OSError: the socket is closed.
    """
    hub = thread.hub
    reg = registration(sock, hub, None)
    if reg.drained:
        if not reg.recheck_due:
            schedule_recheck(hub, reg)
    else:
        reg.read_news = False
        try:
            _recv(sock, 1, DONTWAIT | MSG_PEEK)
        except BlockingIOError:
            pass
        except OSError:  # the thread will meet it
            return False
        else:
            return False
    return hub.registry.start_when_ready(reg, thread, IN)


def waits_for_peer(thread: Task, sock: Any) -> bool:
    """Whether a green thread is parked until its peer sends something on `sock`, or takes something."""
    reg = thread.hub.regs.get(_fileno(sock))
    return reg is not None and any(lot is not None and thread in lot for lot in (reg.readers, reg.writers))


def no_longer_start(thread: Task, sock: Any) -> bool:
    """Take `start_when_readable` back. False: the thread has been chosen to begin."""
    reg = thread.hub.regs.get(_fileno(sock))
    return reg is not None and reg.readers is not None and bool(reg.readers.leave(thread))


def has_bytes(sock: Any) -> bool:
    """Whether the system holds bytes for `sock` that were not read: to end the connection would lose a request."""
    try:
        return bool(_recv(sock, 1, DONTWAIT | MSG_PEEK))
    except OSError:  # BlockingIOError among them
        return False


def read_now(sock: Any, size: int) -> bytes | None:
    """What has come already on a plain socket, at most `size` bytes; b"": its end; None: nothing.

    Raises:
        OSError: the client is gone.
    """
    try:
        return _recv(sock, size, DONTWAIT)
    except BlockingIOError:
        return None
