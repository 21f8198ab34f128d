"""Which connections get a prompt."""

import ipaddress
import logging
from _socket import AF_INET, AF_INET6
from typing import Any

from greening._core.greenthread import GreenThread, spawn
from greening._core.mistakes import check_listener
from greening.backdoor.entrance import Entrance, in_file_system
from greening.backdoor.prompt import Prompt
from greening.net.stream_server import StreamServer

_log = logging.getLogger("greening.backdoor")


def backdoor_server(
    sock: Any,
    locals: dict[str, Any] | None = None,
    *,
    allow_remote: bool = False,
    token: str | None = None,
    same_user: bool = False,
    banner: str | None = None,
) -> None:
    """Serve prompts on a listening socket, one per connection, until the socket is closed or the caller is killed.

    A client of a Unix socket has to be of this process's user, or root. A client of another socket has to send a token,
    as its first line, within 30 seconds. Of more than 64 that have not sent it the oldest is cut off.

    Args:
        sock: as `greening.listen` makes it, on loopback or a Unix socket. It is closed at the end; prompts go on.
        locals: the names that all prompts share, also those that they define. None: each has its own.
        allow_remote: any other address is fine, and so is an abstract Unix socket. The token, and everything after it,
            is not encrypted.
        token: what clients have to know; on a Unix socket, too. None: a Unix socket asks for none; for other sockets a
            random one is made, and logged as a warning of the logger `greening.backdoor`.
        same_user: none is made, and clients of TCP have to be processes of this user, or of root, on this machine, as
            the kernel says. Others are cut off, whatever `allow_remote` is.
        banner: what clients get to read first; None: which Python this is.
    Raises:
        ValueError: others than this machine could connect, or the token is no line. OSError: accept failed for good,
            e.g. `sock` was closed.
    Difference from eventlet: the token, the check of the user, and `allow_remote`.
    Thread-safety: commands run in the OS thread that calls this, between its other green threads; one that blocks
    parks, one that computes stops them all.
    """
    check_listener(sock, "backdoor_server")
    if not (allow_remote or _is_local(sock)):
        raise ValueError(
            f"a prompt on {sock.getsockname()!r} would be open to other machines or containers: listen on 127.0.0.1, "
            "::1 or a Unix socket with a path, or say allow_remote=True"
        )
    entrance = Entrance(sock, token, same_user)
    server = StreamServer(sock, lambda connection, address: Prompt(connection, address, locals, entrance, banner).run())
    _log.info("backdoor server listening on %s", server.address)
    try:
        server.serve_forever()
    finally:
        server.close()


def backdoor(
    conn_info: tuple[Any, Any],
    locals: dict[str, Any] | None = None,
    *,
    token: str | None = None,
    same_user: bool = False,
    banner: str | None = None,
) -> GreenThread[None]:
    """Give a prompt to an accepted connection, in a green thread of its own. Does not block; for accept loops.

    Args:
        conn_info: what `accept` returned. The caller may close the connection; it stays open as long as the prompt.
        locals, token, same_user, banner: see `backdoor_server`.
    Returns:
        The green thread; to kill it ends the prompt. (eventlet returns nothing.)
    Raises:
        ValueError: the token is no line.
    """
    connection, address = conn_info
    return spawn(Prompt(connection, address, locals, Entrance(connection, token, same_user), banner).run)


def _is_local(sock: Any) -> bool:
    if in_file_system(sock):
        return True
    if sock.family not in (AF_INET, AF_INET6):
        return False
    address = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
