"""The table of options: complete, without doubles, and each option goes where there is a place for it."""

import dataclasses
import subprocess
import sys
import tomllib
from dataclasses import fields
from typing import Any

import pytest

from greening.wsgi.command import options
from greening.wsgi.command.config import Settings
from greening.wsgi.command.options import OPTIONS, Option, reference
from greening.wsgi.limits import Limits
from greening.wsgi.settings import ServerSettings
from tests.wsgi.processes import ROOT


def going(where: str) -> set[str]:
    return {option.attribute for option in OPTIONS if option.goes == where}


def test_every_limit_is_an_option() -> None:
    assert going("limits") == {field.name for field in fields(Limits)}
    for option in OPTIONS:
        if option.goes == "limits":
            assert option.help, option.name
            assert option.default == getattr(Limits(), option.attribute)


def test_a_new_limit_is_an_option_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass(frozen=True)
    class More(Limits):
        """Attributes: sum: of all."""

        sum: int | None = None

    monkeypatch.setattr(options, "Limits", More)
    found = {option.name: option for option in options._limits()}
    assert found["sum"].kind.parse("5") == 5
    assert found["sum"].kind.parse("none") is None
    assert found["sum"].help == "of all"


def test_every_other_option_has_a_field_and_every_field_an_option() -> None:
    assert going("command") | {"app", "limits", "server"} == {field.name for field in fields(Settings)}
    assert going("server") <= {field.name for field in fields(ServerSettings)}


def test_names_are_unique() -> None:
    names = [option.name for option in OPTIONS] + [option.short for option in OPTIONS if option.short]
    names += ["app", "config", "print-config", "help", "-c", "-h"]
    assert len(names) == len(set(names))
    assert not {f"no-{name}" for name in names} & set(names)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_default_is_a_value_of_its_kind(option: Option) -> None:
    def same(value: Any) -> bool:
        return option.kind.of_toml(tomllib.loads(f"x = {option.kind.show(value)}")["x"]) == value

    if option.many:
        assert all(map(same, option.default))
    elif option.default is not None:
        assert same(option.default)


def test_names_of_variables() -> None:
    assert OPTIONS[0].variable == "GREENING_WSGI_BIND"
    assert {option.variable for option in OPTIONS} >= {"GREENING_WSGI_HEAD_TIMEOUT"}


def test_the_reference_in_the_documentation_is_the_table() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "docs_of_options", "--check"], check=True)


def test_the_reference_has_a_line_for_each_option() -> None:
    lines = reference().splitlines()
    assert lines[:2] == ["| option | value | default | meaning |", "|---|---|---|---|"]
    assert len(lines) == 2 + len(OPTIONS)
    assert lines[2].startswith('| `bind` | ADDRESS | `["127.0.0.1:8000"]` | HOST:PORT (port 0: any)')
