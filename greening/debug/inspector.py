"""A socket by which other processes of this user ask a running program: `--inspect`, or `GREENING_INSPECT=1`.

Facts: a hub that is blocked by a computing green thread runs nothing else. The GIL is handed to other OS threads all
the same, every five milliseconds.
Decision: a native thread serves the socket. So it answers while the hub is blocked, unless a call in C keeps the GIL.

The socket is in a folder that only this user can enter: `greening` in $XDG_RUNTIME_DIR, or greening-UID in /tmp, if
that variable names no folder of this user's (`su` keeps that of another). Its name has the process's number. The kernel
says who asks (SO_PEERCRED, unix(7)): this user, or root. What was killed leaves its socket: the next one removes it.

Protocol: the client sends one line, a JSON object with `command` and what that takes. The answer is one JSON object, to
the end of the stream: what the command gives, or {"error": ...}.
"""

import _signal
import _socket
import atexit
import json
import os
import stat
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from greening._core.deadlock import idle_natives
from greening._core.fork import APPLICATIONS, on_child
from greening._originals import allocate_lock, get_native_id, getpid, raw_socket, start_new_thread

# Bytes: the longest question.
LONGEST = 64 * 1024
# Bytes: the longest XDG_RUNTIME_DIR that leaves room for the rest. A path has 107 of them at most (unix(7)).
LONGEST_FOLDER = 80
# Seconds that a client has for its question, and for each part of the answer that it takes.
PATIENCE = 10.0

# What a command calls with the question: a function that returns what JSON can hold.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "dump": ("greening.debug.dumping", "answer"),
    "top": ("greening.debug.observing", "answer"),
}


def folder() -> str:
    """Where the sockets of this user are, for this process."""
    return folder_of(os.environ.get("XDG_RUNTIME_DIR", ""), os.geteuid())


def folder_of(runtime: str, uid: int) -> str:
    """The same for a process with this XDG_RUNTIME_DIR ("": it has none) and this effective user."""
    try:
        usable = os.stat(runtime).st_uid == uid and len(os.fsencode(runtime)) <= LONGEST_FOLDER
    except OSError:
        usable = False
    return os.path.join(runtime, "greening") if usable else f"/tmp/greening-{uid}"


def path_of(pid: int) -> str:
    """Where the socket of a process of this user is, if it has the same XDG_RUNTIME_DIR."""
    return os.path.join(folder(), f"{pid}.sock")


def remove_leftovers() -> None:
    """Remove the sockets of this user's processes that were killed."""
    for name in os.listdir(folder()):
        pid, _, kind = name.partition(".")
        if kind == "sock" and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
            path = os.path.join(folder(), name)
            with suppress(OSError):
                if not _is_served(path):
                    os.unlink(path)


def _is_served(path: str) -> bool:
    """Whether somebody listens: a process in another container that shares this folder has no number here."""
    client = raw_socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK)
    try:
        client.connect(path)
    except ConnectionRefusedError:
        return False
    except BlockingIOError:  # it is busy
        pass
    finally:
        client.close()
    return True


def private_folder() -> str:
    """Make the folder, and see that it is this user's own.

    Raises:
        OSError: it cannot be made. PermissionError: it is another user's, or others may enter it.
    """
    path = folder()
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{path} must be a folder of this user's that nobody else may enter (chmod 700)")
    return path


class Inspector:
    """Answers questions about this process.

    Raises:
        OSError: the socket cannot be made.
    Thread-safety: its native thread shares nothing but `listener`.
    """

    def __init__(self) -> None:
        private_folder()
        remove_leftovers()
        self.path = path_of(getpid())
        self._pid = getpid()
        self.listener = raw_socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            os.unlink(self.path)  # of a process that had this number, and was killed
        except FileNotFoundError:
            pass
        self.listener.bind(self.path)
        self.listener.listen(16)
        # In an argument, or a variable of the thread's, the audit would find the lock.
        self._begun = allocate_lock()
        self._begun.acquire()
        start_new_thread(self._serve, ())
        self._begun.acquire()  # from here on the thread counts as one that wakes nobody

    def close(self) -> None:
        """Remove the socket, and end the thread. In the child of a fork: leave the parent's alone. Idempotent."""
        if self._pid == getpid() and self.listener.fileno() >= 0:
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass
            self.listener.shutdown(_socket.SHUT_RDWR)  # to close it would not end the wait of the thread
        self.listener.close()

    def _serve(self) -> None:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        idle_natives.add(get_native_id())  # it wakes no green thread: a deadlock is one all the same
        self._begun.release()
        while True:
            try:
                fd, _ = self.listener._accept()  # type: ignore[attr-defined]  # not in typeshed
            except OSError:
                return
            client = raw_socket(fileno=fd)
            try:
                client.settimeout(PATIENCE)
                if is_trusted(client):
                    client.sendall(answer_to(question_of(client)))
            except OSError:
                pass  # the client has gone
            finally:
                client.close()


def is_trusted(client: Any) -> bool:
    """Whether the other end is a process of this user, or of root."""
    peer = client.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", peer)
    return uid in (0, os.geteuid())


def question_of(client: Any) -> bytes:
    """The line that a client sends; b"": it sends none, or one that is too long."""
    question = b""
    while not question.endswith(b"\n"):
        part = client.recv(4096)
        question += part
        if not part or len(question) > LONGEST:
            return b""
    return question


def answer_to(question: bytes) -> bytes:
    """What a question is answered, as JSON. It never raises: an error is an answer, too."""
    try:
        asked = json.loads(question)
        name = asked["command"]
        if name not in COMMANDS:
            raise ValueError(f"the commands are {', '.join(sorted(COMMANDS))}, not {name!r}")
        module, function = COMMANDS[name]
        call: Callable[[dict[str, Any]], object] = getattr(import_module(module), function)
        found = call(asked)
    except Exception as error:  # noqa: BLE001  # whatever it is, the client gets to know it
        found = {"error": f"{type(error).__name__}: {error}"}
    return json.dumps(found).encode()


class _Running:
    """inspector: that of this process, or None."""

    __slots__ = ("inspector",)

    def __init__(self) -> None:
        self.inspector: Inspector | None = None


_running: Final = _Running()


def inspect() -> str:
    """Let processes of this user ask this one, from now on: `python -m greening dump PID`. Idempotent.

    The child of a fork has a socket of its own.

    Returns:
        The path of the socket.
    Raises:
        OSError: it cannot be made; the folder is another user's.
    """
    if _running.inspector is None:
        _running.inspector = Inspector()
        atexit.register(_close)
    return _running.inspector.path


def _close() -> None:
    inspector, _running.inspector = _running.inspector, None
    if inspector is not None:
        inspector.close()


def _in_child() -> None:
    inspector = _running.inspector
    if inspector is not None:
        inspector.close()
        try:
            _running.inspector = Inspector()
        except OSError:
            _running.inspector = None


on_child(APPLICATIONS, _in_child)
