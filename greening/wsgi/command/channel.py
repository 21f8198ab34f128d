"""What the supervisor and its children tell each other, and a child as the supervisor sees it.

Each has one end of a pair of sockets that keep messages apart (SOCK_SEQPACKET). When an end is closed, the process that
had it is gone.

Facts: workers may run as another user than the supervisor, and code of the application can write to their end. Nothing
that comes from there may have the supervisor kill a foreign process, fail, or listen to one child for ever. With
SO_PASSCRED the kernel adds the number of the process that has sent a message, in the receiver's own count (unix(7)).
"""

import os
import signal
import socket
import struct
from time import monotonic

# Told to a child: finish; end at once; open the log files anew. COPY: to the process that has the application
# preloaded, with the channel for the new worker.
STOP, QUIT, REOPEN, COPY = b"stop", b"quit", b"reopen", b"copy"
# Told by a child: it serves; it cannot load the application; a file has changed; it lives; it wants to be replaced; it
# serves no more, and ends.
READY, FAILED, CHANGED, BEAT, RETIRE, LEAVING = b"ready", b"failed", b"changed", b"beat", b"retire", b"leaving"
LAST_WORDS = signal.SIGXCPU  # sent to a worker that is about to be killed; nothing else uses it
PID = b"pid"  # told by a worker that another process has forked: the kernel adds its number

_LONGEST = 64  # bytes of a message
_MOST = 1000  # messages that are taken in one go: a child that never stops has the rest read in the next turn
_CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a channel: the supervisor's, which is told who sends, and the child's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


class Child:
    """One child, as the supervisor sees it.

    Args:
        pid: 0: another process forks it, and it will tell. generation: of the application.
        template: it has the application preloaded, and serves nothing.
    Attributes:
        ready: it has said so. failed: it cannot load the application. retiring: it wants to be replaced.
        leaving: it was told to end, or said that it does: others take its place.
        settled: nothing is left to be decided when it dies.
        beat: when it was last heard, or forked, on the monotonic clock, as `deadline`.
        deadline: when it is to be gone. asked: it was asked to say what it is at. aborted: by SIGABRT.
    """

    def __init__(self, pid: int, channel: socket.socket, generation: int, template: bool = False) -> None:
        self.pid = pid
        self.channel = channel
        self.generation = generation
        self.template = template
        self.ready = False
        self.failed = False
        self.retiring = False
        self.leaving = False
        self.settled = False
        self.beat = monotonic()
        self.deadline: float | None = None
        self.asked = False
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
        """What it has said since. Takes note of its number, once. The channel is closed when nothing will follow."""
        said: list[bytes] = []
        for _ in range(_MOST):
            if self.channel.fileno() < 0:
                break
            try:
                # Room for the credentials and nothing else: the kernel closes descriptors that come with a message.
                message, ancillary, _, _ = self.channel.recvmsg(
                    _LONGEST, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                break
            except OSError:
                message = b""
            if not message:
                self.channel.close()
            elif message != PID:
                said.append(message)
            elif not self.pid:
                self.pid = _sender(ancillary)
        if said:
            self.beat = monotonic()
        return said

    def kill(self, number: int) -> None:
        """Send it a signal, if it is a child of this process: only then does the number still mean the same one."""
        if self.pid:
            try:
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                os.kill(self.pid, number)
            except (ChildProcessError, ProcessLookupError):
                pass


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The process that has sent a message; 0: the kernel does not say."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(data) >= _CREDENTIALS.size:
            pid: int = _CREDENTIALS.unpack_from(data)[0]
            return pid
    return 0
