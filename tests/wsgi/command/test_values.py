"""Kinds of values: what is accepted, what is refused, and how they look as TOML."""

import tomllib
from typing import Any

import pytest

from greening.wsgi.command import values
from greening.wsgi.command.values import COUNT, POSITIVE, SECONDS, Kind, limit_kind


def below_ten(value: Any) -> None:
    if value is not None and value > 10:
        raise ValueError(f"it cannot be {value}")


ROOM = limit_kind(below_ten, whole=True, optional=False)
TIME = limit_kind(below_ten, whole=False, optional=True)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (values.SWITCH, "Yes", True),
        (values.SWITCH, "0", False),
        (values.POSITIVE, "3", 3),
        (values.COUNT, "0", 0),
        (values.SECONDS, "0.5", 0.5),
        (values.SIZE, "500000", 500000),
        (values.SIZE, "512M", 512 << 20),
        (values.SIZE, "2 GiB", 2 << 30),
        (values.MODE, "007", 0o007),
        (values.MODE, "0o117", 0o117),
        (values.FILE, "a b", "a b"),
        (ROOM, "10", 10),
        (TIME, "1.5", 1.5),
        (TIME, "none", None),
    ],
)
def test_a_text_becomes_a_value(kind: Kind, text: str, value: Any) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (values.SWITCH, "maybe", "neither of true and false"),
        (values.POSITIVE, "0", "no number of at least 1"),
        (values.POSITIVE, "x", "no number of at least 1"),
        (values.COUNT, "-1", "no number of at least 0"),
        (values.SECONDS, "-1", "no number of seconds"),
        (values.SECONDS, "inf", "no number of seconds"),
        (values.SECONDS, "soon", "no number of seconds"),
        (values.SIZE, "1T", "no number of bytes"),
        (values.MODE, "8", "no octal number"),
        (values.MODE, "1777", "no octal number"),
        (values.FILE, "", "empty"),
        (ROOM, "1.5", "no whole number"),
        (ROOM, "11", "cannot be 11"),
        (TIME, "never", 'no number, nor "none"'),
    ],
)
def test_what_makes_no_sense_is_refused(kind: Kind, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        kind.parse(text)


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (values.POSITIVE, True, "true is not an integer"),
        (values.POSITIVE, "2", '"2" is not an integer'),
        (values.SWITCH, 1, "1 is not true or false"),
        (values.MODE, 117, "117 is not a string"),
        (values.SECONDS, tomllib.loads("d = 2026-01-01")["d"], "is not an integer or a number"),
    ],
)
def test_a_value_of_a_file_has_the_right_type(kind: Kind, value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        kind.of_toml(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (values.SWITCH, True),
        (values.POSITIVE, 3),
        (values.SECONDS, 0.25),
        (values.MODE, 0o007),
        (values.FILE, 'quote " and \\ and é'),
        (TIME, None),
        (TIME, 2.0),
    ],
)
def test_what_is_shown_is_read_back(kind: Kind, value: Any) -> None:
    assert kind.of_toml(tomllib.loads(f"x = {kind.show(value)}")["x"]) == value


@pytest.mark.parametrize(
    ("kind", "text"), [(POSITIVE, "99999999999"), (COUNT, "2147483648"), (SECONDS, "1e300"), (SECONDS, "1e10")]
)
def test_what_would_overflow_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match="at most"):
        kind.parse(text)
    assert POSITIVE.parse("2147483647") == 2147483647
