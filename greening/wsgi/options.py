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

from greening.wsgi.limits import Limits
from greening.wsgi.values import (
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

PREFIX = "GREENING_WSGI_"  # of variables of the environment


@dataclass(frozen=True)
class Option:
    """One option.

    Args:
        name: on the command line, without its dashes. kind: what its value has to be. default: its value otherwise.
        help: for the user. group: its heading there.
        goes: what it is a setting of, see the head of this file. field: its name there; "": `name` with underscores.
        short: "-w". many: it may be given several times; its value is a tuple.
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
            return f"[{', '.join(map(self.kind.show, value))}]"
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
    Option("graceful-timeout", SECONDS, 30.0, "for what is in flight when a worker is to end", "Workers"),
    Option("preload", SWITCH, False, "load the application once; workers share its memory until they write", "Workers"),
    Option("reload", SWITCH, False, "new workers when a file of a loaded module changes", "Workers"),
    Option("max-requests", COUNT, 0, "a worker is replaced after so many; 0: never", "Workers"),
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
    Option("access-log", SWITCH, True, "a line for each request on standard output", "Output"),
    Option("debug", SWITCH, False, "tracebacks to clients, and a line for each client that was refused", "Output"),
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
    Option("post-fork", CALLABLE, None, "called in each worker before the application is loaded", "Hooks"),
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


OPTIONS: tuple[Option, ...] = (*SOCKETS, *WORKERS, *PROCESS, *OUTPUT, *HOOKS, *_limits())


def reference() -> str:
    """The options as a table in Markdown: docs/deploying.md ends with it. Written there by scripts/docs_of_options."""
    lines = ["| option | value | default | meaning |", "|---|---|---|---|"]
    for option in OPTIONS:
        default = option.shown(option.default)
        cells = (f"`{option.name}`", option.kind.metavar or "switch", f"`{default}`" if default else "", option.help)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
