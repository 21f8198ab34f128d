"""Close frames: codes, reasons, and what they carry."""

import pytest

from greening.websocket._wsproto import ParseFailed
from greening.websocket.closing import check_close, close_payload, parsed_close


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1013, 1014, 3000, 4999])
def test_what_is_sent_is_what_is_read(code: int) -> None:
    check_close(code, "größer")
    assert parsed_close(close_payload(code, "größer")) == (code, "größer")


def test_without_a_code_it_is_1005() -> None:
    assert close_payload(None, "") == b""
    assert parsed_close(b"") == (1005, "")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
def test_other_codes_are_mistakes_here_and_faults_there(code: int) -> None:
    with pytest.raises(ValueError, match=str(code)):
        check_close(code, "")
    with pytest.raises(ParseFailed) as caught:
        parsed_close(close_payload(code, ""))
    assert caught.value.code == 1002


def test_a_reason_that_is_too_long_is_a_mistake_or_is_cut_between_characters() -> None:
    check_close(1000, "x" * 123)
    with pytest.raises(ValueError, match="123 bytes"):
        check_close(1000, "ü" * 62)
    assert parsed_close(close_payload(1000, "ü" * 62)) == (1000, "ü" * 61)


@pytest.mark.parametrize(("payload", "code"), [(b"\x03", 1002), (b"\x03\xe8\xff", 1007), (b"\x03\xe7\xff", 1002)])
def test_a_faulty_close_frame_is_answered_with_what_is_wrong(payload: bytes, code: int) -> None:
    with pytest.raises(ParseFailed) as caught:
        parsed_close(payload)
    assert caught.value.code == code
