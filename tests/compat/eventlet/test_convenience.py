"""`listen` with eventlet's default: two servers may share a port."""

import socket
import warnings

import pytest

from greening.compat.eventlet.convenience import ReusePortUnavailableWarning, ReuseRandomPortWarning, listen


def free_port() -> int:
    with listen(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def shares(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))


def test_two_servers_share_a_port_that_was_given() -> None:
    port = free_port()
    with listen(("127.0.0.1", port)) as one, listen(("127.0.0.1", port)) as other:
        assert shares(one)
        assert shares(other)


def test_a_port_that_the_system_chooses_is_not_shared() -> None:
    with listen(("127.0.0.1", 0)) as sock:
        assert not shares(sock)


def test_it_can_be_told_not_to_share() -> None:
    port = free_port()
    with listen(("127.0.0.1", port), reuse_port=False) as sock:
        assert not shares(sock)
        with pytest.raises(OSError, match="in use"):
            listen(("127.0.0.1", port))


def test_to_share_a_port_that_nobody_knows_is_warned_of() -> None:
    with pytest.warns(ReuseRandomPortWarning, match="127.0.0.1"):
        sock = listen(("127.0.0.1", 0), reuse_port=True)
    with sock:
        assert shares(sock)


def test_without_the_option_it_warns_only_those_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listen(("127.0.0.1", port)).close()
    with pytest.warns(ReusePortUnavailableWarning):
        listen(("127.0.0.1", port), reuse_port=True).close()


def test_a_path_is_never_shared(tmp_path) -> None:
    with listen(str(tmp_path / "socket"), family=socket.AF_UNIX) as sock:
        assert not shares(sock)
