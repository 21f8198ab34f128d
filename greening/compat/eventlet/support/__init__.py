"""eventlet.support: small helpers that programs import from there."""

from typing import Any

from greening.compat.eventlet.support import greendns, greenlets

__all__ = ["PY33", "bytes_to_str", "get_errno", "greendns", "greenlets"]

PY33 = False


def get_errno(exc: BaseException) -> Any:
    """The error number of an exception: its `errno`, or its first argument; None if it has neither."""
    number = getattr(exc, "errno", None)
    if number is not None:
        return number
    return exc.args[0] if exc.args else None


def bytes_to_str(b: bytes, encoding: str = "ascii") -> str:
    """Decode bytes."""
    return b.decode(encoding)
