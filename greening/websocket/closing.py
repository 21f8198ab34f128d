"""The end that two sides agree on: close frames (RFC 6455 5.5.1 and 7.4)."""

from struct import pack, unpack

from greening.websocket._wsproto import CloseReason, ParseFailed

MAX_CONTROL = 125  # bytes that a control frame may carry (RFC 6455 5.5)


def check_close(code: int, reason: str) -> None:
    """Look whether a close frame may carry this.

    Args:
        code: of RFC 6455 7.4.1, of IANA's registry, or of the application. reason: 123 bytes of UTF-8 at most.
    Raises:
        ValueError: it may not.
    """
    if not (code in (1000, 1001, 1002, 1003) or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ValueError(f"not a code to close with: {code}")
    if len(reason.encode()) > MAX_CONTROL - 2:
        raise ValueError("a reason has at most 123 bytes")


def close_payload(code: int | None, reason: str) -> bytes:
    """What a close frame carries. A reason that is too long is cut, between two characters.

    Args:
        code: None: it carries nothing.
    """
    if code is None:
        return b""
    return pack("!H", code) + reason.encode()[: MAX_CONTROL - 2].decode(errors="ignore").encode()


def parsed_close(payload: bytes) -> tuple[int, str]:
    """Code and reason of a close frame that came; without a code 1005.

    Raises:
        ParseFailed: it is faulty.
    """
    if not payload:
        return CloseReason.NO_STATUS_RCVD, ""
    if len(payload) == 1:
        raise ParseFailed("half a code to close with")
    (code,) = unpack("!H", payload[:2])
    try:
        check_close(code, "")
        return code, payload[2:].decode()
    except UnicodeDecodeError as error:
        raise ParseFailed(str(error), CloseReason.INVALID_FRAME_PAYLOAD_DATA) from None
    except ValueError as error:
        raise ParseFailed(str(error)) from None
