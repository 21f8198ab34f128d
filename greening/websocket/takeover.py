"""Taking a connection out of the hands of the HTTP server that has it."""

from typing import Any


def take(environ: dict[str, Any]) -> Any:
    """The socket of a request, which is the caller's from now on.

    Raises:
        LookupError: the server lets go of no sockets, or not for this request.
    """
    if "greening.upgrade" in environ:
        return environ["greening.upgrade"]()
    get_socket = getattr(environ.get("eventlet.input"), "get_socket", None)
    if get_socket is not None:
        try:
            return get_socket()
        except RuntimeError as error:  # greening.wsgi's: not for this request
            raise LookupError(str(error)) from error
    for key in ("gunicorn.socket", "werkzeug.socket"):
        if key in environ:
            return environ[key]
    raise LookupError("this server lets go of no sockets: no greening.upgrade, eventlet.input, gunicorn.socket, ...")


def leave(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """What the application returns when its connection is over.

    Raises:
        StopIteration: for gunicorn's own workers: that is how an application tells them to write nothing.
    """
    if "greening.upgrade" not in environ and "eventlet.input" not in environ:
        if "gunicorn.socket" in environ:
            raise StopIteration
        start_response("200 OK", [])  # werkzeug insists; it cannot be sent any more
    return []
