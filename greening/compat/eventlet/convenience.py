"""eventlet.convenience: sockets in one call."""

import socket
import warnings
from typing import Any

from greening.errors import StopServe
from greening.net.convenience import connect, serve
from greening.net.convenience import listen as _listen
from greening.net.socket import GreenSocket
from greening.net.wrap_ssl import wrap_ssl

__all__ = [
    "ReusePortUnavailableWarning",
    "ReuseRandomPortWarning",
    "StopServe",
    "connect",
    "listen",
    "serve",
    "wrap_ssl",
]


class ReuseRandomPortWarning(Warning):
    """A port that the system chooses was to be shared: nobody else can know which one to share."""


class ReusePortUnavailableWarning(Warning):
    """The system has no SO_REUSEPORT, and it was asked for."""


def listen(
    addr: Any,
    family: int = socket.AF_INET,
    backlog: int = 50,
    reuse_addr: bool = True,
    reuse_port: bool | None = None,
) -> GreenSocket:
    """Make a listening socket, as `greening.listen`, with eventlet's default: a port may be shared.

    Args:
        reuse_port: True: set SO_REUSEPORT; None: set it unless the system chooses the port. Then several servers may
            listen on one port, also by mistake.
        addr, family, backlog, reuse_addr: as for `greening.listen`.
    Returns:
        A blocking cooperative socket.
    Raises:
        OSError: as `socket.bind` and `socket.listen`. No descriptor stays open then.
    """
    internet = family in (socket.AF_INET, socket.AF_INET6)
    random_port = internet and addr[1] == 0
    if random_port and reuse_port:
        warnings.warn(
            f"listen({addr!r}, reuse_port=True): the system chooses the port, so no other socket can share it; give a "
            "port, or leave reuse_port out",
            ReuseRandomPortWarning,
            stacklevel=3,
        )
    share = internet and not random_port if reuse_port is None else bool(reuse_port)
    if share and not hasattr(socket, "SO_REUSEPORT"):
        share = False
        if reuse_port:
            warnings.warn(
                f"listen({addr!r}, reuse_port=True): this system has no SO_REUSEPORT",
                ReusePortUnavailableWarning,
                stacklevel=3,
            )
    return _listen(addr, family, backlog, reuse_addr, share)
