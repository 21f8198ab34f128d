"""`greening.wsgi.server`: eventlet's function."""

from typing import Any

from greening.wsgi.limits import Limits
from greening.wsgi.log import DEFAULT_FORMAT
from greening.wsgi.protocol import HttpProtocol
from greening.wsgi.server import Server


def server(
    sock: Any,
    site: Any,
    log: Any = None,
    environ: dict[str, Any] | None = None,
    max_size: int | None = None,
    max_http_version: str | None = "HTTP/1.1",
    protocol: type[HttpProtocol] = HttpProtocol,
    server_event: Any = None,
    minimum_chunk_size: int | None = None,
    log_x_forwarded_for: bool = False,
    custom_pool: Any = None,
    keepalive: bool | float = True,
    log_output: bool = True,
    log_format: str = DEFAULT_FORMAT,
    url_length_limit: int | None = None,
    debug: bool = False,
    socket_timeout: float | None = None,
    capitalize_response_headers: bool = True,
    *,
    limits: Limits | None = None,
    ssl_context: Any = None,
) -> None:
    """Serve a WSGI application until the green thread that is in here is killed, or interrupted, or the server stopped.

    Args:
        sock: a listening socket; closed at the end. With TLS (`wrap_ssl`), or `ssl_context` for it.
        site: the application.
        log: a `logging.Logger` or a file; None: standard error.
        environ: added to the environ of every request.
        max_size: connections at once, 1,024 by default; further ones wait in the backlog.
        max_http_version: "HTTP/1.0": never answer in HTTP/1.1.
        protocol: a subclass of `HttpProtocol`.
        server_event: a greening.Event that is sent the `Server`, which can be stopped by whoever gets it.
        minimum_chunk_size: gather an iterable's pieces until there are so many octets, against PEP 3333; a request may
            say so by `environ["eventlet.minimum_write_chunk_size"]`.
        log_x_forwarded_for: believe that field, and name its addresses in the log.
        custom_pool: a `GreenPool` for the connections; `max_size` does not matter then.
        keepalive: False: one request for each connection; a number: seconds to wait for the next one.
        log_output: False: no line for each request. Errors are told all the same.
        log_format: for `%`, with client_ip, client_port, date_time, request_line, status_code, body_length,
            wall_seconds, referer, user_agent.
        url_length_limit: octets of a request's target, 8,192 by default; more is 414.
        debug: tracebacks to clients, and a log line for each client that was refused.
        socket_timeout: seconds for a body to come and for a response to be taken, in place of those of `limits`.
        capitalize_response_headers: `content-type` is sent as `Content-Type`.
    Raises:
        OSError: accept failed for good.
    Difference from eventlet: PEP 3333 before speed (`minimum_chunk_size`), and safe first (`debug`,
        `log_x_forwarded_for`, time limits); SERVER_PROTOCOL is the request's.
    """
    settings = dict(locals())
    del settings["server_event"]
    serving = Server(settings.pop("sock"), settings.pop("site"), **settings)
    if server_event is not None:
        server_event.send(serving)
    try:
        serving.serve_forever()
    finally:
        serving.stop()
