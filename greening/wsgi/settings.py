"""What can be said about a server, in one place for `Server` and for eventlet's function `server`."""

from dataclasses import dataclass, replace
from types import NoneType
from typing import Any

from greening.wsgi.access import JsonLine, TextLine
from greening.wsgi.forwarded import FORWARDED_FIELDS, TrustedProxies, TrustList
from greening.wsgi.limits import Limits
from greening.wsgi.log import COMBINED_FORMAT, DEFAULT_FORMAT
from greening.wsgi.meter import Meter
from greening.wsgi.metrics import Metrics
from greening.wsgi.protocol import HttpProtocol


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The settings of a server, with eventlet's names. `Server` and `server` take each of them as a keyword.

    Args:
        log: a `logging.Logger` or a file; None: standard error.
        environ: added to the environ of every request.
        max_size: connections at once, 1,024 by default, the idle ones among them. One more takes the place of the one
            that has been idle for longest; failing that, of one that keeps the server waiting.
        max_http_version: "HTTP/1.0": never answer in HTTP/1.1.
        protocol: a subclass of `HttpProtocol`.
        minimum_chunk_size: bytes; an iterable's pieces are gathered until there are so many, against PEP 3333. A
            request may say so by `environ["eventlet.minimum_write_chunk_size"]`.
        log_x_forwarded_for: believe that field, and name its addresses in the log.
        custom_pool: a `GreenPool` for what is served; its size takes the place of `max_size`.
        keepalive: False: one request for each connection; a number: seconds to wait for the next one.
        log_output: False: no line for each request. Errors are told all the same.
        log_format: for `%`, with client_ip, client_port, user, date_time (as in the combined format), time (RFC 3339),
            request_line, method, target, path, query, protocol, scheme, host, referer, user_agent, forwarded_for,
            status_code, status_class (2xx), body_length (bytes), wall_seconds, wall_ms, wall_us, pid; and a field of
            the request as `{name}i`, one of the response as `{name}o`, of the environ as `{NAME}e`:
            "%({x-request-id}i)s". "-" stands for what there is not.
        log_json: a JSON object for each request, with the names in `log_format` as its keys. Without a format of your
            own: those of `greening.wsgi.access.JSON_FIELDS`.
        url_length_limit: bytes of a request's target, 8,192 by default; more is 414.
        debug: tracebacks to clients, and a log line for each client that was refused.
        socket_timeout: seconds for a body to come and for a response to be taken, in place of those of `limits`.
        capitalize_response_headers: `content-type` is sent as `Content-Type`.
        limits: bytes and seconds that a client may cost.
        ssl_context: TLS for every connection.
        forwarded_allow_ips: the proxies that are believed when they name the client: addresses and networks with commas
            in between, `unix`, `*`. See `greening.wsgi.forwarded`. None: no proxy is.
        forwarded_fields: names, with commas in between, of the fields in which they do so; what else there is of
            `greening.wsgi.forwarded.FORWARDED_FIELDS` is not looked at. None: all of them.
        proxy_protocol: the proxies whose connections begin with a header of the PROXY protocol, version 1 or 2, as in
            `forwarded_allow_ips`. None: no connection does.
        metrics: a `Metrics` that counts requests and connections, shared with other processes or with none.
        statsd: HOST:PORT of a statsd that gets the same, without the workers, once a second.
        statsd_prefix: what each name there begins with.
    Raises:
        ValueError: `max_http_version` is none, a limit is too low, a list of proxies has what is no address, or
            `statsd` is none. TypeError: a number is none.
        KeyError, TypeError, ValueError: `log_format` names what there is not, or is malformed.
    """

    log: Any = None
    environ: dict[str, Any] | None = None
    max_size: int | None = None
    max_http_version: str | None = "HTTP/1.1"
    protocol: type[HttpProtocol] = HttpProtocol
    minimum_chunk_size: int | None = None
    log_x_forwarded_for: bool = False
    custom_pool: Any = None
    keepalive: bool | float = True
    log_output: bool = True
    log_format: str = DEFAULT_FORMAT
    log_json: bool = False
    url_length_limit: int | None = None
    debug: bool = False
    socket_timeout: float | None = None
    capitalize_response_headers: bool = True
    limits: Limits | None = None
    ssl_context: Any = None
    forwarded_allow_ips: str | None = None
    forwarded_fields: str | None = None
    proxy_protocol: str | None = None
    metrics: Metrics | None = None
    statsd: str | None = None
    statsd_prefix: str = "greening."

    def __post_init__(self) -> None:
        if self.max_http_version not in ("HTTP/1.1", "HTTP/1.0", None):
            raise ValueError(f"not a version of HTTP: {self.max_http_version!r}")
        for name in ("max_size", "minimum_chunk_size", "url_length_limit", "socket_timeout", "keepalive"):
            if not isinstance(value := getattr(self, name), (int, float, NoneType)):
                raise TypeError(f"{name} is a number or None, not {value!r}")
        self.access_line()  # a mistake in the format is to be known now
        self.effective_limits()
        self.proxies()
        self.meter()
        if self.proxy_protocol is not None:
            TrustList(self.proxy_protocol)

    def proxies(self) -> TrustedProxies | None:
        """What finds the client behind proxies; None: no proxy is believed. Raises: ValueError."""
        if self.forwarded_allow_ips is None:
            return None
        fields = FORWARDED_FIELDS if self.forwarded_fields is None else self.forwarded_fields.split(",")
        return TrustedProxies(self.forwarded_allow_ips, fields)

    def meter(self) -> Meter:
        """What counts. Raises: ValueError."""
        return Meter(self.metrics, self.statsd, self.statsd_prefix)

    def access_line(self) -> TextLine:
        """What makes a log line of an `Entry`. Raises: as the class says of `log_format`."""
        if self.log_json:
            return JsonLine(None if self.log_format in (DEFAULT_FORMAT, COMBINED_FORMAT) else self.log_format)
        return TextLine(self.log_format)

    def effective_limits(self) -> Limits:
        """`limits`, changed by eventlet's arguments."""
        changes: dict[str, Any] = {}
        if self.url_length_limit is not None:
            changes["target"] = self.url_length_limit
        if self.socket_timeout is not None:
            changes |= {"body_timeout": self.socket_timeout, "write_timeout": self.socket_timeout}
        return replace(self.limits or Limits(), **changes)

    def idle_timeout(self, limits: Limits) -> float | None:
        """Seconds for the first byte of the next request; None: no limit."""
        return limits.idle_timeout if isinstance(self.keepalive, bool) else self.keepalive
