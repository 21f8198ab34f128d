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

from greening.net.convenience import begin_to_listen

_LAST = 2**31 - 1  # the highest number that a descriptor can have
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
        """Let a Unix socket belong to that user and group; -1: as it is.

        Raises:
            CannotListen: another file has taken its place.
        """
        if not self._made:
            return
        # Its folder may belong to somebody else, who can put another file there meanwhile: only a socket is given away,
        # and exactly the one that was looked at.
        descriptor = os.open(self._made, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            own = (status.st_dev, status.st_ino) == self._inode
            if not own or not stat.S_ISSOCK(status.st_mode) or status.st_nlink != 1:
                raise CannotListen(f"the file of unix:{self._made} is not the one that was made: something replaced it")
            os.chown(f"/proc/self/fd/{descriptor}", uid, gid)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the file of a Unix socket, if it is still the one that was made here."""
        if self._inode is not None and self._inode == _inode(self._made):
            os.unlink(self._made)


def open_all(binds: Iterable[str], umask: int | None, backlog: int, option: str = "--bind") -> list[Bound]:
    """Listen on all of them, or on none.

    Args:
        binds: as `--bind` has them. umask: permissions that Unix sockets do not get; None: the process's own.
        backlog: connections that wait for `accept`, see listen(2).
        option: where they were said, for the text of an error.
    Raises:
        CannotListen: one of them is no good.
    """
    binds = tuple(binds)
    found: list[Bound] = []
    try:
        for bind in binds:
            if bind.startswith("fd://") and binds.count(bind) > 1:
                raise CannotListen(f"{bind} is there twice: a descriptor can be taken over once", 2)
            found.extend(_open(bind, binds, umask, backlog))
    except BaseException as error:
        for one in found:
            one.sock.close()
            one.remove()
        if isinstance(error, CannotListen) and error.status == 2:
            raise CannotListen(f"{option}: {error}", 2) from None
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


def _open(bind: str, binds: tuple[str, ...], umask: int | None, backlog: int) -> list[Bound]:
    try:
        if bind.startswith("unix:"):
            path = bind.removeprefix("unix:")
            if path in ("", "@"):  # the system would choose a name that no client knows
                raise CannotListen(f"{bind!r} has no path", 2)
            return [_open_unix(path, umask, backlog)]
        if bind.startswith("fd://"):
            number = bind.removeprefix("fd://")
            if not number.isdecimal() or int(number) > _LAST:
                raise CannotListen(f"{bind!r} has no number of a descriptor", 2)
            return [_adopt(int(number), bind)]
        host, port = _host_and_port(bind)
        # Linux lets [::] have IPv4 as well. Where both are asked for, it must not.
        alone = any(_is_ipv4_with(port, other) for other in binds)
        return [Bound(sock) for sock in _of_name(host or "0.0.0.0", port, backlog, alone)]
    except OSError as error:
        raise CannotListen(f"cannot listen on {bind}: {error.strerror or error}") from None


def _of_name(host: str, port: int, backlog: int, only_ipv6: bool) -> list[socket.socket]:
    """Listen on all addresses of a name, such as both of localhost, with one port.

    An address that this machine does not have is left out, as long as there is another one: /etc/hosts names ::1 also
    where IPv6 is off.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    only_ipv6 = only_ipv6 or len({family for family, _ in places}) > 1
    made: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in places:
            if made and not port:  # 0: the system has chosen one for the first address
                address = (address[0], made[0].getsockname()[1], *address[2:])
            try:
                made.append(_listening(family, address, backlog, only_ipv6 and family == socket.AF_INET6))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error
        if not made and missing is not None:
            raise missing
    except BaseException:
        for sock in made:
            sock.close()
        raise
    return made


def _host_and_port(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise CannotListen(f"{bind!r} is neither HOST:PORT nor unix:PATH nor fd://N", 2)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _is_ipv4_with(port: int, bind: str) -> bool:
    if bind.startswith(("unix:", "fd://")):
        return False
    host, other = _host_and_port(bind)
    return other == port != 0 and ":" not in host


def _listening(family: int, address: Any, backlog: int, only_ipv6: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    options = [] if family == socket.AF_UNIX else [(socket.SOL_SOCKET, socket.SO_REUSEADDR)]
    if only_ipv6:
        options.append((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    begin_to_listen(sock, address, backlog, options)
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
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
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
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
