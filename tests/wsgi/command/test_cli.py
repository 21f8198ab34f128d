"""`python -m greening.wsgi`: what it serves, where it listens, and what is wrong with a command line."""

import os
import pwd
import signal
import socket
import ssl
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
import trustme

from tests.wsgi.processes import APP, Command, Start, change


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["site1", "site1:app", "site1:Site.wsgi", "site1:factory('x', loud=True)"])
def test_serves_what_is_named(start: Start, spec: str) -> None:
    command = start(spec).listening()
    told = command.get()
    assert told["patched"]
    assert not told["multiprocess"]
    assert told["pid"] != command.process.pid
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


# Sockets and certificates


@pytest.mark.slow
def test_unix_socket(start: Start, folder: Path) -> None:
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    command = start("site1:app", bind=f"unix:{path}").listening()
    assert command.get()["version"] == 1
    second = start("site1:app", bind=f"unix:{path}")
    assert second.end() == (1, "")
    assert second.errors == f"greening.wsgi: cannot listen on unix:{path}: Address already in use\n"
    assert command.get()["version"] == 1
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad", [("--bind", "unix:missing/s"), ("--on-starting", "site1:nothing"), ("--pid", "missing/p")]
)
def test_a_start_that_is_refused_leaves_no_socket_of_the_metrics(
    start: Start, folder: Path, bad: tuple[str, str]
) -> None:
    command = start("--metrics", f"unix:{folder}/metrics", *bad, "site1:app")
    assert command.end()[0] == 1
    assert not (folder / "metrics").exists()


def certificate(folder: Path) -> ssl.SSLContext:
    """Write a new one; a client's context that believes in no other."""
    authority = trustme.CA()
    mine = authority.issue_cert("localhost")
    mine.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.slow
def test_sighup_brings_new_certificates(start: Start, folder: Path) -> None:
    first = certificate(folder)
    command = start("--certfile", "both.pem", "site1:app").listening()
    command.context = first
    assert command.get()["scheme"] == "https"
    command.context = certificate(folder)
    with pytest.raises(ssl.SSLCertVerificationError):
        command.get()
    command.signal(signal.SIGHUP)
    command.until("reloaded")
    while True:  # the old worker takes a connection, perhaps, until it is told to leave
        with suppress(ssl.SSLCertVerificationError):
            assert command.get()["scheme"] == "https"
            break
    (folder / "both.pem").write_text("nonsense")
    command.signal(signal.SIGHUP)
    command.until("not reloaded, everything stays as it is: ")
    assert command.get()["scheme"] == "https"
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0


# What is wrong is said in a line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["site1:"], 2, "'site1:' is not of the form module:app, e.g. mysite.wsgi:application"),
        (["site1:a b"], 2, "'site1:a b': 'a b' is neither a name nor a call of one with literals as arguments"),
        (["nowhere1.a:app"], 1, "no module named 'nowhere1', neither in {folder} nor elsewhere on sys.path"),
        (["site1:nope"], 1, "'site1:nope': module 'site1' has no attribute 'nope'"),
        (["site1:number"], 1, "'site1:number' cannot be called: it is of type 'int'"),
        (["json"], 1, "module 'json' has neither 'application' nor 'app': name it, as in json:NAME"),
        (["--certfile", "no.pem", "site1"], 1, "cannot read no.pem: No such file or directory"),
        (["--certfile", "site1.py", "site1"], 1, "not a certificate with its private key: site1.py: "),
        (["--bind", "here", "site1"], 2, "--bind: 'here' is neither HOST:PORT nor unix:PATH nor fd://N"),
    ],
)
def test_says_what_is_wrong(start: Start, folder: Path, arguments: list[str], status: int, said: str) -> None:
    command = start(*arguments)
    assert command.end() == (status, "")
    assert f"greening.wsgi: {said.format(folder=folder)}" in command.errors
    assert "Traceback" not in command.errors


@pytest.mark.slow
def test_port_in_use(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        command = start("site1:app", bind=bind)
        assert command.end() == (1, "")
    assert command.errors == f"greening.wsgi: cannot listen on {bind}: Address already in use\n"


@pytest.mark.slow
def test_says_where_a_bad_value_comes_from_and_prints_all_of_them(start: Start, folder: Path) -> None:
    command = start("site1:app", env={"GREENING_WSGI_WORKERS": "0"})
    assert command.end() == (2, "")
    assert command.errors == "greening.wsgi: GREENING_WSGI_WORKERS: '0' is no number of at least 1\n"
    (folder / "pyproject.toml").write_text('[tool.greening.wsgi]\napp = "site1"\nidle-timeout = 7\n')
    status, output = start("--print-config").end()
    assert status == 0
    assert "idle-timeout = 7.0  # pyproject.toml [tool.greening.wsgi]: idle-timeout\n" in output


@pytest.mark.slow
def test_limits_of_the_command_line_count(start: Start) -> None:
    command = start("--target", "20", "site1:app").listening()
    assert command.get()["version"] == 1
    assert command.ask("/" + "x" * 30).data().startswith(b"HTTP/1.1 414 ")


@pytest.mark.slow
def test_one_worker_serves_all_addresses(start: Start, folder: Path) -> None:
    command = start("--bind", f"unix:{folder}/s", "--umask", "077", "--bind", "unix:@greening-test", "site1:app")
    where = command.until(r"on http://127\.0\.0\.1:(\d+), unix:(\S+), unix:(@greening-test) \(1 worker")
    pids = set()
    for command.address in (("127.0.0.1", int(where[1])), where[2], "\0greening-test"):
        pids.add(command.get()["pid"])
    assert len(pids) == 1
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0
    assert not (folder / "s").exists()


# Its place in the system


LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="web")
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.slow
def test_sockets_of_systemd_are_served(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        number = held.fileno()
        launcher = [sys.executable, "-c", LAUNCHER, str(number)]
        command = start("site1:app", launcher=launcher, pass_fds=[number])
        command.until("--bind does not count: LISTEN_FDS says that the sockets are open already")
        command.listening()
        assert command.address == held.getsockname()
        assert command.get()["version"] == 1
        command.signal(signal.SIGTERM)
        assert command.end()[0] == 0
        with command.connect():  # nothing is refused between two runs: systemd has the socket
            pass


@pytest.mark.slow
def test_an_open_descriptor_is_served(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        number = held.fileno()
        command = start("site1:app", bind=f"fd://{number}", pass_fds=[number]).listening()
        assert command.get()["version"] == 1
        assert command.address == held.getsockname()


@pytest.mark.slow
def test_systemd_is_told_what_happens(start: Start, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(20)

        def told() -> dict[str, str]:
            while True:
                message = dict(line.split("=", 1) for line in manager.recv(500).decode().split("\n"))
                if "WATCHDOG" not in message:
                    return message

        environ = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "400000"}
        command = start("site1:app", env=environ)
        ready = told()
        assert (ready["READY"], ready["MAINPID"]) == ("1", str(command.process.pid))
        command.listening()
        assert manager.recv(500) == b"WATCHDOG=1"
        command.signal(signal.SIGHUP)
        reloading = told()
        assert reloading["RELOADING"] == "1"
        assert int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert told()["READY"] == "1"
        command.signal(signal.SIGTERM)
        assert told()["STOPPING"] == "1"
        assert command.end()[0] == 0


@pytest.mark.slow
def test_the_file_with_the_process_number(start: Start, folder: Path) -> None:
    command = start("--pid", "pid", "site1:app").listening()
    assert (folder / "pid").read_text() == f"{command.process.pid}\n"
    second = start("--pid", "pid", "site1:app")
    assert second.end() == (1, "")
    assert f"process {command.process.pid} of {folder}/pid lives" in second.errors
    command.signal(signal.SIGTERM)
    assert command.end()[0] == 0
    assert not (folder / "pid").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("preload", ["--preload", "--no-preload"])
def test_workers_are_another_user(preload: str) -> None:
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as name:  # the folders of pytest are for its own user only
        folder = Path(name)
        folder.chmod(0o755)
        change(folder, APP.replace("os.getpid()", "(os.getuid(), os.getgroups())"))
        with closing(
            Command(folder, preload, "--user", "nobody", "--bind", f"unix:{folder}/s", "site1:app")
        ) as command:
            assert command.listening().get()["pid"] == (nobody.pw_uid, [nobody.pw_gid])
            assert (folder / "s").stat().st_uid == nobody.pw_uid
            assert Path(f"/proc/{command.process.pid}").stat().st_uid == 0
            command.signal(signal.SIGTERM)
            assert command.end()[0] == 0
