"""The faster `parse_headers`: with the stdlib's results, whatever the head."""

import http.client
import io
import sys
import types
from email.message import Message
from typing import Any

import pytest

from greening.compat.eventlet.http_heads import fields_of, message_from, quicken

PLAIN = [
    b"Host: a\r\n\r\n",
    b"A: 1\r\nB:2\r\nC:\t 3 \r\nD:\r\nA: again\r\n\r\n",
    b"A: 1\nB: 2\n\n",
    b"!#$%&'*+-.^_`|~09: odd name\r\n\r\n",
    b'"(),/;<=>?@[\\]{}: odder name\r\n\r\n',
    b"A: \xe9\xff\x80 \x85 \x0b\x0c \x00\x7f\r\n\r\n",
    b"A: b: c:\r\n\r\n",
    b"Content-Type: text/html; charset=utf-8\r\n\r\n",
    b"Content-Type: nonsense\r\n\r\n",
]
OTHERS = [
    b"\r\n",
    b"\n",
    b"",
    b"A: 1",
    b"A: 1\r\n",
    b"A: 1\r\n folded\r\n\r\n",
    b" begins with a blank\r\n\r\n",
    b"no colon\r\nA: 1\r\n\r\n",
    b"A: 1\r\nno colon\r\nB: 2\r\n\r\n",
    b": no name\r\n\r\n",
    b"A : blank in the name\r\n\r\n",
    b"N\xe4me: 1\r\n\r\n",
    b"A: 1\rB: 2\r\n\r\n",
    b"A: 1\r\r\n\r\n",
    b"From me\r\nA: 1\r\n\r\n",
    b"Content-Type: multipart/mixed\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n",
    b"content-type: MESSAGE/rfc822\r\nA: 1\r\n\r\n",
    b"Content-Type: message/delivery-status\r\n\r\n",
]


REPLACED = pytest.mark.skipif(
    sys.version_info >= (3, 15), reason="its http.client reads otherwise, and keeps its parser"
)


class WithoutType(http.client.HTTPMessage):
    def get_default_type(self) -> str:
        return ""


@pytest.fixture
def quick() -> Any:
    """A copy of http.client, quickened."""
    module = types.ModuleType("http.client")
    vars(module).update(vars(http.client))
    # Its functions look into the module that they were made in; these have to look into the copy.
    module._read_headers = types.FunctionType(http.client._read_headers.__code__, vars(module))  # type: ignore[attr-defined]
    quicken(module)
    return module


def all_of(message: Message) -> tuple[Any, ...]:
    defects = [type(defect) for defect in message.defects]
    payload: Any = message.get_payload()
    inner = [all_of(part) for part in payload] if isinstance(payload, list) else payload
    return type(message), list(message.raw_items()), inner, defects


@pytest.mark.parametrize("kind", [http.client.HTTPMessage, WithoutType])
@pytest.mark.parametrize("head", PLAIN + OTHERS)
def test_the_result_is_the_stdlibs(quick: Any, head: bytes, kind: type[Message]) -> None:
    file = io.BytesIO(head + b"the body")
    ours = quick.parse_headers(file, kind)
    theirs = io.BytesIO(head + b"the body")
    assert all_of(ours) == all_of(http.client.parse_headers(theirs, kind))
    assert file.tell() == theirs.tell()


@pytest.mark.parametrize("head", PLAIN)
def test_a_plain_head_needs_no_other_parser(head: bytes) -> None:
    fields = fields_of(head.decode("latin-1"))
    assert fields and message_from(fields, http.client.HTTPMessage) is not None


@pytest.mark.parametrize("head", OTHERS)
def test_all_others_get_the_parser_of_the_stdlib(head: bytes) -> None:
    fields = fields_of(head.decode("latin-1"))
    assert fields is None or message_from(fields, http.client.HTTPMessage) is None


@REPLACED
def test_limits_are_those_of_the_module(quick: Any) -> None:
    quick._MAXHEADERS = 2
    with pytest.raises(http.client.HTTPException, match="2 headers"):
        quick.parse_headers(io.BytesIO(b"A: 1\r\nB: 2\r\nC: 3\r\n\r\n"))
    quick._MAXLINE = 10
    with pytest.raises(http.client.LineTooLong):
        quick.parse_headers(io.BytesIO(b"A: 12345678901\r\n\r\n"))


@REPLACED
def test_a_response_is_parsed_by_it_and_the_change_can_be_taken_back(quick: Any) -> None:
    stdlibs = http.client.parse_headers
    undo = quicken(http.client)
    try:
        assert http.client.parse_headers is not stdlibs
        quicken(http.client)()  # done already: nothing to take back
        assert http.client.parse_headers is not stdlibs
        message = http.client.parse_headers(io.BytesIO(b"A: 1\r\n\r\n"))
        assert message.items() == [("A", "1")]
    finally:
        undo()
    assert http.client.parse_headers is stdlibs


def test_a_python_with_another_reader_keeps_what_it_has() -> None:
    module = types.ModuleType("http.client")
    module.parse_headers = http.client.parse_headers  # type: ignore[attr-defined]
    module._read_headers = lambda fp, most: []  # type: ignore[attr-defined]
    quicken(module)
    assert module.parse_headers is http.client.parse_headers
