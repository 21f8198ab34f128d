"""Which clients get a prompt: users, tokens, and what counts as a line."""

import logging
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from greening import tpool
from greening._core.greenthread import kill, spawn
from greening.backdoor import backdoor, backdoor_server, entrance
from greening.backdoor.entrance import CutOff, Entrance, in_file_system, text_of, user_of
from greening.net.convenience import listen
from tests.backdoor.talking import TOKEN, Client


def test_lines_that_users_type() -> None:
    assert text_of(b"x = 1\r\n") == "x = 1\n"
    assert text_of("\tprint('é')\x1b[A\n".encode()) == "\tprint('é')\x1b[A\n"
    assert text_of(b"area = width * HTTP/2\n") == "area = width * HTTP/2\n"
    assert text_of(b"\xff\xfd\x06x\n") == "x\n"
    assert text_of(b"") == text_of(b"\x04\n") == ""
    assert text_of(b"x" * 8191 + b"\n") == "x" * 8191 + "\n"
    with pytest.raises(KeyboardInterrupt):
        text_of(b"\xff\xf4\xff\xfd\x06\r\n")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "an HTTP request"),
        (b"  M-SEARCH * HTTP/1.1\r\n", "an HTTP request"),
        (b"OPTIONS rtsp://a RTSP/1.0\r\n", "one of its kin"),
        (b"x" * 8193, "more than 8192 bytes"),
        (b"\xc3\x28\n", "no UTF-8"),
        (b"\x16\x03\x01\n", "control characters"),
        (b"\xff\xf4\0\n", "control characters"),
        ("\x85\n".encode(), "control characters"),
    ],
)
def test_lines_that_no_user_types(line: bytes, why: str) -> None:
    with pytest.raises(CutOff, match=why):
        text_of(line)


@pytest.mark.parametrize(("user", "let_in"), [(0, True), (None, True), (12345, False)])
def test_a_client_of_a_unix_socket_is_root_or_the_process_s_user(
    user: int | None, let_in: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if user is not None:
        monkeypatch.setattr(entrance, "user_of", lambda connection: user)
    monkeypatch.setattr(entrance.os, "geteuid", lambda: os.getuid())
    with listen(str(tmp_path / "prompt"), socket.AF_UNIX) as listener:
        thread = spawn(backdoor_server, listener)
        client = Client(listener.getsockname(), socket.AF_UNIX)
        if let_in:
            client.until()
            client.say("exit()")
        assert client.rest().strip() == ""
        client.sock.close()
        kill(thread)


def test_the_kernel_says_which_user_a_client_is() -> None:
    for sock in (pair := socket.socketpair()):
        assert user_of(sock) == os.geteuid()
        assert in_file_system(sock)
    for sock in pair:
        sock.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_turned_away() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = f"{folder}/prompt"
        with listen(path, socket.AF_UNIX) as listener:
            os.chmod(path, 0o777)
            thread = spawn(backdoor_server, listener)
            child = os.fork()
            if child == 0:
                os.setuid(65534)
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.connect(path)
                    os._exit(len(sock.recv(100)))
            assert tpool.execute(os.waitpid, child, 0) == (child, 0)
            kill(thread)


@pytest.mark.parametrize(
    ("user", "let_in"), [(os.geteuid(), True), (0, True), (os.geteuid() + 1, False), (None, False)]
)
def test_a_client_of_tcp_may_be_known_by_its_user(
    user: int | None, let_in: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(entrance, "tcp_user_of", lambda connection: user)
    names: dict[str, Any] = {}
    with listen(("127.0.0.1", 0)) as listener:
        thread = spawn(backdoor_server, listener, names, same_user=True)
        client = Client(listener.getsockname())
        client.say("seen = 1")
        if let_in:
            client.until()
            client.until()
            assert client.ask("seen") == "1\n"
            client.say("exit()")
        try:
            assert "token" not in client.rest()
        except ConnectionResetError:
            pass  # what it had sent was not read
        client.sock.close()
        kill(thread)
    assert names.get("seen") == (1 if let_in else None)
    assert ("was cut off" in caplog.text) is not let_in


def test_of_a_user_a_token_may_be_asked_as_well() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        thread = spawn(backdoor_server, listener, same_user=True, token=TOKEN)
        client = Client(listener.getsockname())
        client.enter()
        client.say("exit()")
        client.rest()
        client.sock.close()
        kill(thread)


@pytest.mark.parametrize("typed", [b"wrong\n", b"\n", b"x = 1\n", b"GET / HTTP/1.1\r\n\r\n", b"open sesame\0\n", b""])
def test_without_the_token_nothing_runs(typed: bytes, caplog: pytest.LogCaptureFixture) -> None:
    names: dict[str, Any] = {}
    before = sys.stdout
    with listen(("127.0.0.1", 0)) as listener:
        thread = spawn(backdoor_server, listener, names, token=TOKEN)
        client = Client(listener.getsockname())
        client.until(b"token: ")
        assert sys.stdout is before
        client.sock.sendall(typed + b"harm = 1\n" if typed else b"")
        client.sock.shutdown(socket.SHUT_WR)
        try:
            assert client.rest() == "wrong token\n"
        except ConnectionResetError:
            pass  # it was closed before the second line had been read
        client.sock.close()
        kill(thread)
    assert "harm" not in names
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert TOKEN not in caplog.text


def test_a_token_may_be_typed_in_telnet() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        thread = spawn(backdoor_server, listener, token=TOKEN)
        client = Client(listener.getsockname())
        client.sock.sendall(b"\xff\xfd\x03" + TOKEN.encode() + b"\r\n")
        client.until()
        assert client.ask("6 * 7") == "42\n"
        client.say("exit()")
        client.rest()
        client.sock.close()
        kill(thread)


def test_a_random_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with listen(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        thread = backdoor(listener.accept())
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        client.until(b"token: ")
        client.say(caplog.text.split()[-1])
        client.until()
        kill(thread)
        client.rest()
        client.sock.close()


def test_a_silent_client_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "_SECONDS", 0.01)
    with listen(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        thread = backdoor(listener.accept(), token=TOKEN)
        assert client.rest() == "token: "
        thread.wait(20)
        client.sock.close()


@pytest.mark.parametrize("token", ["", "  ", "two\nlines", "\0"])
def test_a_token_is_a_line(token: str) -> None:
    with listen(("127.0.0.1", 0)) as listener, pytest.raises(ValueError, match="a token is a line"):
        Entrance(listener, token)


def test_clients_without_a_token_leave_room_for_one_that_has_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(entrance, "_UNKNOWN", 2)
    with listen(("127.0.0.1", 0)) as listener:
        thread = spawn(backdoor_server, listener, token=TOKEN)
        admitted = Client(listener.getsockname())
        admitted.enter()
        silent = [Client(listener.getsockname()) for _ in range(2)]
        for client in silent:
            client.until(b"token: ")
        newcomer = Client(listener.getsockname())
        newcomer.enter()
        assert silent[0].rest() == ""
        assert admitted.ask("6 * 7") == newcomer.ask("6 * 7") == "42\n"
        silent[1].say(TOKEN)
        silent[1].until()
        assert "others came before its token" in caplog.text
        for client in (admitted, newcomer, silent[1]):
            client.say("exit()")
            client.rest()
        for client in (admitted, newcomer, *silent):
            client.sock.close()
        kill(thread)
