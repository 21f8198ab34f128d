"""Kinds of values whose rules belong to other parts of the server: each is checked by the part that will use it.

A mistake is known before any process is forked, and is told with the place where the value was said.
"""

import difflib
import os
from collections.abc import Callable
from typing import Any

from greening.wsgi.access import FIELDS, TextLine
from greening.wsgi.command.values import FILE, NO, YES, Kind
from greening.wsgi.forwarded import FORWARDED_FIELDS, TrustedProxies, TrustList
from greening.wsgi.static import parse_static
from greening.wsgi.statsd import parse_statsd
from greening.wsgi.tls import REQUIREMENTS, VERSIONS, check_ciphers, split_sni

STDOUT, OFF = "-", "off"  # for an access log, in place of a file


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        check(FILE.parse(text))
        return text

    return parse


def _format(text: str) -> None:
    try:
        TextLine(text)
    except KeyError as error:
        name = error.args[0]
        near = difflib.get_close_matches(name, FIELDS, 1)
        raise ValueError(f"{text!r}: there is no field {name}" + (f"; is {near[0]} meant?" if near else "")) from None
    except TypeError as error:
        raise ValueError(f"{text!r}: {error}; fields are named, as in %(path)s") from None


def _static(text: str) -> None:
    _, folder = parse_static(text)
    if not os.path.isdir(folder):
        raise ValueError(f"{text!r}: there is no folder {folder}")


def _access_log(text: str) -> str:
    if text.lower() in NO:
        return OFF
    if text.lower() in YES:
        return STDOUT
    name: str = FILE.parse(text)
    return name


def _one_of(*words: str) -> Callable[[str], Any]:
    def check(text: str) -> None:
        if text not in words:
            raise ValueError(f"{text!r} is none of {', '.join(words)}")

    return _checked(check)


ACCESS_LOG = Kind(_access_log, "FILE", (str, bool))
FORMAT = Kind(_checked(_format), "FORMAT")
TRUSTED = Kind(_checked(TrustList), "LIST")
FORWARDED = Kind(_checked(lambda text: TrustedProxies("", text.split(","))), "NAMES")
STATSD = Kind(_checked(parse_statsd), "HOST:PORT")
STATIC = Kind(_checked(_static), "/URL=FOLDER")
SNI = Kind(_checked(split_sni), "HOST=CERT[,KEY]")
CERT_REQS = Kind(_one_of(*REQUIREMENTS), "MODE", (str, int))
CIPHERS = Kind(_checked(check_ciphers), "LIST")
TLS_VERSION = Kind(_one_of(*VERSIONS), "VERSION")

ALL_FORWARDED = ",".join(FORWARDED_FIELDS)
