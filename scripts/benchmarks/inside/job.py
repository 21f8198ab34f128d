"""What a measured server is to do; comes to it as JSON on its command line."""

from __future__ import annotations

import json
import os
from typing import NamedTuple


class Job(NamedTuple):
    """One kind of server; C programs take the same, see `c/echo.c`."""

    name: str = "echo"  # echo, receive, send, sendfile, os_sendfile
    size: int = 64  # bytes of the big message of the others
    timeout: float = 0  # seconds for each receive, 0 for none
    certificate: str = ""  # PEM file with certificate and key: TLS
    patched: bool = False  # the stdlib's sockets after the patch, instead of the library's own
    asyncio: bool = False  # asyncio's streams after the patch
    trace: bool = False  # greening records a trace meanwhile

    @classmethod
    def parse(cls, text: str) -> Job:
        """Read what `text` wrote."""
        return cls(**json.loads(text))

    def text(self) -> str:
        """Write it for the command line."""
        return json.dumps(self._asdict())


def pattern(size: int) -> bytes:
    """Return what the load generator expects, and sends."""
    return bytes(ord("!") + i % 90 for i in range(size))


def pattern_file(size: int) -> str:
    """Return the path of a file with that pattern; it is in memory, and gone with the process."""
    file = os.memfd_create("pattern")
    rest = memoryview(pattern(size))
    while rest:
        rest = rest[os.write(file, rest) :]
    return f"/proc/self/fd/{file}"
