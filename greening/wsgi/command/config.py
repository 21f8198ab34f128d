"""What the user has said: on the command line, in the environment, in a TOML file, in this order of precedence."""

import argparse
import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from greening.wsgi.command.options import OPTIONS, PREFIX, Option
from greening.wsgi.limits import Limits
from greening.wsgi.tls import TlsSettings

PROJECT = "pyproject.toml"
_TABLE = ("tool", "greening", "wsgi")  # of PROJECT

_OF_TLS = {field.name.replace("_", "-") for field in fields(TlsSettings)} - {"certfile"}

_APP, _CONFIG = PREFIX + "APP", PREFIX + "CONFIG"


class BadConfig(Exception):
    """A value, a name or a file that makes no sense. Its text names the place."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the options say, each under its name (`options`), in seconds and bytes.

    Attributes:
        app: the application. limits: of clients. server: further settings of `Server`, by name.
    """

    app: str
    limits: Limits
    server: dict[str, Any]
    bind: tuple[str, ...]
    umask: int | None
    backlog: int
    certfile: str | None
    keyfile: str | None
    workers: int
    connections: int
    timeout: float
    start_timeout: float
    graceful_timeout: float
    preload: bool
    reload: bool
    max_requests: int
    max_requests_jitter: int
    lifetime: float
    lifetime_jitter: float
    max_memory: int
    user: str | None
    group: str | None
    pid: str | None
    on_starting: str | None
    post_fork: str | None
    worker_ready: str | None
    worker_exit: str | None
    on_exit: str | None
    keyfile_password_file: str | None
    sni: tuple[str, ...]
    ca_certs: str | None
    cert_reqs: str | None
    tls_min_version: str
    ciphers: str | None
    proxy_protocol: bool
    proxy_allow_from: str
    access_log: str
    error_log: str | None
    debug: bool
    metrics: str | None
    static: tuple[str, ...]

    def tls(self) -> TlsSettings | None:
        """None: without TLS. Raises: ValueError."""
        if self.certfile is None:
            return None
        return TlsSettings(**{field.name: getattr(self, field.name) for field in fields(TlsSettings)})


class Value(NamedTuple):
    """A value, and where it was said: an option, a variable, a file with its key, or "default"."""

    value: Any
    origin: str


class Config:
    """All options, with where they come from.

    Args:
        app: the application and where it was named; "" for none. values: by name of the option.
    """

    def __init__(self, app: Value, values: dict[str, Value]) -> None:
        self.app = app
        self.values = values

    def settings(self) -> Settings:
        """The values alone.

        Raises:
            BadConfig: no application is named, or two options exclude each other.
        """
        if not self.app.value:
            raise BadConfig(
                f"no application is named: give APP, e.g. mysite.wsgi:application, or {_APP}, or the key app"
            )
        values = self.values
        for option in OPTIONS:
            name, value = option.name, values[option.name]
            if name in _OF_TLS and value.value != option.default and not values["certfile"].value:
                raise BadConfig(f"{value.origin}: a {name} without a certfile")
        if values["preload"].value and values["reload"].value:
            raise BadConfig(
                f"{values['preload'].origin} and {values['reload'].origin}: preload and reload exclude each other,"
                " since a preloaded application is loaded again by SIGHUP only"
            )
        limits = Limits(**self._going("limits"))
        made = Settings(app=self.app.value, limits=limits, server=self._going("server"), **self._going("command"))
        try:
            made.tls()
        except ValueError as error:
            origins = {values[name].origin for name in ("ca-certs", "cert-reqs")} - {"default"}
            raise BadConfig(f"{' and '.join(sorted(origins))}: {error}") from None
        return made

    def _going(self, where: str) -> dict[str, Any]:
        return {option.attribute: self.values[option.name].value for option in OPTIONS if option.goes == where}

    def __str__(self) -> str:
        """A TOML file that says the same, with origins as comments."""
        app = Option("app", OPTIONS[0].kind, None, "", "")
        lines = []
        for option, (value, origin) in [(app, self.app), *((o, self.values[o.name]) for o in OPTIONS)]:
            shown = option.shown(value) if value != "" else ""
            lines.append(f"{option.name} = {shown}  # {origin}" if shown else f"# {option.name} is not set")
        return "\n".join(lines)


def read(given: argparse.Namespace, environ: Mapping[str, str], folder: str) -> Config:
    """Put together what was said.

    Args:
        given: a command line that `parser` has parsed. environ: variables.
        folder: where pyproject.toml is looked for, unless another file is named.
    Raises:
        BadConfig: see there.
    """
    options = vars(given)
    known = {option.variable for option in OPTIONS} | {_APP, _CONFIG}
    for variable in environ:
        if variable.startswith(PREFIX) and variable not in known:
            raise BadConfig(f"the variable {variable} is unknown{nearest(variable, known)}")
    path, table = _table(options.get("config"), environ.get(_CONFIG), folder)
    values = {option.name: _value(option, options, environ, path, table) for option in OPTIONS}
    in_file = table.get("app", "")
    if not isinstance(in_file, str):
        raise BadConfig(f"{path}: app: {in_file!r} is not a string")
    said = ((given.app, "APP"), (environ.get(_APP), _APP), (in_file, f"{path}: app"))
    app = next((Value(name, origin) for name, origin in said if name), Value("", "default"))
    return Config(app, values)


def _value(
    option: Option, given: dict[str, Any], environ: Mapping[str, str], path: str, table: dict[str, Any]
) -> Value:
    kind = option.kind
    if option.name in given:
        origin, raw, parse = f"--{option.name}", given[option.name], kind.parse
        if isinstance(raw, bool):  # a switch
            return Value(raw, origin if raw else f"--no-{option.name}")
    elif option.variable in environ:
        origin, raw, parse = option.variable, environ[option.variable], kind.parse
        raw = raw.split() if option.many else raw
    elif option.name in table:
        origin, raw, parse = f"{path}: {option.name}", table[option.name], kind.of_toml
        raw = [raw] if option.many and not isinstance(raw, list) else raw
    else:
        return Value(option.default, "default")
    try:
        if option.many and not raw:
            raise ValueError("it is empty")
        return Value(tuple(map(parse, raw)) if option.many else parse(raw), origin)
    except ValueError as error:
        raise BadConfig(f"{origin}: {error}") from None


# Files


def _table(named: str | None, by_variable: str | None, folder: str) -> tuple[str, dict[str, Any]]:
    """The file, and what it says of our options by their names; ("", {}) without one."""
    origin, path = ("--config", named) if named is not None else (_CONFIG, by_variable or "")
    if not path:
        origin, path = PROJECT, os.path.join(folder, PROJECT)
        if not os.path.exists(path):
            return "", {}
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise BadConfig(f"{origin}: cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is no TOML: {error}") from None
    path = os.path.relpath(path, folder) if origin == PROJECT else path
    if os.path.basename(path) == PROJECT:
        path = f"{path} [{'.'.join(_TABLE)}]"
        for key in _TABLE:
            content = content.get(key, {})
            if not isinstance(content, dict):
                raise BadConfig(f"{path}: {key} is no table")
    return path, _known(path, content)


def _known(path: str, content: dict[str, Any]) -> dict[str, Any]:
    """With dashes in the names, which may be written with underscores, as Python has them."""
    names = {option.name for option in OPTIONS} | {"app"}
    found: dict[str, Any] = {}
    for key, value in content.items():
        name = key.replace("_", "-")
        if name not in names:
            raise BadConfig(f"{path}: the key {key} is unknown{nearest(name, names)}")
        if name in found:
            raise BadConfig(f"{path}: {name} is there twice, with a dash and with an underscore")
        found[name] = value
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """What the user may have meant, as the end of a sentence; "" when nothing is near."""
    found = difflib.get_close_matches(name, sorted(known), 1)
    return f"; is {found[0]} meant?" if found else ""


# The command line


def parser(description: str) -> argparse.ArgumentParser:
    """It leaves texts as they are, and has only what was said."""
    made = argparse.ArgumentParser(
        prog="python -m greening.wsgi",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    made.add_argument("app", metavar="APP", nargs="?", default="", help="module:name, module:factory() or module")
    made.add_argument("--config", "-c", metavar="FILE", help="a TOML file, in place of pyproject.toml's table")
    made.add_argument("--print-config", action="store_true", help="print all values and where they come from, and end")
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if option.group not in groups:
            groups[option.group] = made.add_argument_group(option.group)
        names = [f"--{option.name}", *filter(None, [option.short])]
        default = option.shown(option.default)
        about = (option.help + (f"; default: {default}" if default else "")).replace("%", "%%")
        how: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        if option.kind.metavar:
            how = {"action": "append" if option.many else "store", "metavar": option.kind.metavar}
        groups[option.group].add_argument(*names, dest=option.name, help=about, **how)
        if option.off:
            groups[option.group].add_argument(
                f"--no-{option.name}", dest=option.name, action="store_const", const=option.off, help="the same as off"
            )
    return made


def parse(made: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises:
        SystemExit: it asks for help only, or a value is missing. BadConfig: an option is unknown.
    """
    given, unknown = made.parse_known_args(arguments)
    for word in unknown:
        if word.startswith("-"):
            known = {
                f"--{before}{option.name}"
                for option in OPTIONS
                for before in ("", "no-")[: 2 - bool(option.kind.metavar)]
            }
            known |= {"--config", "--print-config"}
            name = word.partition("=")[0]
            raise BadConfig(f"the option {name} is unknown{nearest(name, known)}")
        raise BadConfig(f"{word!r}: one application is named already, {given.app!r}")
    return given
