"""The user and the group of the workers, and how many descriptors they may have.

The supervisor stays what it was, to open logs and read keys again.
"""

import grp
import os
import pwd
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class BadIdentity(Exception):
    """There is no such user or group, or this process may not become it."""


@dataclass(frozen=True)
class Identity:
    """What a process is to run as.

    Attributes:
        name: the user's, for its supplementary groups; "": the number has none. home: its folder; "": unknown.
    """

    uid: int
    gid: int
    name: str
    home: str

    def take_on(self) -> None:
        """Become it, for good, with its supplementary groups; HOME, USER and LOGNAME say so.

        Raises:
            OSError: the system does not let it.
        """
        if self._is_taken():
            return
        # In this order: without the user's rights the groups cannot be changed any more.
        self._take_groups()
        if self.name:
            os.environ.update(USER=self.name, LOGNAME=self.name, HOME=self.home)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)

    @contextmanager
    def assumed(self) -> Iterator[None]:
        """Have its rights, and no others, within the block: for files that it may lead to elsewhere.

        Raises:
            OSError: the system does not let it.
        Thread-safety: for a process with one OS thread, since all of them have its rights meanwhile.
        """
        if self._is_taken():
            yield
            return
        uid, gid, groups = os.geteuid(), os.getegid(), os.getgroups()
        try:
            self._take_groups()
            os.setegid(self.gid)
            os.seteuid(self.uid)
            yield
        finally:
            os.seteuid(uid)
            os.setegid(gid)
            os.setgroups(groups)

    def _take_groups(self) -> None:
        if self.name:
            os.initgroups(self.name, self.gid)
        else:
            os.setgroups([self.gid])

    def _is_taken(self) -> bool:
        return (self.uid, self.gid) == (os.geteuid(), os.getegid())


def identity(user: str | None, group: str | None) -> Identity | None:
    """The identity that `--user` and `--group` name, by name or number; None when they name nothing.

    Raises:
        BadIdentity: see there.
    """
    if user is None and group is None:
        return None
    uid, gid = os.geteuid(), os.getegid()
    entry = _user(user, uid)
    if user is not None:
        uid = entry.pw_uid if entry is not None else _number(user, "--user")
        gid = entry.pw_gid if entry is not None else gid
    if group is not None:
        gid = _group(group)
    elif user is not None and entry is None:
        raise BadIdentity(f"--user: the system does not know the number {user}; name its group by --group")
    if os.geteuid() != 0 and (uid, gid) != (os.geteuid(), os.getegid()):
        raise BadIdentity("--user and --group: only root may run workers as somebody else")
    return Identity(uid, gid, entry.pw_name if entry is not None else "", entry.pw_dir if entry is not None else "")


def _user(user: str | None, uid: int) -> pwd.struct_passwd | None:
    """Its entry; None for a number without one. Without `user`: that of this process."""
    if user is None or user.isdecimal():
        try:
            return pwd.getpwuid(uid if user is None else int(user))
        except (KeyError, OverflowError):
            return None
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise BadIdentity(f"--user: there is no user {user!r}") from None


def _group(group: str) -> int:
    if group.isdecimal():
        return _number(group, "--group")
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise BadIdentity(f"--group: there is no group {group!r}") from None


def _number(text: str, option: str) -> int:
    """Raises: BadIdentity: the system has no such numbers; the last one stands for "as it is" in chown(2)."""
    number = int(text)
    if number >= 2**32 - 1:
        raise BadIdentity(f"{option}: {text} is no number of the system: they end at {2**32 - 2}")
    return number


def allow_descriptors(wanted: int) -> None:
    """Raise this process's soft limit of descriptors to `wanted`, as far as the hard limit lets: getrlimit(2).

    The usual soft limit is 1,024: as many as a worker has connections, so that accept(2) would fail before the longest
    idle one goes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
