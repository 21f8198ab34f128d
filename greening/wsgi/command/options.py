"""The options of `python -m greening.wsgi`, in one table.

The command line, the environment, the TOML file, `--help`, `--print-config` and the reference in docs/deploying.md all
come from it. To add an option is to add a line here, and a field to where it goes: `Settings` ("command"),
`ServerSettings` ("server") or `Limits` ("limits"). Each field of `Limits` is an option by itself.
"""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal, get_args, get_type_hints

from greening.wsgi.command.checked import (
    ACCESS_LOG,
    ALL_FORWARDED,
    CERT_REQS,
    CIPHERS,
    FORMAT,
    FORWARDED,
    OFF,
    SNI,
    STATIC,
    STATSD,
    STDOUT,
    TLS_VERSION,
    TRUSTED,
)
from greening.wsgi.command.values import (
    ADDRESS,
    CALLABLE,
    COUNT,
    FILE,
    MODE,
    NAME,
    POSITIVE,
    SECONDS,
    SIZE,
    SWITCH,
    Kind,
    limit_kind,
)
from greening.wsgi.limits import Limits
from greening.wsgi.log import COMBINED_FORMAT

PREFIX = "GREENING_WSGI_"  # of variables of the environment


@dataclass(frozen=True)
class Option:
    """One option.

    Args:
        name: on the command line, without its dashes. kind: what its value has to be. default: its value otherwise.
        help: for the user. group: its heading there.
        goes: what it is a setting of, see the head of this file. field: its name there; "": `name` with underscores.
        short: "-w". many: it may be given several times; its value is a tuple. off: the value that --no-NAME means.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    group: str
    goes: Literal["command", "server", "limits"] = "command"
    field: str = ""
    short: str = ""
    many: bool = False
    off: str = ""

    @property
    def attribute(self) -> str:
        """The field that it fills."""
        return self.field or self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name.replace("-", "_").upper()

    def shown(self, value: Any) -> str:
        """A value of it as TOML; "" for one that is not set."""
        if self.many:
            return f"[{', '.join(map(self.kind.show, value))}]" if value else ""
        return self.kind.show(value) if value is not None or self.goes == "limits" else ""


SOCKETS = (
    Option(
        "bind",
        ADDRESS,
        ("127.0.0.1:8000",),
        "HOST:PORT (port 0: any), [IPv6]:PORT, :PORT for all interfaces, unix:PATH, unix:@NAME (abstract) or fd://N "
        "(a listening socket that is open already). May be given several times",
        "Sockets",
        short="-b",
        many=True,
    ),
    Option(
        "umask",
        MODE,
        None,
        "octal: permissions that Unix sockets do not give, such as 007; without it, the process's own umask counts",
        "Sockets",
    ),
    Option("backlog", POSITIVE, 1024, "connections of each socket that wait for a worker", "Sockets"),
    Option("certfile", FILE, None, "TLS with this certificate (and its chain), in PEM", "Sockets"),
    Option("keyfile", FILE, None, "its private key, if it is not in the same file", "Sockets"),
)

WORKERS = (
    Option("workers", POSITIVE, 1, "processes", "Workers", short="-w"),
    Option(
        "connections",
        POSITIVE,
        1024,
        "at once for each address in each worker; for one more, the one that is idle for longest goes, or it waits",
        "Workers",
    ),
    Option(
        "timeout",
        SECONDS,
        30.0,  # as gunicorn's: it means the same there, for workers that serve many requests at once
        "a worker whose green threads do not get a turn for so long is stuck: its stack is logged, and it is replaced; "
        "0: never. Requests that wait do not count",
        "Workers",
    ),
    Option(
        "start-timeout",
        SECONDS,
        120.0,
        "a worker that has not loaded the application by then is killed, and its stack is logged; 0: never",
        "Workers",
    ),
    Option("graceful-timeout", SECONDS, 30.0, "for what is in flight when a worker is to end", "Workers"),
    Option("preload", SWITCH, False, "load the application once; workers share its memory until they write", "Workers"),
    Option("reload", SWITCH, False, "new workers when a file of a loaded module changes", "Workers"),
    Option(
        "max-requests",
        COUNT,
        0,
        "a worker is replaced after so many; 0: never. It serves until its successor is ready, so it gets some more; "
        "files of --static do not count",
        "Workers",
    ),
    Option("max-requests-jitter", COUNT, 0, "up to so many more, at random, for each worker", "Workers"),
    Option("lifetime", SECONDS, 0.0, "a worker is replaced after so long; 0: never", "Workers"),
    Option("lifetime-jitter", SECONDS, 0.0, "up to so much longer, at random, for each worker", "Workers"),
    Option(
        "max-memory",
        SIZE,
        0,
        "resident memory (K, M, G: powers of 1,024) at which a worker is replaced; 0: never",
        "Workers",
    ),
)

PROCESS = (
    Option("user", NAME, None, "of the workers, by name or number, once the sockets are open", "Process"),
    Option("group", NAME, None, "of the workers; without it, the user's own", "Process"),
    Option("pid", FILE, None, "where the supervisor's process number is written", "Process"),
)

OUTPUT = (
    Option(
        "access-log",
        ACCESS_LOG,
        STDOUT,
        "a line for each request: a file, which SIGUSR1 has opened anew, - for standard output, or off",
        "Output",
        off=OFF,
    ),
    Option(
        "access-log-format",
        FORMAT,
        COMBINED_FORMAT,
        "of that line, such as '%(client_ip)s %(method)s %(path)s %(status_code)s %(wall_ms)s'; fields: see "
        "ServerSettings.log_format",
        "Output",
        goes="server",
        field="log_format",
    ),
    Option(
        "log-json",
        SWITCH,
        False,
        "a JSON object for each request, with the fields of the format",
        "Output",
        goes="server",
    ),
    Option("error-log", FILE, None, "everything else, in place of standard error; SIGUSR1 as above", "Output"),
    Option("debug", SWITCH, False, "tracebacks to clients, and a line for each client that was refused", "Output"),
)

TLS = (
    Option("keyfile-password-file", FILE, None, "its first line is the password of encrypted private keys", "TLS"),
    Option(
        "sni",
        SNI,
        (),
        "a further certificate, for clients that ask for HOST, or *.DOMAIN. May be given several times",
        "TLS",
        many=True,
    ),
    Option("ca-certs", FILE, None, "authorities of clients' certificates: a PEM file, or a hashed folder", "TLS"),
    Option(
        "cert-reqs",
        CERT_REQS,
        None,
        "a client's certificate: none, optional or required; with --ca-certs it is required",
        "TLS",
    ),
    Option("tls-min-version", TLS_VERSION, "TLSv1.2", "TLSv1.2 or TLSv1.3", "TLS"),
    Option("ciphers", CIPHERS, None, "of TLS 1.2, in OpenSSL's format", "TLS"),
)

PROXIES = (
    Option(
        "forwarded-allow-ips",
        TRUSTED,
        None,
        "proxies that are believed when they name the client: addresses and networks with commas, unix, or *",
        "Proxies",
        goes="server",
    ),
    Option(
        "forwarded-fields",
        FORWARDED,
        ALL_FORWARDED,
        "fields that these proxies set or remove; no other counts",
        "Proxies",
        goes="server",
    ),
    Option(
        "proxy-protocol",
        SWITCH,
        False,
        "connections of --proxy-allow-from begin with a header of the PROXY protocol, version 1 or 2",
        "Proxies",
    ),
    Option("proxy-allow-from", TRUSTED, "127.0.0.1,::1,unix", "these proxies, as above", "Proxies"),
)

METRICS = (
    Option(
        "metrics", ADDRESS, None, "for Prometheus, which finds the sum over all workers at /metrics there", "Metrics"
    ),
    Option("statsd", STATSD, None, "a statsd that gets them once a second, by UDP", "Metrics", goes="server"),
    Option("statsd-prefix", NAME, "greening.", "of their names", "Metrics", goes="server"),
)

DEVELOPMENT = (
    Option(
        "static",
        STATIC,
        (),
        "files of FOLDER under /URL, for development only. May be given several times",
        "Development",
        many=True,
    ),
)


HOOKS = (
    Option(
        "on-starting",
        CALLABLE,
        None,
        "called in the supervisor before the first worker; the supervisor is not patched, and workers inherit the "
        "modules that it imports: keep it out of the application's",
        "Hooks",
    ),
    Option(
        "post-fork",
        CALLABLE,
        None,
        "called in each worker before the application is loaded; with --preload, after",
        "Hooks",
    ),
    Option("worker-ready", CALLABLE, None, "called in each worker when the application is loaded", "Hooks"),
    Option("worker-exit", CALLABLE, None, "called in each worker after its last request", "Hooks"),
    Option("on-exit", CALLABLE, None, "called in the supervisor after the last worker; imported then", "Hooks"),
)


def _abouts() -> dict[str, str]:
    """What the docstring of `Limits` says of each field. Nothing, when docstrings are stripped (`python -OO`)."""
    text = " ".join((inspect.getdoc(Limits) or "").partition("Attributes:")[2].partition("Raises:")[0].split())
    names = "|".join(field.name for field in fields(Limits))
    pieces = re.split(rf"(?:^|(?<=[.;] ))({names}): ", text)
    return {name: about.strip().rstrip(".") for name, about in zip(pieces[1::2], pieces[2::2], strict=True)}


def _check(name: str, value: Any) -> None:
    Limits(**{name: value})


def _limits() -> Iterator[Option]:
    types, abouts = get_type_hints(Limits), _abouts()
    for field in fields(Limits):
        name, given = field.name, get_args(types[field.name]) or (types[field.name],)
        kind = limit_kind(partial(_check, name), float not in given, type(None) in given)
        yield Option(name.replace("_", "-"), kind, field.default, abouts.get(name, ""), "Limits", goes="limits")


OPTIONS: tuple[Option, ...] = (
    *SOCKETS,
    *WORKERS,
    *PROCESS,
    *TLS,
    *PROXIES,
    *OUTPUT,
    *METRICS,
    *DEVELOPMENT,
    *HOOKS,
    *_limits(),
)


def reference() -> str:
    """The options as a table in Markdown: docs/deploying.md ends with it. Written there by scripts/docs_of_options."""
    lines = ["| option | value | default | meaning |", "|---|---|---|---|"]
    for option in OPTIONS:
        default = option.shown(option.default)
        cells = (f"`{option.name}`", option.kind.metavar or "switch", f"`{default}`" if default else "", option.help)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
