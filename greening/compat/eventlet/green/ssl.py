"""eventlet.green.ssl: `greening.green.ssl`, with `wrap_socket` on every Python, and with one class of sockets.

What `wrap_socket` and a `GreenSSLContext` make is a `GreenSSLSocket`, which is a `GreenSocket` and, whether or not
anything is patched, one of the stdlib's `ssl.SSLSocket`. `SSLSocket` and `SSLContext` are other names for the two.
"""

import importlib
import ssl
from typing import Any

from greening.net.tls import GreenSSLSocket
from greening.net.wrap_ssl import wrap_ssl as wrap_socket

__all__ = [
    "GreenSSLContext",
    "GreenSSLSocket",
    "SSLContext",
    "SSLSocket",
    "create_default_context",
    "wrap_socket",
]

_module: Any = importlib.import_module("greening.green.ssl")


class GreenSSLContext(ssl.SSLContext):
    """The stdlib's `ssl.SSLContext`, whose sockets are green."""

    sslsocket_class = GreenSSLSocket


SSLContext = GreenSSLContext
SSLSocket = GreenSSLSocket


def create_default_context(purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, **settings: Any) -> GreenSSLContext:
    """As `ssl.create_default_context`, with its parameters.

    Raises:
        As the stdlib's, e.g. ssl.SSLError: what should be certificates are none.
    """
    context = ssl.create_default_context(purpose, **settings)
    context.__class__ = GreenSSLContext
    assert isinstance(context, GreenSSLContext)
    return context


def __getattr__(name: str) -> Any:
    return getattr(_module, name)


def __dir__() -> list[str]:
    return sorted({*dir(_module), *__all__})
