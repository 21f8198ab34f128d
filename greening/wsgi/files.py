"""`wsgi.file_wrapper`: a file as a response, by sendfile(2) where that can be."""

import io
import os
import stat
from collections.abc import Iterator
from typing import Any


class FileWrapper:
    """An iterable of a file's blocks, as PEP 3333 has it. Returned as it is by an application, a regular file goes to
    the client without passing through the process.

    Args:
        filelike: has `read`, and maybe `close`. blksize: octets of a block.
    """

    def __init__(self, filelike: Any, blksize: int = 65536) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        read, size = self.filelike.read, self.blksize
        while data := read(size):
            yield data


def extent(wrapper: FileWrapper) -> tuple[int, int] | None:
    """Where the file stands, and how much there is from there; None for what sendfile(2) is not for."""
    file = wrapper.filelike
    if isinstance(file, io.TextIOBase):
        return None
    try:
        found = os.fstat(file.fileno())
        offset = file.tell()
    except (AttributeError, OSError, ValueError, TypeError):
        return None
    if not stat.S_ISREG(found.st_mode) or type(offset) is not int:
        return None
    return offset, max(0, found.st_size - offset)
