"""eventlet.backdoor: a prompt without a token, for this user and root."""

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import kill, spawn
from greening.backdoor import entrance
from greening.compat.eventlet.backdoor import backdoor, backdoor_server
from greening.net.convenience import listen
from tests.backdoor.talking import Client


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_clients_of_this_user_are_asked_for_nothing(host: str) -> None:
    with listen((host, 0)) as listener:
        thread = spawn(backdoor_server, listener, {"x": 42})
        client = Client(("127.0.0.1", listener.getsockname()[1]))
        banner = client.until()
        assert banner.startswith(f"Python {sys.version} on {sys.platform}\n")
        assert banner.endswith("\n(InteractiveConsole)\n")
        assert client.ask("x + 1") == "43\n"
        client.say("exit()")
        client.rest()
        client.sock.close()
        kill(thread)


def test_a_unix_socket(tmp_path: Path) -> None:
    with listen(str(tmp_path / "prompt"), socket.AF_UNIX) as listener:
        thread = spawn(backdoor_server, listener, locals={"x": 1})
        client = Client(listener.getsockname(), socket.AF_UNIX)
        client.until()
        assert client.ask("x") == "1\n"
        client.say("quit()")
        client.rest()
        client.sock.close()
        kill(thread)


def test_one_connection() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        thread = backdoor(listener.accept(), {"z": 5})
        client.until()
        assert client.ask("z") == "5\n"
        client.say("exit()")
        client.rest()
        client.sock.close()
        thread.wait()


@pytest.mark.parametrize("user", [None, 1_000_000])
def test_others_get_no_prompt(user: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "tcp_user_of", lambda connection: user)
    names: dict[str, Any] = {}
    with listen(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        client.say("names = 1")
        thread = backdoor(listener.accept(), names)
        thread.wait()
        client.sock.close()
    assert "names" not in names


def test_a_page_in_a_browser_gets_nothing() -> None:
    names: dict[str, Any] = {}
    with listen(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        client.sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n\r\nharm = 1\n")
        backdoor(listener.accept(), names).wait()
        client.sock.close()
    assert "harm" not in names
