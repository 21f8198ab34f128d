"""`python -m greening.wsgi` as those see it who run it: logs, metrics, proxies, certificates, in real processes."""

import json
import os
import re
import signal
import socket
import ssl
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.wsgi.processes import Command, Start

pytestmark = pytest.mark.slow


def stopped(command: Command) -> str:
    command.signal(signal.SIGTERM)
    status, output = command.end()
    assert status == 0, command.errors
    return output


def sent(command: Command, data: bytes) -> bytes:
    with command.connect() as sock:
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_access_lines_in_a_file_of_a_format_of_ones_own(start: Start, folder: Path) -> None:
    template = "%(client_ip)s %(method)s %(path)s %(status_class)s %({user-agent}i)s %({content-type}o)s"
    command = start("--access-log", "a.log", "--access-log-format", template, "site1:app").listening()
    command.get("/x?y")
    assert stopped(command) == ""
    assert (folder / "a.log").read_text() == "127.0.0.1 GET /x 2xx me text/plain\n"


def test_access_lines_in_json(start: Start) -> None:
    command = start("--log-json", "site1:app").listening()
    pid = command.get("/x?y")["pid"]
    said = json.loads(stopped(command))
    assert (said["path"], said["query"], said["status_code"], said["pid"]) == ("/x", "y", 200, pid)


def test_log_files_that_are_renamed_are_opened_anew_and_no_line_is_lost_or_doubled(start: Start, folder: Path) -> None:
    (folder / "e.log").touch()
    command = start(
        "-w",
        "2",
        "--access-log",
        "a.log",
        "--access-log-format",
        "%(path)s",
        "--error-log",
        "e.log",
        "site1:app",
        bind="unix:s",
    )
    command.address = str(folder / "s")
    while "unix:s" not in (folder / "e.log").read_text():
        assert command.process.poll() is None
    asked = 0

    def ask_until(done: Callable[[], object]) -> None:
        nonlocal asked
        while not done():
            command.get(f"/{asked}")
            asked += 1

    for number in range(3):
        ask_until((folder / "a.log").read_text)
        for name in ("a.log", "e.log"):
            (folder / name).rename(folder / f"{name}.{number}")
        command.signal(signal.SIGUSR1)
        ask_until((folder / "a.log").exists)
    ask_until((folder / "a.log").read_text)
    stopped(command)
    files = [folder / "a.log", *(folder / f"a.log.{number}" for number in range(3))]
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted(f"/{number}" for number in range(asked))
    assert all(file.stat().st_size for file in files)
    assert "finishing" in (folder / "e.log").read_text()


def test_nothing_of_a_long_field_makes_a_long_line(start: Start) -> None:
    command = start("site1:app").listening()
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: " + b"\xff" * 60_000 + b"\r\n\r\n"
    assert sent(command, head).startswith(b"HTTP/1.1 200")
    (line,) = stopped(command).splitlines()
    assert len(line) < 4096 and '" 200 ' in line and re.search(r"\\xff\[\+\d+\]\"$", line)


def test_errors_in_a_file(start: Start, folder: Path) -> None:
    (folder / "wrong.py").write_text("def app(environ, start_response):\n    raise ValueError('so wrong')\n")
    (folder / "e.log").touch()
    command = start("--error-log", "e.log", "wrong:app", bind="unix:s")
    while "unix:s" not in (folder / "e.log").read_text():  # its standard error says nothing
        assert command.process.poll() is None
    command.address = str(folder / "s")
    assert command.ask().data().startswith(b"HTTP/1.1 500")
    stopped(command)
    said = (folder / "e.log").read_text()
    assert "ValueError: so wrong" in said and "finishing" in said
    assert command.errors == ""


@pytest.mark.parametrize("option", ["--access-log", "--error-log"])
def test_a_log_that_cannot_be_written_is_told_at_the_start(start: Start, option: str) -> None:
    command = start(option, "no/such.log", "site1:app")
    assert command.end() == (1, "")
    assert command.errors == "greening.wsgi: cannot write the log no/such.log: No such file or directory\n"


def numbers(address: tuple[str, int]) -> dict[str, float]:
    with urllib.request.urlopen("http://{}:{}/metrics".format(*address), timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def until_counted(address: tuple[str, int], name: str, number: int) -> None:
    """A request is counted when its answer has been sent: the client may be a little ahead."""
    while (found := numbers(address).get(name, 0)) != number:
        assert found < number


def test_metrics_are_the_sum_over_all_workers_and_a_workers_death_loses_nothing(start: Start) -> None:
    command = start("-w", "3", "--metrics", "127.0.0.1:0", "site1:app")
    address = ("127.0.0.1", int(command.until(r"metrics at http://127\.0\.0\.1:(\d+)/metrics")[1]))
    command.listening()
    requests = 'greening_wsgi_requests_total{method="GET",status="2xx"}'
    asked = 5
    pids = [command.get()["pid"] for _ in range(asked)]
    until_counted(address, requests, asked)
    os.kill(pids[-1], signal.SIGKILL)
    command.until("was killed by SIGKILL")
    for _ in range(5):
        command.get()
    until_counted(address, requests, asked + 5)
    while numbers(address)["greening_wsgi_workers"] != 3:
        pass
    found = numbers(address)
    assert found["greening_wsgi_worker_starts_total"] == 4
    assert f'greening_wsgi_worker_start_time_seconds{{pid="{pids[-1]}"}}' not in found
    stopped(command)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_an_address_of_metrics_that_is_taken_is_told(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = "{}:{}".format(*taken.getsockname())
        command = start("--metrics", where, "site1:app")
        assert command.end() == (1, "")
    assert command.errors == f"greening.wsgi: --metrics: cannot listen on {where}: Address already in use\n"


def test_statsd(start: Start) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(20)
        where = "{}:{}".format(*statsd.getsockname())
        command = start("--statsd", where, "--statsd-prefix", "me.", "site1:app").listening()
        command.get()
        while b"me.requests.GET.2xx:1|c" not in statsd.recv(2000):
            pass
        stopped(command)


def test_proxies(start: Start) -> None:
    command = start(
        "--forwarded-allow-ips", "127.0.0.1", "--access-log-format", "%(client_ip)s", "site1:app"
    ).listening()
    fields = b"X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
    answer = sent(command, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n")
    assert b"'scheme': 'https'" in answer
    assert stopped(command) == "1.2.3.4\n"


def test_the_proxy_protocol(start: Start) -> None:
    command = start("--proxy-protocol", "--access-log-format", "%(client_ip)s", "site1:app").listening()
    get = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert sent(command, b"PROXY TCP4 1.2.3.4 5.6.7.8 9 80\r\n" + get).startswith(b"HTTP/1.1 200")
    with suppress(ConnectionResetError):
        assert sent(command, get) == b""
    command.until("closed: no PROXY protocol header")
    assert stopped(command) == "1.2.3.4\n"


def test_static_files_with_a_warning(start: Start, folder: Path) -> None:
    (folder / "files").mkdir()
    (folder / "files" / "x.txt").write_text("hello")
    command = start("--static", "/s=files", "site1:app")
    command.until("--static is for development")
    command.listening()
    assert command.ask("/s/x.txt").data().endswith(b"hello")
    assert command.get("/other")["version"] == 1
    stopped(command)


def test_certificates_of_clients_and_several_of_our_own(start: Start, folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for host in ("localhost", "b.org"):
        authority.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(str(folder / f"{host}.pem"))
    tls = ("--certfile", "localhost.pem", "--sni", "b.org=b.org.pem", "--ca-certs", "ca.pem")
    command = start(*tls, "--access-log-format", "%({SSL_CLIENT_S_DN_CN}e)s", "site1:app").listening()
    for host in ("localhost", "b.org"):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        authority.issue_cert("ann", common_name="ann").configure_cert(context)
        with socket.create_connection(command.address) as raw, context.wrap_socket(raw, server_hostname=host) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
    assert sent(command, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")  # plain HTTP
    assert stopped(command) == "ann\nann\n"


def test_an_encrypted_key_is_an_error_at_the_start_and_at_a_reload(start: Start, folder: Path) -> None:
    authority = trustme.CA()
    mine: Any = authority.issue_cert("localhost")
    mine.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    command = start("--certfile", "both.pem", "site1:app").listening()
    key = load_pem_private_key(mine.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    (folder / "both.pem").write_bytes(locked + mine.cert_chain_pems[0].bytes())
    command.signal(signal.SIGHUP)
    command.until("not reloaded, everything stays as it is: both.pem: the private key is encrypted")
    stopped(command)
    second = start("--certfile", "both.pem", "site1:app")
    assert second.end() == (1, "")
    assert "both.pem: the private key is encrypted, and there is no password" in second.errors
    (folder / "word").write_text("word\n")
    third = start("--certfile", "both.pem", "--keyfile-password-file", "word", "site1:app").listening()
    third.context = ssl.create_default_context()
    authority.configure_trust(third.context)
    assert third.get()["scheme"] == "https"
    stopped(third)
