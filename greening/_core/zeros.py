"""Memory that is reserved and full of zeros, at a known address. The accelerator's `reserve_zeros` is its double.

`mmap` has the memory but does not give its address. `_ctypes` does, and its import costs a tenth of that of `ctypes`.
"""

import mmap
from typing import Any

try:
    import _ctypes
except ImportError:  # Python was built without libffi
    _ctypes = None  # type: ignore[assignment]

# Linux's MAP_NORESERVE; Python has the name from 3.13 on. On other systems and processors the flag has other numbers.
_NO_RESERVE: int = getattr(mmap, "MAP_NORESERVE", 0)

# Keeps every reservation: an mmap object that is freed gives its memory back.
_kept: list[Any] = []


def reserve(size: int) -> int:
    """Reserve `size` bytes of zeros for the life of the process, and return their address.

    Private to the process, writable, not shared with a child of fork. It takes no memory until it is written to.

    Raises:
        OSError: the system refuses. Source: mmap(2).
    """
    if _ctypes is None:
        raise OSError("the address of memory needs the module _ctypes")
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
    first = _Byte.from_buffer(memory)
    _kept.append(first)
    return _ctypes.addressof(first)


if _ctypes is not None:

    class _Byte(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = "c"
