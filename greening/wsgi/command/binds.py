"""Where the command listens: TCP, Unix sockets, and sockets that are open already.

All of them are opened in the supervisor, before any process is forked. They stay the same over reloads, so that nothing
is refused in between.
"""

import errno
import os
import socket
import stat
from collections.abc import Iterable, MutableMapping
from contextlib import contextmanager
from typing import Any

_FIRST = 3  # the number of the first socket that systemd passes, sd_listen_fds(3)


class CannotListen(Exception):
    """An address makes no sense (`status` 2), or it cannot be listened on (1)."""

    def __init__(self, problem: str, status: int = 1) -> None:
        super().__init__(problem)
        self.status = status


class Bound:
    """A listening socket.

    Args:
        made: the path of a Unix socket that was made here; "": another program's, or another family's.
    Attributes:
        sock: a plain socket of the stdlib.
    """

    def __init__(self, sock: socket.socket, made: str = "") -> None:
        self.sock = sock
        self._made = made
        self._inode = _inode(made) if made else None

    def give_to(self, uid: int, gid: int) -> None:
        """Let a Unix socket belong to that user and group; -1: as it is."""
        if self._made:
            os.chown(self._made, uid, gid)

    def remove(self) -> None:
        """Remove the file of a Unix socket, if it is still the one that was made here."""
        if self._inode is not None and self._inode == _inode(self._made):
            os.unlink(self._made)


def open_all(binds: Iterable[str], umask: int | None, backlog: int) -> list[Bound]:
    """Listen on all of them, or on none.

    Args:
        binds: as `--bind` has them. umask: permissions that Unix sockets do not get; None: the process's own.
        backlog: connections that wait for `accept`, see listen(2).
    Raises:
        CannotListen: one of them is no good.
    """
    binds = tuple(binds)
    found: list[Bound] = []
    try:
        for bind in binds:
            found.append(_open(bind, binds, umask, backlog))
    except BaseException:
        for one in found:
            one.sock.close()
            one.remove()
        raise
    return found


def passed_on(environ: MutableMapping[str, str]) -> list[Bound]:
    """The sockets that systemd, or another program in its manner, has opened for this process. May be none.

    Its variables are removed, since they are not for programs that this one starts.

    Raises:
        CannotListen: one of them is no listening stream socket.
    Source: sd_listen_fds(3).
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return [_adopt(number, "LISTEN_FDS") for number in range(_FIRST, _FIRST + int(count))]


def _open(bind: str, binds: tuple[str, ...], umask: int | None, backlog: int) -> Bound:
    try:
        if bind.startswith("unix:"):
            path = bind.removeprefix("unix:")
            if path in ("", "@"):  # the system would choose a name that no client knows
                raise CannotListen(f"--bind: {bind!r} has no path", 2)
            return _open_unix(path, umask, backlog)
        if bind.startswith("fd://"):
            number = bind.removeprefix("fd://")
            if not number.isdecimal():
                raise CannotListen(f"--bind: {bind!r} has no number of a descriptor", 2)
            return _adopt(int(number), bind)
        host, port = _host_and_port(bind)
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        # Linux lets [::] have IPv4 as well. Where both are asked for, it must not.
        alone = family == socket.AF_INET6 and any(_is_ipv4_with(port, other) for other in binds)
        return Bound(_listening(family, address, backlog, alone))
    except OSError as error:
        raise CannotListen(f"cannot listen on {bind}: {error.strerror or error}") from None


def _host_and_port(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise CannotListen(f"--bind: {bind!r} is neither HOST:PORT nor unix:PATH nor fd://N", 2)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _is_ipv4_with(port: int, bind: str) -> bool:
    if bind.startswith(("unix:", "fd://")):
        return False
    host, other = _host_and_port(bind)
    return other == port != 0 and ":" not in host


def _listening(family: int, address: Any, backlog: int, only_ipv6: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if only_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _adopt(number: int, origin: str) -> Bound:
    """A socket that is open already."""
    try:
        sock = socket.socket(fileno=number)
        kind = sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise CannotListen(f"{origin}: descriptor {number} is no socket: {error.strerror}") from None
    if kind != socket.SOCK_STREAM or not listens:
        sock.detach()
        what = "does not listen" if kind == socket.SOCK_STREAM else "is no stream socket"
        raise CannotListen(f"{origin}: descriptor {number} {what}; ListenStream= is what makes one that does")
    sock.set_inheritable(False)
    return Bound(sock)


# Unix sockets


def _open_unix(path: str, umask: int | None, backlog: int) -> Bound:
    if path.startswith("@"):
        return Bound(_listening(socket.AF_UNIX, "\0" + path[1:], backlog))
    with _masked(umask):
        try:
            return Bound(_listening(socket.AF_UNIX, path, backlog), path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not _is_stale(path):
                raise
        os.unlink(path)
        return Bound(_listening(socket.AF_UNIX, path, backlog), path)


@contextmanager
def _masked(umask: int | None) -> Any:
    if umask is None:
        yield
        return
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


def _is_stale(path: str) -> bool:
    """It is a socket that no process listens on any more: the one that made it was killed."""
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _inode(path: str) -> tuple[int, int] | None:
    """Which file it is, so that only our own is removed."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
