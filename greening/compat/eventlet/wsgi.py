"""eventlet.wsgi."""

from greening.wsgi.protocol import HttpProtocol
from greening.wsgi.server import Server, server

__all__ = ["HttpProtocol", "Server", "server"]
