"""permessage-deflate: offers, and what is made of them."""

from typing import Any

import pytest

from greening.websocket import deflate
from greening.websocket.client import connect
from greening.websocket.deflate import Agreement
from greening.websocket.headers import extensions
from tests.websocket.wire import handshake


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


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=15"),
        ("permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15"),
    ],
)
def test_with_the_largest_window_the_answer_says_what_was_asked(serve: Any, offered: str, answer: str) -> None:
    _, fields = serve(window_bits=15).raw().ask(handshake(f"Sec-WebSocket-Extensions: {offered}"))
    assert fields["sec-websocket-extensions"] == answer


def test_a_client_asks_for_the_window_that_it_is_told(serve: Any) -> None:
    offers = []

    def handler(ws: Any) -> None:
        offers.append(ws.environ["HTTP_SEC_WEBSOCKET_EXTENSIONS"])

    with connect(serve(handler).url, window_bits=10) as ws:
        assert ws.wait() is None
    assert offers[0].startswith("permessage-deflate; client_max_window_bits; server_max_window_bits=10,")


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


def test_what_the_server_makes_of_our_offer_is_what_both_agree_on() -> None:
    accepted = deflate.accept(extensions(deflate.offer()))
    assert accepted is not None
    value, agreement = accepted
    assert agreement == Agreement(server_bits=12, client_bits=12)
    assert deflate.conclude(extensions(value)) == agreement


@pytest.mark.parametrize(
    ("answer", "agreement"),
    [
        ("", None),
        ("permessage-deflate", Agreement()),
        ("permessage-deflate; server_max_window_bits=8", Agreement(server_bits=9)),  # zlib reads it so
        ("permessage-deflate; client_max_window_bits=9", Agreement(client_bits=9)),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            Agreement(server_reset=True, client_reset=True),
        ),
    ],
)
def test_a_client_does_what_the_server_answers(answer: str, agreement: Agreement | None) -> None:
    assert deflate.conclude(extensions(answer)) == agreement
