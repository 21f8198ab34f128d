"""`python -m greening.wsgi`: what it serves, where it listens, and what is wrong with a command line."""

import signal
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

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
