"""eventlet.green.ssl: `greening.green.ssl`, with `wrap_socket` on every Python, and with eventlet's classes."""

import importlib
from typing import Any

from greening.net.tls import GreenSSLSocket
from greening.net.wrap_ssl import wrap_ssl as wrap_socket

__all__ = ["GreenSSLContext", "GreenSSLSocket", "wrap_socket"]

_module: Any = importlib.import_module("greening.green.ssl")

GreenSSLContext = _module.SSLContext


def __getattr__(name: str) -> Any:
    return getattr(_module, name)


def __dir__() -> list[str]:
    return sorted({*dir(_module), *__all__})
