"""Which connections get a prompt."""

import ipaddress
import logging
from _socket import AF_INET, AF_INET6, AF_UNIX
from typing import Any

from greening._core.greenthread import GreenThread, spawn
from greening.backdoor.prompt import Prompt
from greening.net.stream_server import StreamServer

_log = logging.getLogger("greening.backdoor")


def backdoor_server(sock: Any, locals: dict[str, Any] | None = None, *, allow_remote: bool = False) -> None:
    """Serve prompts on a listening socket, one per connection, until the socket is closed or the caller is killed.

    Args:
        sock: as `greening.listen` makes it, on loopback or a Unix socket. It is closed at the end; prompts go on.
        locals: the names that all prompts share, also those that they define. None: each has its own.
        allow_remote: any other address is fine. There is no password: a client that can connect can do anything.
    Raises:
        ValueError: others than this machine could connect. OSError: accept failed for good, e.g. `sock` was closed.
    Thread-safety: commands run in the OS thread that calls this, between its other green threads; one that blocks
    parks, one that computes stops them all.
    """
    if not (allow_remote or _is_local(sock)):
        raise ValueError(
            f"a prompt on {sock.getsockname()!r} would be open to other machines: listen on 127.0.0.1, ::1 or a Unix "
            "socket, or say allow_remote=True"
        )
    server = StreamServer(sock, lambda connection, address: Prompt(connection, address, locals).run())
    _log.info("backdoor server listening on %s", server.address)
    try:
        server.serve_forever()
    finally:
        server.close()


def backdoor(conn_info: tuple[Any, Any], locals: dict[str, Any] | None = None) -> GreenThread[None]:
    """Give a prompt to an accepted connection, in a green thread of its own. Does not block; for accept loops.

    Args:
        conn_info: what `accept` returned. The caller may close the connection; it stays open as long as the prompt.
        locals: see `backdoor_server`.
    Returns:
        The green thread; to kill it ends the prompt. (eventlet returns nothing.)
    """
    return spawn(Prompt(*conn_info, locals).run)


def _is_local(sock: Any) -> bool:
    if sock.family == AF_UNIX:
        return True
    if sock.family not in (AF_INET, AF_INET6):
        return False
    address = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
