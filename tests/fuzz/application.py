"""A WSGI application for every server: it says what it has understood. It needs the standard library only."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

# Keys of the environ that differ from connection to connection.
_OWN = {"REMOTE_PORT", "SERVER_PORT", "wsgi.errors"}


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Says all that it knows of the request, in one of the ways in which applications answer."""
    path = environ["PATH_INFO"]
    body = b"" if path == "/unread" else environ["wsgi.input"].read()
    told = {key: value for key, value in environ.items() if isinstance(value, str) and key not in _OWN}
    told["raw"] = repr(environ.get("eventlet.headers_raw"))
    told["body"] = f"{len(body)} {hashlib.md5(body).hexdigest()}"
    text = json.dumps(told, sort_keys=True).encode()
    if path == "/none":
        start_response("204 No Content", [])
        return []
    if path == "/raise":
        raise ValueError("the application's own")
    if path == "/pieces":
        start_response("200 OK", [("Content-Type", "application/json")])
        return _pieces(text)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    if path == "/cookie":
        headers.append(("Set-Cookie", f"cookie={environ.get('HTTP_COOKIE', '')}"))
    start_response("200 OK", headers)
    return [text]


def _pieces(text: bytes) -> Iterator[bytes]:
    for at in range(0, len(text), 100):
        yield text[at : at + 100]
