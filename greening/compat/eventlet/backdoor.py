"""eventlet.backdoor: a Python prompt inside the process, over a socket, which asks for no token.

Clients are known by their user, as the kernel knows it: a process of this user, or of root, on this machine gets a
prompt, others do not, whatever address the socket listens on.
"""

import sys
from typing import Any

from greening._core.greenthread import GreenThread
from greening.backdoor.server import backdoor as _backdoor
from greening.backdoor.server import backdoor_server as _backdoor_server

__all__ = ["backdoor", "backdoor_server"]

# What the `code` module shows.
_BANNER = (
    f'Python {sys.version} on {sys.platform}\nType "help", "copyright", "credits" or "license" for more information.\n'
    "(InteractiveConsole)\n"
)


def backdoor_server(sock: Any, locals: dict[str, Any] | None = None) -> None:
    """Serve prompts on a listening socket; see greening.backdoor.

    Args:
        locals: the names that all prompts share.
    Raises:
        OSError: accept failed for good.
    Difference from eventlet: only this user and root get a prompt; exit() ends the connection, and not the process; the
    log `greening.backdoor` says what eventlet prints.
    """
    _backdoor_server(sock, locals, allow_remote=True, same_user=True, banner=_BANNER)


def backdoor(conn_info: tuple[Any, Any], locals: dict[str, Any] | None = None) -> GreenThread[None]:
    """Give a prompt to an accepted connection, in a green thread of its own; see greening.backdoor, and above."""
    return _backdoor(conn_info, locals, same_user=True, banner=_BANNER)
