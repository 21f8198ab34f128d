"""What the supervisor and its children tell each other, and a child as the supervisor sees it.

Each has one end of a pair of sockets that keep messages apart (SOCK_SEQPACKET). When an end is closed, the process that
had it is gone.
"""

import os
import socket
from time import monotonic

# Told to a child: finish; end at once; open the log files anew. COPY: to the process that has the application
# preloaded, with the channel for the new worker.
STOP, QUIT, REOPEN, COPY = b"stop", b"quit", b"reopen", b"copy"
# Told by a child: it serves; it cannot load the application; a file has changed; it lives; it wants to be replaced.
READY, FAILED, CHANGED, BEAT, RETIRE = b"ready", b"failed", b"changed", b"beat", b"retire"
PID = b"pid "  # told by a worker that another process has forked: its number

_LONGEST = 64  # bytes of a message


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a channel."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Child:
    """One child, as the supervisor sees it.

    Args:
        pid: 0: another process forks it, and it will tell. generation: of the application.
        template: it has the application preloaded, and serves nothing.
    Attributes:
        ready: it has said so. failed: it cannot load the application. retiring: it wants to be replaced.
        beat: when it was last heard, on the monotonic clock, as `deadline`.
        deadline: set when it was told to end. aborted: by SIGABRT, too.
    """

    def __init__(self, pid: int, channel: socket.socket, generation: int, template: bool = False) -> None:
        self.pid = pid
        self.channel = channel
        self.generation = generation
        self.template = template
        self.ready = False
        self.failed = False
        self.retiring = False
        self.beat = monotonic()
        self.deadline: float | None = None
        self.aborted = False

    def tell(self, what: bytes) -> None:
        """Say it, if it still listens."""
        try:
            self.channel.send(what, socket.MSG_DONTWAIT)
        except OSError:
            pass  # dead, or about to be: SIGCHLD tells; or stuck: the deadline

    def order(self, channel: socket.socket) -> bool:
        """Have the template fork a worker that takes this end of a channel. False: it does not listen."""
        try:
            socket.send_fds(self.channel, [COPY], [channel.fileno()], socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True

    def heard(self) -> list[bytes]:
        """All that it has said since. Takes note of its number. The channel is closed when nothing will follow."""
        said: list[bytes] = []
        while self.channel.fileno() >= 0:
            try:
                message = self.channel.recv(_LONGEST, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                message = b""
            if not message:
                self.channel.close()
            elif message.startswith(PID):
                self.pid = int(message.removeprefix(PID))
            else:
                said.append(message)
        if said:
            self.beat = monotonic()
        return said

    def kill(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.pid:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass
