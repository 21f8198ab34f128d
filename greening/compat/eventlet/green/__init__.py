"""eventlet.green: green modules of the standard library; `from eventlet.green import socket`.

They are those of `greening.green`. A file here is for what eventlet adds, and the table for names of Python 2.
"""

import importlib
import sys
from importlib.machinery import PathFinder
from typing import Any

# Names of Python 2 that eventlet has kept, and what they are called now.
_RENAMED = {
    "BaseHTTPServer": "http.server",
    "CGIHTTPServer": "http.server",
    "Queue": "queue",
    "SimpleHTTPServer": "http.server",
    "SocketServer": "socketserver",
    "_socket_nodns": "socket",
    "httplib": "http.client",
    "urllib2": "urllib.request",
}


def real_name(name: str) -> str:
    """The real name of `eventlet.green.<name>`, whether or not there is such a module."""
    if "." not in name and PathFinder.find_spec(f"{__name__}.{name}", __path__) is not None:
        return f"{__name__}.{name}"
    return f"greening.green.{_RENAMED.get(name, name)}"


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # By the name that it was asked for, if there is one: programs find it in `sys.modules`.
    installed = sys.modules.get("eventlet.green") is sys.modules[__name__]
    try:
        return importlib.import_module(f"eventlet.green.{name}" if installed else real_name(name))
    except ModuleNotFoundError as error:
        raise AttributeError(f"eventlet.green has no {name!r}: {error}") from None
