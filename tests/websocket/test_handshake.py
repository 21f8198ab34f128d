"""The opening handshake, as the server sees it."""

from typing import Any

import pytest

from greening.websocket import deflate
from greening.websocket.application import WebSocketWSGI
from greening.websocket.client import connect
from greening.websocket.headers import accept_of, extensions
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


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        ("permessage-deflate", "permessage-deflate; server_max_window_bits=12"),
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            'permessage-deflate; server_max_window_bits="10"; client_max_window_bits=15; server_no_context_takeover',
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=12; server_no_context_takeover",
        ),
        (
            "x-other, permessage-deflate; unknown, permessage-deflate; client_no_context_takeover",
            "permessage-deflate; server_max_window_bits=12; client_no_context_takeover",
        ),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=010", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", None),
        ("x-webkit-deflate-frame", None),
    ],
)
def test_the_first_offer_of_compression_that_can_be_met_is_taken(serve: Any, offered: str, answer: str | None) -> None:
    _, fields = serve().raw().ask(handshake(f"Sec-WebSocket-Extensions: {offered}"))
    assert fields.get("sec-websocket-extensions") == answer


def test_a_server_may_not_want_to_compress(serve: Any) -> None:
    _, fields = serve(compression=False).raw().ask(handshake("Sec-WebSocket-Extensions: permessage-deflate"))
    assert "sec-websocket-extensions" not in fields


@pytest.mark.parametrize(
    "answer",
    [
        "x-other",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=8",
    ],
)
def test_a_client_takes_no_other_extensions_than_it_offered(answer: str) -> None:
    with pytest.raises(ValueError):
        deflate.conclude(extensions(answer))


def test_a_request_with_a_body_cannot_be_upgraded(serve: Any) -> None:
    status, _ = serve().raw().ask(handshake("Content-Length: 1") + b"x")
    assert status == 400


def test_configured_is_a_decorator_too() -> None:
    @WebSocketWSGI.configured(supported_protocols=["a"], max_frame_length=5)
    def decorated(ws: Any) -> None: ...

    direct = WebSocketWSGI.configured(print, ["a"], None, False)
    assert isinstance(decorated, WebSocketWSGI) and isinstance(direct, WebSocketWSGI)
    assert (decorated.supported_protocols, decorated.settings.max_frame_length) == (["a"], 5)
    assert direct.handler is print
    limited = WebSocketWSGI(print, 7)
    assert (limited.max_frame_length, limited.settings.message_limit) == (7, 7)
    limited.max_frame_length = 9
    assert limited.settings.message_limit == 9
