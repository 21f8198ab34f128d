"""What a server answers to a handshake: which answers are a yes."""

from typing import Any

import pytest

from greening.websocket.client_handshake import Answer, agree, read_answer
from greening.websocket.deflate import Agreement
from greening.websocket.exceptions import HandshakeError


class Source:
    """Stands for a socket: gives its pieces, then the end."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def recv(self, size: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def test_a_head_may_come_in_pieces_and_what_is_behind_it_is_kept() -> None:
    raw = b"HTTP/1.1 101 Fine\r\nA: b\r\nX:\t \xe9 c \r\nEmpty:\r\n\r\n\x81\x00"
    headers = (("A", "b"), ("X", "\xe9 c"), ("Empty", ""))
    for size in (1, 2, 3, len(raw)):
        answer = read_answer(Source(*(raw[at : at + size] for at in range(0, len(raw), size))))
        assert (answer.status, answer.headers) == (101, headers)
        assert answer.rest == raw[raw.index(b"\x81") :][: len(answer.rest)]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "closed the connection"),
        (b"HTTP/1.1 101 Fine\r\n", "closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/2 101 Fine\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 600 Fine\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 101 Fine\r\nno colon\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 101 Fine\r\nX : y\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 101 Fine\r\nX: \x00\r\n\r\n", "not HTTP/1.1"),
    ],
)
def test_what_is_no_answer_is_a_handshake_error_without_status(raw: bytes, why: str) -> None:
    with pytest.raises(HandshakeError, match=why) as caught:
        read_answer(Source(raw))
    assert caught.value.status is None


def test_an_answer_without_end_is_given_up() -> None:
    with pytest.raises(HandshakeError, match="does not end"):
        read_answer(Source(*[b"x" * 65536] * 3))


YES = {"Upgrade": "WebSocket", "Connection": "x, upgrade", "Sec-WebSocket-Accept": "ours"}
PROTOCOL, EXTENSIONS = "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"


def agreed(status: int = 101, offered: tuple[str, ...] = ("a", "b"), compression: bool = True, **fields: str) -> Any:
    headers = YES | {name.replace("_", "-"): value for name, value in fields.items()}
    return agree(Answer(status, tuple(headers.items()), b"rest"), "ours", offered, compression)


def test_a_yes_says_subprotocol_and_compression() -> None:
    assert agreed() == (None, None)
    assert agreed(Sec_WebSocket_Protocol="b") == ("b", None)
    assert agreed(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits=10") == (
        None,
        Agreement(client_bits=10),
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": 403}, "answers 403, not 101"),
        ({"Upgrade": "h2c"}, "something else than WebSocket"),
        ({"Connection": "close"}, "something else than WebSocket"),
        ({"Sec_WebSocket_Accept": "theirs"}, "not for our key"),
        ({"Sec_WebSocket_Protocol": "c"}, "was not offered: 'c'"),
        ({"Sec_WebSocket_Protocol": "a, b"}, "was not offered: 'a, b'"),
        ({"Sec_WebSocket_Extensions": "x-other"}, "was not offered"),
        ({"Sec_WebSocket_Extensions": ";"}, "not a token"),
        ({"Sec_WebSocket_Extensions": "permessage-deflate", "compression": False}, "which it was not offered"),
    ],
)
def test_anything_else_is_a_handshake_error_with_the_answer(answer: dict[str, Any], why: str) -> None:
    with pytest.raises(HandshakeError, match=why) as caught:
        agreed(**answer)
    assert caught.value.status == answer.get("status", 101)
    assert caught.value.body == b"rest"
    assert dict(caught.value.headers).keys() >= YES.keys()


def test_a_field_that_comes_twice_is_one_list() -> None:
    answer = Answer(101, (("X", "a"), ("x", "b")), b"")
    assert (answer.get("x"), answer.get("y")) == ("a, b", "")
