"""`python -m greening.wsgi`: what it serves, where it listens, and what is wrong with a command line."""

import os
import signal
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from greening.wsgi import cli
from greening.wsgi.cli import parse
from tests.wsgi.command import Start


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
        (["--bind", "here", "site1"], 2, "--bind: 'here' is neither HOST:PORT nor unix:PATH"),
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


@pytest.mark.parametrize(
    "arguments",
    [["a", "--workers", "0"], ["a", "--workers", "x"], ["a", "--keyfile", "k"], ["a", "--graceful-timeout", "-1"]],
)
def test_refuses_options_that_make_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def listener(bind: str) -> Any:
    return cli._listen(bind)


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:0", "http://127.0.0.1:{port}"),
        ("localhost:0", "http://127.0.0.1:{port}"),
        (":0", "http://0.0.0.0:{port}"),
        ("[::1]:0", "http://[::1]:{port}"),
    ],
)
def test_an_address_is_host_and_port(bind: str, url: str) -> None:
    try:
        sock = listener(bind)
    except SystemExit:
        assert "::" in bind
        pytest.skip("a machine without IPv6")
    with sock:
        address = sock.getsockname()
        assert cli._url(address, False) in (url.format(port=address[1]), f"http://[::1]:{address[1]}")
        assert cli._url(address, True).startswith("https://")


@pytest.mark.parametrize("bind", ["here", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "a:-1"])
def test_what_is_neither_host_and_port_nor_a_path_is_refused(bind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        listener(bind)
    assert ended.value.code == 2


def test_a_unix_socket_that_no_process_listens_on_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(path)
    with listener(f"unix:{path}") as sock:
        assert sock.getsockname() == path
        assert cli._inode(path) is not None
        assert cli._url(path, False) == f"unix:{path}"
        assert cli._url(path, True) == f"unix:{path} (https)"


def test_a_unix_socket_that_is_listened_on_and_a_plain_file_stay(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with listener(f"unix:{tmp_path}/s") as sock:
        for name in ("s", "file"):
            with pytest.raises(SystemExit) as ended:
                listener(f"unix:{tmp_path}/{name}")
            assert ended.value.code == 1
        assert os.path.exists(sock.getsockname())
    assert (tmp_path / "file").read_text() == "precious"


def test_addresses_without_a_file_have_no_inode(tmp_path: Path) -> None:
    assert cli._inode(("127.0.0.1", 80)) is None
    assert cli._inode(str(tmp_path / "gone")) is None


def test_the_defaults_of_the_command_line() -> None:
    options = vars(parse(["site:app"]))
    assert options == {
        "app": "site:app",
        "bind": "127.0.0.1:8000",
        "workers": 1,
        "connections": 1024,
        "certfile": None,
        "keyfile": None,
        "graceful_timeout": 30.0,
        "reload": False,
        "access_log": True,
        "debug": False,
    }
