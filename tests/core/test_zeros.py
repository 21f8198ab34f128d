"""Memory full of zeros at a known address."""

import ctypes
import mmap

import pytest

from greening._core import zeros
from greening._core.zeros import reserve

needs_ctypes = pytest.mark.skipif(zeros._ctypes is None, reason="Python was built without libffi")


@needs_ctypes
def test_the_memory_is_zeros_and_can_be_written_to() -> None:
    size = 16 * mmap.PAGESIZE
    address = reserve(size)
    assert address % mmap.PAGESIZE == 0
    assert ctypes.string_at(address, size) == bytes(size)
    ctypes.memset(address + size - 1, 7, 1)
    assert ctypes.string_at(address + size - 1, 1) == b"\7"


@needs_ctypes
def test_the_memory_is_kept_although_nothing_refers_to_it() -> None:
    addresses = [reserve(mmap.PAGESIZE) for _ in range(10)]
    assert len(set(addresses)) == 10
    for address in addresses:
        ctypes.memset(address, 1, 1)


@needs_ctypes
def test_what_the_system_refuses_is_an_oserror() -> None:
    with pytest.raises(OSError):
        reserve(1 << 60)


def test_without_ctypes_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zeros, "_ctypes", None)
    with pytest.raises(OSError, match="_ctypes"):
        reserve(mmap.PAGESIZE)
