"""What a server answers to a handshake: which answers are a yes."""

from time import thread_time
from typing import Any

import pytest

from greening.websocket.client_handshake import Answer, agree, read_answer
from greening.websocket.deflate import Agreement
from greening.websocket.exceptions import HandshakeError


class Source:
    """Stands for a socket: gives its pieces, then the end."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = iter(pieces)

    def recv(self, size: int) -> bytes:
        return next(self.pieces, b"")


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


def test_a_long_field_takes_time_in_proportion() -> None:
    def seconds(size: int) -> float:
        raw = b"HTTP/1.1 101 Switching Protocols\r\nX:" + b" \t" * (size // 2) + b"\x00\r\n\r\n"
        begun = thread_time()
        with pytest.raises(HandshakeError, match="a faulty field 'X:"):
            read_answer(Source(raw))
        return thread_time() - begun

    assert seconds(60_000) < 0.2, "with a search that backtracks it would be hours"


def test_an_answer_in_single_bytes_takes_time_in_proportion() -> None:
    raw = b"HTTP/1.1 101 Fine\r\nX: " + b"x" * 60_000 + b"\r\n\r\n"
    begun = thread_time()
    answer = read_answer(Source(*(raw[at : at + 1] for at in range(len(raw)))))
    assert thread_time() - begun < 5, "it would be copied 60,000 times"
    assert answer.get("x") == "x" * 60_000


@pytest.mark.parametrize("field", ["X", ": y", "X : y", "X: \x00", "X: y\x7f", " X: y", "X\xe9: y", "X:\x0by"])
def test_a_faulty_field_is_shown_and_cut(field: str) -> None:
    with pytest.raises(HandshakeError, match="a faulty field") as caught:
        read_answer(Source(f"HTTP/1.1 101 Fine\r\n{field}{'z' * 500}\r\n\r\n".encode("latin-1")))
    assert len(str(caught.value)) < 400


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
