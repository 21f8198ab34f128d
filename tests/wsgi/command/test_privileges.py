"""The user and the group of workers."""

import os
import pwd
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from greening.wsgi.command.privileges import BadIdentity, Identity, allow_descriptors, identity
from tests.wsgi.processes import ROOT, Start, change

NOBODY = pwd.getpwnam("nobody")

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


def test_nothing_is_named() -> None:
    assert identity(None, None) is None


@only_root
@pytest.mark.parametrize("user", ["nobody", str(NOBODY.pw_uid)])
def test_a_user_brings_its_group(user: str) -> None:
    assert identity(user, None) == Identity(NOBODY.pw_uid, NOBODY.pw_gid, "nobody", NOBODY.pw_dir)
    assert identity(user, "0") == Identity(NOBODY.pw_uid, 0, "nobody", NOBODY.pw_dir)


@only_root
def test_a_number_without_an_entry_needs_a_group() -> None:
    assert identity("54321", "54322") == Identity(54321, 54322, "", "")
    with pytest.raises(BadIdentity, match="name its group by --group"):
        identity("54321", None)


def test_a_group_alone_leaves_the_user() -> None:
    found = identity(None, str(os.getegid()))
    assert found is not None
    assert (found.uid, found.gid) == (os.geteuid(), os.getegid())
    found.take_on()  # it is this process's own already


@pytest.mark.parametrize(
    ("user", "group", "problem"),
    [("no-such-user", None, "no user 'no-such-user'"), (None, "no-such-group", "no group 'no-such-group'")],
)
def test_names_that_the_system_does_not_know(user: str | None, group: str | None, problem: str) -> None:
    with pytest.raises(BadIdentity, match=problem):
        identity(user, group)


def test_only_root_may_become_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(BadIdentity, match="only root"):
        identity("root", None)


@only_root
@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ("'nobody', None", f"{NOBODY.pw_uid} {NOBODY.pw_gid} [{NOBODY.pw_gid}] nobody {NOBODY.pw_dir}"),
        ("'54321', '54322'", "54321 54322 [54322] root /root"),
    ],
)
def test_it_is_taken_on_for_good(made: str, expected: str) -> None:
    program = f"""
import os
from greening.wsgi.command.privileges import identity
identity({made}).take_on()
print(os.getuid(), os.getgid(), os.getgroups(), os.environ["USER"], os.environ["HOME"])
try:
    os.setuid(0)
except PermissionError:
    print("for good")
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "USER": "root", "HOME": "/root"}
    told = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == [expected, "for good"]


EVIL = """
import os, socket

def app(environ, start_response):
    for name in os.listdir("/proc/self/fd"):
        try:
            sock = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        if sock.family == socket.AF_UNIX and sock.type == socket.SOCK_SEQPACKET:
            sock.send(b"pid " + environ["QUERY_STRING"].encode())
    while True:
        pass
"""


@only_root
@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_a_worker_cannot_have_the_supervisor_kill_a_foreign_process(
    start: Start, folder: Path, options: tuple[str, ...]
) -> None:
    change(folder, EVIL)
    folder.chmod(0o755)
    for path in folder.parents[:-1]:
        path.chmod(path.stat().st_mode | 0o001)
    command = start("--user", "nobody", "--timeout", "0.4", *options, "site1:app")
    command.listening()
    with subprocess.Popen(["sleep", "100"]) as victim:
        for text in (str(victim.pid), "x"):
            with suppress(ConnectionResetError):
                assert command.ask(f"/?{text}").data() == b""
            command.until("has been stuck")
            command.until("Fatal Python error: Aborted")
        assert victim.poll() is None
        victim.kill()
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


@pytest.mark.parametrize("text", ["4294967295", "99999999999", "9" * 30])
def test_numbers_that_no_system_has(text: str) -> None:
    with pytest.raises(BadIdentity, match="is no number of the system"):
        identity(None, text)
    with pytest.raises(BadIdentity, match="is no number of the system"):
        identity(text, "0")


@pytest.mark.parametrize(
    ("limits", "wanted", "expected"),
    [
        ((1024, 4096), 1536, [(1536, 4096)]),
        ((1024, 1200), 1536, [(1200, 1200)]),
        ((4096, 4096), 1536, []),
        ((1024, resource.RLIM_INFINITY), 1536, [(1536, resource.RLIM_INFINITY)]),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 1536, []),
    ],
)
def test_a_worker_may_have_as_many_descriptors_as_connections(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: int, expected: list[tuple[int, int]]
) -> None:
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda what, new: said.append(new))
    allow_descriptors(wanted)
    assert said == expected
