"""llhttp takes heads apart; its parsers are used again only where a message ends with its head."""

from typing import Any

import pytest

from greening.wsgi import llhttp
from greening.wsgi.errors import Refused
from greening.wsgi.llhttp import take_apart, used

GET = b"GET / HTTP/1.1\r\n"


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The parsers that are kept: none at the beginning."""
    kept: list[Any] = []
    monkeypatch.setattr(llhttp, "_idle", kept)
    return kept


def test_fields_come_in_order_with_their_bytes() -> None:
    _, found = take_apart(GET + b"Host: a\r\nX-y:  b c\r\nEmpty:\r\n\r\n", 3)
    assert found == [(b"Host", b"a"), (b"X-y", b"b c"), (b"Empty", b"")]


def test_fields_of_one_name_are_all_there() -> None:
    _, found = take_apart(b"\r\n" + GET + b"X: 1\r\nHost: a\r\nX: \t2\r\n\r\n", 3)
    assert found == [(b"X", b"1"), (b"Host", b"a"), (b"X", b"2")]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"NONE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    ],
)
def test_what_llhttp_does_not_take_is_refused_and_its_parser_dropped(idle: list[Any], head: bytes, status: int) -> None:
    with pytest.raises(Refused) as caught:
        take_apart(head, head.count(b"\n") - 2)
    assert caught.value.status == status
    assert idle == []


def test_a_request_for_another_protocol_is_taken_apart_too() -> None:
    _, found = take_apart(GET + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n", 2)
    assert found == [(b"Connection", b"upgrade"), (b"Upgrade", b"x")]


def test_a_parser_that_was_used_is_used_again_and_remembers_nothing(idle: list[Any]) -> None:
    taker, _ = take_apart(GET + b"Host: a\r\nX: secret\r\n\r\n", 2)
    used(taker)
    assert idle == [taker]
    again, found = take_apart(GET + b"Host: b\r\n\r\n", 1)
    assert again is taker
    assert found == [(b"Host", b"b")]
    assert idle == []


def test_only_so_many_parsers_are_kept(idle: list[Any]) -> None:
    takers = [take_apart(GET + b"Host: a\r\n\r\n", 1)[0] for _ in range(12)]
    for taker in takers:
        used(taker)
    assert idle == takers[:8]
