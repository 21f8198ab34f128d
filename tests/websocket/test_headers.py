"""Field values of a handshake."""

from typing import Any

import pytest

from greening.websocket.headers import accept_of, extensions, has_token, is_key, tokens
from tests.websocket.wire import ACCEPT, KEY


def test_empty_elements_of_a_list_are_left_out() -> None:
    assert tokens(" a ,,\tb, ,c\t") == ["a", "b", "c"]
    assert tokens("") == tokens(" , ") == []


@pytest.mark.parametrize(
    ("value", "there"),
    [("upgrade", True), ("keep-alive, UPGRADE", True), ("upgraded", False), ("up grade", False), ("", False)],
)
def test_a_token_is_found_in_whatever_case_and_only_whole(value: str, there: bool) -> None:
    assert has_token(value, "upgrade") is there


@pytest.mark.parametrize(
    ("value", "offers"),
    [
        ("", []),
        ("a", [("a", [])]),
        ("A; B=C; d", [("a", [("b", "c"), ("d", None)])]),
        ('a; b="c" , d', [("a", [("b", "c")]), ("d", [])]),
        ("a ;b = 1", [("a", [("b", "1")])]),
    ],
)
def test_extensions_have_parameters_in_order(value: str, offers: Any) -> None:
    assert extensions(value) == offers


@pytest.mark.parametrize(
    "value", ["a b", ";", "a;", "a; =1", "a; b=", 'a; b=""', 'a; b="c d"', 'a; b="', "a; b@=1", "\xe9"]
)
def test_what_has_not_the_syntax_of_extensions_is_a_value_error(value: str) -> None:
    with pytest.raises(ValueError, match="not a token"):
        extensions(value)


@pytest.mark.parametrize(
    ("value", "good"),
    [(KEY, True), ("", False), ("c2hvcnQ=", False), ("!" + KEY[1:], False), (KEY[:-1], False), (KEY + "\xe9", False)],
)
def test_a_key_is_sixteen_bytes_in_base64(value: str, good: bool) -> None:
    assert is_key(value) is good


def test_the_answer_to_a_key_is_that_of_the_rfc() -> None:
    assert accept_of(KEY) == ACCEPT
