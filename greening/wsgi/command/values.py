"""Kinds of values that an option of the command may have: as text, and as TOML has them."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from greening.wsgi.command.application import Unloadable, split

YES = ("1", "true", "yes", "on")
NO = ("0", "false", "no", "off")
# Upper bounds, beyond all reason: what is longer overflows somewhere in the system.
_MOST = 2**31 - 1
_LONGEST = 1e9  # seconds: 31 years
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _as_toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Kind:
    """What a value has to be.

    Args:
        parse: makes a value of the text on the command line or in the environment. Raises ValueError with the reason.
        metavar: stands for the value in the help; "" for a switch.
        types: what it may be in a TOML file, where True is no number.
        show: the value as TOML has it.
    """

    parse: Callable[[str], Any]
    metavar: str
    types: tuple[type, ...] = (str,)
    show: Callable[[Any], str] = _as_toml

    def of_toml(self, value: Any) -> Any:
        """The value, from one that a TOML file has.

        Raises:
            ValueError: it is of a wrong type, or `parse` refuses it.
        """
        if type(value) not in self.types:
            names = " or ".join(_TOML_NAMES[each] for each in self.types)
            raise ValueError(f"{_as_toml_or_repr(value)} is not {names}")
        return self.parse(value if isinstance(value, str) else str(value).lower())


_TOML_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


def _as_toml_or_repr(value: Any) -> str:
    try:
        return _as_toml(value)
    except TypeError:  # a date
        return repr(value)


def _switch(text: str) -> bool:
    if text.lower() not in YES + NO:
        raise ValueError(f"{text!r} is neither of true and false (or 1 and 0, yes and no, on and off)")
    return text.lower() in YES


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is no number of at least 1")
    return _bounded(int(text))


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no number of at least 0")
    return _bounded(int(text))


def _bounded(number: int) -> int:
    if number > _MOST:
        raise ValueError(f"{number} is too much: at most {_MOST}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"{text!r} is no number of seconds")
    if number > _LONGEST:
        raise ValueError(f"{text!r} is too long: at most {_LONGEST:g} seconds")
    return number


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise ValueError(f"{text!r} is no number of bytes, such as 500000 or 512M")
    return int(found[1]) * _UNITS[found[2].lower()]


def _mode(text: str) -> int:
    if not re.fullmatch(r"(?:0o?)?[0-7]{1,3}", text):
        raise ValueError(f"{text!r} is no octal number up to 777")
    return int(text, 8)


def _text(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text


def _callable(text: str) -> str:
    try:
        _, expression = split(text)
    except Unloadable as error:
        raise ValueError(str(error)) from None
    if not expression:
        raise ValueError(f"{text!r} is not of the form module:name")
    return text


SWITCH = Kind(_switch, "", (bool,))
POSITIVE = Kind(_positive, "N", (int,))
COUNT = Kind(_count, "N", (int,))
SECONDS = Kind(_seconds, "SECONDS", (int, float))
SIZE = Kind(_size, "BYTES", (int, str))
MODE = Kind(_mode, "MODE", (str,), lambda value: f'"{value:03o}"')
FILE = Kind(_text, "FILE")
ADDRESS = Kind(_text, "ADDRESS")
NAME = Kind(_text, "NAME")
CALLABLE = Kind(_callable, "MODULE:NAME")


def limit_kind(check: Callable[[Any], object], whole: bool, optional: bool) -> Kind:
    """The kind of a number with a rule of its own.

    Args:
        check: raises ValueError for a number that is not allowed.
        whole: True: an integer. optional: True: the word "none" means None, no limit.
    """

    def parse(text: str) -> Any:
        value: Any = None
        if not (optional and text.lower() == "none"):
            try:
                value = int(text) if whole else float(text)
            except ValueError:
                words = "no whole number" if whole else "no number"
                raise ValueError(f"{text!r} is {words}" + (', nor "none"' if optional else "")) from None
        check(value)
        return value

    types: tuple[type, ...] = (int,) if whole else (int, float)
    return Kind(
        parse,
        "N" if whole else "SECONDS",
        (*types, str) if optional else types,
        lambda value: '"none"' if value is None else _as_toml(value),
    )
