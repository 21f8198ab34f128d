"""`dial`: which proxy is used, and what it is told."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening.net import convenience
from greening.net.convenience import listen
from greening.websocket.client import connect
from greening.websocket.dial import Proxy, dial, proxy_for
from greening.websocket.exceptions import HandshakeError

VARIABLES = ("ws_proxy", "wss_proxy", "http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets variables of the environment; all others about proxies are gone."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def put(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


class ConnectProxy:
    """A proxy that notes what it is told, answers `refusal`, or makes tunnels."""

    def __init__(self, refusal: bytes = b"") -> None:
        self.listener = listen(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.heads: list[str] = []
        self.refusal = refusal
        spawn(self._serve)

    def _serve(self) -> None:
        try:
            while True:
                spawn(self._tunnel, self.listener.accept()[0])
        except OSError:
            pass

    def _tunnel(self, client: Any) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1000)
            self.heads.append(head.decode())
            if self.refusal:
                client.sendall(self.refusal)
                return
            host, port = head.split(b" ")[1].decode().rsplit(":", 1)
            with convenience.connect((host.strip("[]"), int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = spawn(self._copy, server, client)
                self._copy(client, server)
                back.wait()

    @staticmethod
    def _copy(source: Any, target: Any) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(1)
        except OSError:
            pass


@pytest.fixture
def proxy() -> Iterator[Callable[..., ConnectProxy]]:
    started: list[ConnectProxy] = []

    def start(refusal: bytes = b"") -> ConnectProxy:
        started.append(ConnectProxy(refusal))
        return started[-1]

    yield start
    for one in started:
        one.listener.close()


def test_through_a_proxy_with_a_password(serve: Any, proxy: Any) -> None:
    there, running = proxy(), serve()
    with connect(running.url, proxy=there.url.replace("//", "//user:p%40ss@")) as ws:
        ws.send("x")
        assert ws.wait() == "x"
    address = running.url.removeprefix("ws://")
    (head,) = there.heads
    assert head.startswith(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n")
    assert f"Proxy-Authorization: Basic {b64encode(b'user:p@ss').decode()}\r\n" in head


def test_tls_through_a_proxy_is_checked_for_the_servers_name(serve: Any, proxy: Any, contexts: Any) -> None:
    server, client = contexts()
    there, running = proxy(), serve(server={"ssl_context": server})
    with connect(running.url.replace("127.0.0.1", "localhost"), proxy=there.url, ssl_context=client) as ws:
        ws.send(bytes(200_000))
        assert ws.wait() == bytes(200_000)
    assert there.heads[0].startswith("CONNECT localhost:")


def test_the_environment_names_the_proxy(serve: Any, proxy: Any, environment: Any) -> None:
    there, running = proxy(), serve()
    environment(http_proxy=there.url)
    with connect(running.url) as ws:
        ws.send("x")
        assert ws.wait() == "x"
    assert len(there.heads) == 1
    with connect(running.url, proxy=False):
        pass
    environment(no_proxy="127.0.0.1")
    with connect(running.url):
        pass
    assert len(there.heads) == 1


@pytest.mark.parametrize(
    ("variables", "scheme", "expected"),
    [
        ({}, "ws", None),
        ({"http_proxy": "http://p:1"}, "ws", "http://p:1"),
        ({"http_proxy": "http://p:1"}, "wss", None),
        ({"https_proxy": "http://p:1"}, "wss", "http://p:1"),
        ({"https_proxy": "p:1"}, "wss", "http://p:1"),
        ({"http_proxy": "http://p:1", "ws_proxy": "http://q"}, "ws", "http://q:80"),
        ({"http_proxy": "http://p:1", "no_proxy": "other,example.org"}, "ws", None),
        ({"http_proxy": "http://p:1", "no_proxy": "*"}, "ws", None),
        ({"http_proxy": "http://[::1]:1"}, "ws", "http://[::1]:1"),
        ({"all_proxy": "socks5://p:1"}, "ws", None),
    ],
)
def test_variables_are_read_as_urllib_reads_them(
    environment: Any, variables: dict[str, str], scheme: str, expected: str | None
) -> None:
    environment(**variables)
    found = proxy_for(scheme, "www.example.org", 8080, True)
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize("url", ["socks5://u:secret@p:1", "https://p", "http://"])
def test_a_proxy_that_cannot_be_used_is_a_mistake_that_tells_no_secrets(url: str) -> None:
    with pytest.raises(ValueError, match="not a proxy that can be used") as caught:
        proxy_for("ws", "h", 80, url)
    assert "secret" not in str(caught.value)


def test_a_proxy_that_refuses_is_named(proxy: Any) -> None:
    there = proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\nX: y\r\n\r\nno")
    with pytest.raises(HandshakeError, match=f"the proxy {there.url} answers 407 to CONNECT h:80") as caught:
        connect("ws://h/", proxy=there.url.replace("//", "//user:secret@"))
    assert (caught.value.status, caught.value.headers) == (407, (("X", "y"),))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nearly"])
def test_what_is_no_proxy_is_named(proxy: Any, answer: bytes) -> None:
    there = proxy(answer)
    with pytest.raises(HandshakeError, match=f"the proxy {there.url}"):
        connect("ws://h/", proxy=there.url)


def test_a_proxy_that_is_not_there_is_named() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError, match=f"no connection to the proxy http://127.0.0.1:{port}"):
        dial("h", 80, Proxy("127.0.0.1", port, None))
