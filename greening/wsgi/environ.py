"""The environ of a request: PEP 3333, and eventlet's extras.

Difference from eventlet: its `headers_raw` is `eventlet.headers_raw`, since names without a dot are for strings.
"""

import sys
from typing import Any

from greening.wsgi.files import FileWrapper
from greening.wsgi.head import Head


def template(address: Any, tls: bool, extra: dict[str, Any] | None) -> dict[str, Any]:
    """What is the same for every request of a server.

    Args:
        address: the listener's `getsockname()`. extra: the user's own, which win.
    """
    port = "443" if tls else "80"
    host, port = (str(address[0]), str(address[1])) if isinstance(address, tuple) else ("unix", port)
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
    environ = common.copy()
    environ.update(head.environ)
    environ["wsgi.input"] = environ["eventlet.input"] = body
    if type(address) is tuple:
        environ["REMOTE_ADDR"] = address[0]
        environ["REMOTE_PORT"] = str(address[1])
    else:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = "unix", ""
    environ["eventlet.posthooks"] = []
    return environ
