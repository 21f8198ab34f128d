"""The environ of a request: PEP 3333, and eventlet's extras.

Difference from eventlet: its `headers_raw` is `eventlet.headers_raw`, since names without a dot are for strings.
"""

import io
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any, Final

from greening.wsgi.request_head import Head


def peer_of(address: Any) -> tuple[str, int]:
    """The address and port of a client, as every program can read them.

    Fact: the peer of a Unix socket has neither, and programs hand REMOTE_ADDR to `ipaddress.ip_address` and REMOTE_PORT
    to `int`. Such a peer is a process of this machine.
    Decision: 127.0.0.1, which says so, and port 0, which no client has. A proxy on a Unix socket is named "unix" in a
    list of trusted proxies, and its clients then have their own addresses.
    """
    return (address[0], address[1]) if isinstance(address, tuple) else ("127.0.0.1", 0)


def client_name(address: Any) -> str:
    """For prose in a log: host and port, or "unix"."""
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "unix"


def template(address: Any, tls: bool, extra: dict[str, Any] | None) -> dict[str, Any]:
    """What is the same for every request of a server.

    Args:
        address: the listener's `getsockname()`. extra: the user's own, which win.
    """
    port = "443" if tls else "80"
    host, port = (str(address[0]), str(address[1])) if isinstance(address, tuple) else ("localhost", port)
    common: dict[str, Any] = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if tls else "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "greening",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SCRIPT_NAME": "",
    }
    if tls:
        common["HTTPS"] = "on"
    if extra:
        common.update(extra)
    return common


def request_environ(common: dict[str, Any], head: Head, address: Any, body: Any) -> dict[str, Any]:
    """The environ of one request.

    Args:
        common: see `template`. address: the client's, as `accept` gave it.
    """
    if head.whole is None:
        # Made once for a head that comes again: one copy of a dictionary in place of two, and no growth of it later.
        head.whole = {**common, **head.environ, **_OF_A_REQUEST}
    environ = head.whole.copy()
    environ["wsgi.input"] = environ["eventlet.input"] = body
    host, port = (address[0], address[1]) if type(address) is tuple else peer_of(address)
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = host, str(port)
    environ["eventlet.posthooks"] = []
    return environ


_OF_A_REQUEST: Final = dict.fromkeys(
    ("wsgi.input", "eventlet.input", "REMOTE_ADDR", "REMOTE_PORT", "eventlet.posthooks", "eventlet.set_idle")
)


def url(address: Any, tls: bool) -> str:
    """Where a client of this machine reaches a socket.

    Args:
        address: as `getsockname` has it.
    """
    if not isinstance(address, tuple):
        path = "@" + address[1:].decode("utf-8", "backslashreplace") if isinstance(address, bytes) else address
        return f"unix:{path}" + (" (https)" if tls else "")
    host, every = address[0], ""
    if host == "0.0.0.0":
        host, every = "127.0.0.1", " (and every other IPv4 address of this machine)"
    elif host == "::":
        host, every = "::1", " (and every other address of this machine)"
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{host}:{address[1]}{every}"


# `wsgi.file_wrapper`: a file as a response, by sendfile(2) where that can be.


class FileWrapper:
    """An iterable of a file's blocks, as PEP 3333 has it. Returned as it is by an application, a regular file goes to
    the client without passing through the process.

    Args:
        filelike: has `read`, and maybe `close`. blksize: bytes of a block.
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


def extent(wrapper: FileWrapper) -> tuple[int, int, int] | None:
    """The descriptor, where the file stands, and how much there is from there; None for what sendfile(2) is not for."""
    file = wrapper.filelike
    if isinstance(file, io.TextIOBase):
        return None
    try:
        fd = file.fileno()
        found = os.fstat(fd)
        offset = file.tell()
    except (AttributeError, OSError, ValueError, TypeError):
        return None
    if not stat.S_ISREG(found.st_mode) or type(offset) is not int:
        return None
    return fd, offset, max(0, found.st_size - offset)
