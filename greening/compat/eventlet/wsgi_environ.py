"""What an application gets: the environ of a request, from what a protocol has as `command`, `path` and `headers`."""

from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from greening.compat.eventlet.wsgi_input import Input


def addr_to_host_port(addr: Any) -> tuple[Any, Any]:
    """Of a client or a server; of a Unix socket ("unix", "")."""
    return (addr[0], addr[1]) if isinstance(addr, tuple) else ("unix", "")


def formal_name(name: str) -> str | None:
    """The name of a field in the environ, without HTTP_; None: it is left out, since X_Y would pass for X-Y."""
    return None if "_" in name else name.replace("-", "_").upper()


@lru_cache(maxsize=256)  # the names of fields are few
def _usual_key(name: str) -> str | None:
    return _key(formal_name(name))


def _key(formal: str | None) -> str | None:
    if formal is None or formal == "PROXY":  # HTTP_PROXY is obeyed by HTTP clients
        return None
    return formal if formal in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{formal}"


def environ_of(protocol: Any, usual_names: bool) -> dict[str, Any]:
    """The environ, with the body of the request in it.

    Args:
        protocol: an `HttpProtocol` with a request.
        usual_names: `formal_name` says what fields are called; False: the protocol's `formalize_key_naming` does.
    """
    env: dict[str, Any] = protocol.server.get_environ()
    headers = protocol.headers
    raw = tuple([(name, value.strip(" \t\r\n")) for name, value in headers.raw_items()])
    path, mark, query = protocol.path.partition("?")
    env["REQUEST_METHOD"] = protocol.command
    env["SCRIPT_NAME"] = ""
    env["RAW_PATH_INFO"] = path
    env["PATH_INFO"] = "" if protocol.command == "CONNECT" else unquote(path, encoding="latin-1")
    if mark:
        env["QUERY_STRING"] = query
    env["SERVER_PROTOCOL"] = "HTTP/1.0"
    env["GATEWAY_INTERFACE"] = "CGI/1.1"
    host, port = addr_to_host_port(protocol.request.getsockname())
    env["SERVER_NAME"], env["SERVER_PORT"] = host, str(port)
    host, port = addr_to_host_port(protocol.client_address)
    env["REMOTE_ADDR"], env["REMOTE_PORT"] = host, str(port)
    own: dict[str, str] = {}
    for name, value in raw:
        key = _usual_key(name) if usual_names else _key(protocol.formalize_key_naming(name))
        if key is None:
            continue
        if key == "CONTENT_TYPE" or key == "CONTENT_LENGTH":
            own.setdefault(key, value)
        elif key in env:
            env[key] = f"{env[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        else:
            env[key] = value
    env["CONTENT_TYPE"] = own.get("CONTENT_TYPE") or headers.get_default_type()
    if length := own.get("CONTENT_LENGTH"):
        env["CONTENT_LENGTH"] = length
    env["headers_raw"] = raw
    env["wsgi.input"] = env["eventlet.input"] = _input(protocol, env, length)
    env["eventlet.posthooks"] = []
    return env


def _input(protocol: Any, env: dict[str, Any], length: str | None) -> Input:
    chunked = env.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
    expects = env.get("HTTP_EXPECT", "").lower() == "100-continue" and protocol.request_version != "HTTP/1.0"
    wfile, line = (protocol.wfile, b"HTTP/1.1 100 Continue\r\n") if expects else (None, None)
    return Input(protocol.rfile, length or (None if chunked else "0"), protocol.connection, wfile, line, chunked)
