"""When the bytes of an answer are a whole answer."""

import pytest

from greening.ext.mysql_packets import is_whole


def packets(*payloads: bytes) -> bytes:
    return b"".join(
        len(payload).to_bytes(3, "little") + bytes([number]) + payload for number, payload in enumerate(payloads, 1)
    )


OK = b"\x00\x01\x05\x02\x00\x00\x00"
OK_AND_MORE = b"\x00\x01\x05\x0a\x00\x00\x00"
EOF = b"\xfe\x00\x00\x02\x00"
EOF_AND_MORE = b"\xfe\x00\x00\x0a\x00"
NEW_EOF = b"\xfe\x00\x00\x02\x00\x00\x00"
NEW_EOF_AND_MORE = b"\xfe\x00\x00\x08\x00\x00\x00"
ERROR = b"\xff\x28\x04#42000no"
BIG_OK = b"\x00\xfc\x00\x10\xfd\x00\x00\x10\x02\x00\x00\x00"
EMPTY_FIRST_COLUMN = b"\x00\x01x"

WHOLE = {
    "ok": packets(OK),
    "ok of many rows": packets(BIG_OK),
    "error": packets(ERROR),
    "rows": packets(b"\x01", b"column", EOF, b"\x01a", b"\x01b", EOF),
    "no rows": packets(b"\x01", b"column", EOF, EOF),
    "rows without an eof after the columns": packets(b"\x01", b"column", b"\x01a", NEW_EOF),
    "an error among the rows": packets(b"\x01", b"column", EOF, b"\x01a", ERROR),
}
NOT_WHOLE = {
    "nothing": b"",
    "half a header": packets(OK)[:3],
    "half a packet": packets(OK)[:-1],
    "no rows yet": packets(b"\x01", b"column", EOF),
    "some rows": packets(b"\x01", b"column", EOF, b"\x01a"),
    "a row that begins like an ok": packets(b"\x02", b"column", b"column", EOF, EMPTY_FIRST_COLUMN, EMPTY_FIRST_COLUMN),
    "a row that begins like an eof": packets(b"\x01", b"column", EOF, b"\xfe" + b"x" * 8),
    "more results after an ok": packets(OK_AND_MORE),
    "more results after rows": packets(b"\x01", b"column", EOF, b"\x01a", EOF_AND_MORE),
    "more results after rows, told in the new way": packets(b"\x01", b"column", EOF, b"\x01a", NEW_EOF_AND_MORE),
    "rows and half of the next": packets(b"\x01", b"column", EOF, b"\x01a", EOF) + b"\x07",
    "the wish for a file": packets(b"\xfbname"),
    "TLS": b"\x17\x03\x03\x00\x40" + b"x" * 64,
    "an empty packet": packets(b""),
    "an ok that is cut short": packets(b"\x00\x01"),
    "an ok without a status": packets(b"\x00"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_answers(name: str) -> None:
    assert is_whole(WHOLE[name])


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_what_may_go_on(name: str) -> None:
    assert not is_whole(NOT_WHOLE[name])
