"""Listening sockets: what an address may be, Unix sockets and their files, sockets that are open already."""

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from greening.wsgi.command import binds
from greening.wsgi.command.binds import Bound, CannotListen, open_all
from greening.wsgi.environ import url


def opened(bind: str, umask: int | None = None) -> Bound:
    return open_all([bind], umask, 5)[0]


def refused(*several: str) -> CannotListen:
    with pytest.raises(CannotListen) as error:
        open_all(several, None, 5)
    return error.value


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:0", "http://127.0.0.1:{port}"),
        ("localhost:0", "http://127.0.0.1:{port}"),
        (":0", "http://127.0.0.1:{port} (and every other IPv4 address of this machine)"),
        ("[::1]:0", "http://[::1]:{port}"),
        ("[::]:0", "http://[::1]:{port} (and every other address of this machine)"),
    ],
)
def test_an_address_is_host_and_port(bind: str, expected: str) -> None:
    try:
        sock = opened(bind).sock
    except CannotListen:
        assert "::" in bind
        pytest.skip("a machine without IPv6")
    with sock:
        address = sock.getsockname()
        assert url(address, False) in (expected.format(port=address[1]), f"http://[::1]:{address[1]}")
        assert url(address, True).startswith("https://")


@pytest.mark.parametrize(
    "bind", ["here", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "a:-1", "fd://x", "unix:", "unix:@"]
)
def test_what_is_no_address_is_refused(bind: str) -> None:
    error = refused(bind)
    assert error.status == 2
    assert repr(bind) in str(error)


def test_all_or_none(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        error = refused(f"unix:{tmp_path}/s", bind)
    assert str(error) == f"cannot listen on {bind}: Address already in use"
    assert error.status == 1
    assert not (tmp_path / "s").exists()


def test_ipv4_and_ipv6_with_the_same_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    try:
        both = open_all([f"[::]:{port}", f"0.0.0.0:{port}"], None, 5)
    except CannotListen as error:
        assert "Address family" in str(error)
        pytest.skip("a machine without IPv6")
    for one in both:
        one.sock.close()


# Unix sockets


def test_a_unix_socket_that_no_process_listens_on_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(path)
    bound = opened(f"unix:{path}")
    with bound.sock as sock:
        assert sock.getsockname() == path
        assert url(path, False) == f"unix:{path}"
        assert url(path, True) == f"unix:{path} (https)"
    bound.remove()
    assert not os.path.exists(path)


def test_a_unix_socket_that_is_listened_on_and_a_plain_file_stay(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with opened(f"unix:{tmp_path}/s").sock as sock:
        for name in ("s", "file"):
            assert refused(f"unix:{tmp_path}/{name}").status == 1
        assert os.path.exists(sock.getsockname())
    assert (tmp_path / "file").read_text() == "precious"


def test_only_the_socket_that_was_made_here_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    bound = opened(f"unix:{path}")
    bound.sock.close()
    path.rename(tmp_path / "elsewhere")
    path.write_text("another's")
    bound.remove()
    assert path.read_text() == "another's"


@pytest.mark.parametrize("umask", [0o007, 0o077])
def test_permissions_of_a_unix_socket(tmp_path: Path, umask: int) -> None:
    before = os.umask(0o022)
    try:
        opened(f"unix:{tmp_path}/s", umask).sock.close()
        assert stat.S_IMODE(os.stat(tmp_path / "s").st_mode) == 0o777 & ~umask
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_an_abstract_socket_has_no_file() -> None:
    name = f"greening-{os.getpid()}"
    bound = opened(f"unix:@{name}")
    with bound.sock as sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(f"\0{name}")
        assert url(sock.getsockname(), False) == f"unix:@{name}"
    bound.remove()
    bound.give_to(os.getuid(), os.getgid())


# Sockets that are open already


def test_a_descriptor_is_taken_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        number = os.dup(theirs.fileno())
        with opened(f"fd://{number}").sock as sock:
            assert sock.getsockname() == theirs.getsockname()
            assert not os.get_inheritable(number)


def test_a_descriptor_that_does_not_listen_is_refused(tmp_path: Path) -> None:
    with socket.socket() as mute, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        assert "does not listen" in str(refused(f"fd://{mute.fileno()}"))
        assert "is no stream socket" in str(refused(f"fd://{datagrams.fileno()}"))
    with open(tmp_path / "file", "w") as file:
        assert f"descriptor {file.fileno()} is no socket" in str(refused(f"fd://{file.fileno()}"))


def test_sockets_of_another_process_are_not_taken() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "OTHER": "1"}
    assert binds.passed_on(environ) == []
    assert environ == {"OTHER": "1"}
    assert binds.passed_on({}) == []


def test_sockets_that_were_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        monkeypatch.setattr(binds, "_FIRST", os.dup(theirs.fileno()))
        (bound,) = binds.passed_on({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
        with bound.sock as sock:
            assert sock.getsockname() == theirs.getsockname()


def test_a_descriptor_is_taken_over_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        error = refused(*[f"fd://{theirs.fileno()}"] * 2)
        assert error.status == 2
        assert "is there twice" in str(error)
        theirs.getsockname()  # it was not closed
    assert "no number of a descriptor" in str(refused("fd://99999999999"))


def test_all_addresses_of_a_name_are_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = (socket.SOCK_STREAM, 6, "")
    found: list[Any] = [(socket.AF_INET, *stream, (f"127.0.0.{last}", 0)) for last in (1, 2, 2)]
    missing = (socket.AF_INET, *stream, ("203.0.113.1", 0))  # no machine has it, RFC 5737
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found[0], missing, *found[1:]])
    both = open_all(["both:0"], None, 5)
    names = [bound.sock.getsockname() for bound in both]
    for bound in both:
        bound.sock.close()
    assert [host for host, _ in names] == ["127.0.0.1", "127.0.0.2"]
    assert len({port for _, port in names}) == 1
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [missing])
    assert "Cannot assign requested address" in str(refused("none:0"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_has_taken_the_place_of_a_unix_socket_is_not_given_away(tmp_path: Path) -> None:
    bound = opened(f"unix:{tmp_path}/s")
    bound.give_to(65534, 65534)
    assert os.stat(tmp_path / "s").st_uid == 65534
    (tmp_path / "precious").write_text("")
    for link in (os.symlink, os.link):
        os.unlink(tmp_path / "s")
        link(tmp_path / "precious", tmp_path / "s")
        with pytest.raises((CannotListen, OSError)):
            bound.give_to(65534, 65534)
    assert os.stat(tmp_path / "precious").st_uid == 0
    bound.sock.close()


def test_a_mistake_is_told_with_its_option() -> None:
    with pytest.raises(CannotListen, match=r"^--metrics: 'foo' is neither"):
        open_all(["foo"], None, 5, "--metrics")
