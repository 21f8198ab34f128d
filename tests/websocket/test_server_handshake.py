"""The opening handshake, as the server sees it."""

from typing import Any

import pytest

from greening.websocket.client import connect
from greening.websocket.headers import accept_of
from tests.websocket.wire import ACCEPT, KEY, handshake


def test_the_answer_is_that_of_the_rfc(serve: Any) -> None:
    status, fields = serve().raw().ask(handshake())
    assert (status, fields["upgrade"], fields["connection"]) == (101, "websocket", "Upgrade")
    assert fields["sec-websocket-accept"] == ACCEPT == accept_of(KEY)
    assert "sec-websocket-extensions" not in fields
    assert "sec-websocket-protocol" not in fields


def test_lists_and_letters_of_any_case_are_understood(serve: Any) -> None:
    client = serve().raw()
    status, _ = client.ask(handshake("Connection: keep-alive, UPGRADE", "Upgrade: WebSocket"))
    assert status == 101


@pytest.mark.parametrize(
    ("lines", "drop"),
    [
        ([], "Connection"),
        ([], "Upgrade"),
        ([], "Sec-WebSocket-Version"),
        ([], "Sec-WebSocket-Key"),
        (["Upgrade: h2c"], ""),
        (["Sec-WebSocket-Key: "], ""),
        (["Sec-WebSocket-Key: c2hvcnQ="], ""),
        (["Sec-WebSocket-Key: !GhlIHNhbXBsZSBub25jZQ=="], ""),
        (["Sec-WebSocket-Protocol: a b"], ""),
        (["Sec-WebSocket-Protocol: a, a"], ""),
        (["Sec-WebSocket-Extensions: permessage-deflate; ="], ""),
    ],
)
def test_what_is_no_handshake_is_answered_with_400(serve: Any, lines: list[str], drop: str) -> None:
    status, _ = serve().raw().ask(handshake(*lines, drop=drop))
    assert status == 400


def test_other_methods_and_http_1_0_are_answered_with_400(serve: Any) -> None:
    running = serve()
    request = handshake()
    assert running.raw().ask(request.replace(b"GET", b"HEAD"))[0] == 400
    assert running.raw().ask(request.replace(b"HTTP/1.1", b"HTTP/1.0"))[0] == 400


@pytest.mark.parametrize("version", ["8", "0", "14", "013", "x"])
def test_other_versions_are_told_which_one_is_spoken(serve: Any, version: str) -> None:
    status, fields = serve().raw().ask(handshake(f"Sec-WebSocket-Version: {version}"))
    assert (status, fields["sec-websocket-version"]) == (426, "13")


def test_origins_are_checked_with_the_host(serve: Any) -> None:
    asked = []

    def checker(host: str | None, origin: str) -> bool:
        asked.append((host, origin))
        return origin == "http://a"

    running = serve(origin_checker=checker)
    assert running.raw().ask(handshake("Origin: http://evil"))[0] == 403
    assert running.raw().ask(handshake())[0] == 403
    assert running.raw().ask(handshake("Origin: http://a"))[0] == 101
    assert asked == [("a", "http://evil"), ("a", ""), ("a", "http://a")]


def test_the_first_subprotocol_of_the_client_that_is_supported_is_taken(serve: Any) -> None:
    running = serve(lambda ws: ws.send(str(ws.protocol)), supported_protocols=["one", "two"])
    for offered, taken in (["three, two, one", "two"], ["three", None]):
        _, fields = running.raw().ask(handshake(f"Sec-WebSocket-Protocol: {offered}"))
        assert fields.get("sec-websocket-protocol") == taken
    with connect(running.url, subprotocols=["one"]) as ws:
        assert (ws.protocol, ws.wait()) == ("one", "one")


def test_a_request_with_a_body_cannot_be_upgraded(serve: Any) -> None:
    status, _ = serve().raw().ask(handshake("Content-Length: 1") + b"x")
    assert status == 400
