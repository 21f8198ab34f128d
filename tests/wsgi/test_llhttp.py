"""llhttp takes heads apart, and nothing of one head is there when the next one is."""

import pytest

from greening.wsgi.errors import Refused
from greening.wsgi.llhttp import take_apart

GET = b"GET / HTTP/1.1\r\n"
PLAIN = GET + b"Host: a\r\n\r\n"


def test_fields_come_in_order_with_their_bytes() -> None:
    found = take_apart(GET + b"Host: a\r\nX-y:  b c\r\nEmpty:\r\n\r\n", 3)
    assert found == [(b"Host", b"a"), (b"X-y", b"b c"), (b"Empty", b"")]


def test_fields_of_one_name_are_all_there() -> None:
    found = take_apart(b"\r\n" + GET + b"X: 1\r\nHost: a\r\nX: \t2\r\n\r\n", 3)
    assert found == [(b"X", b"1"), (b"Host", b"a"), (b"X", b"2")]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"NONE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    ],
)
def test_what_llhttp_does_not_take_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(Refused) as caught:
        take_apart(head, head.count(b"\n") - 2)
    assert caught.value.status == status


def test_a_request_for_another_protocol_is_taken_apart_too() -> None:
    found = take_apart(GET + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n", 2)
    assert found == [(b"Connection", b"upgrade"), (b"Upgrade", b"x")]


@pytest.mark.parametrize(
    "before",
    [
        b"Proxy-Connection: close\r\n",
        b"proxy-connection: keep-alive, CLOSE\r\n",
        b"Connection: keep-alive\r\nProxy-Connection: close\r\n",
        b"Proxy-Connection: upgrade\r\nUpgrade: x\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\n",
        b"Connection: close\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Bad\x00: x\r\n",
    ],
)
def test_no_head_changes_how_the_next_one_is_read(before: bytes) -> None:
    for _ in range(3):
        try:
            take_apart(GET + b"Host: b\r\n" + before + b"\r\n", 1 + before.count(b"\n"))
        except Refused:
            pass
        assert take_apart(PLAIN, 1) == [(b"Host", b"a")]
