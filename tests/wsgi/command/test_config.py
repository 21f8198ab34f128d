"""Where values come from: the command line, the environment, a file; and what is wrong with them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from greening.wsgi.command.config import BadConfig, Config, parse, parser, read
from greening.wsgi.command.options import OPTIONS

TABLE = "[tool.greening.wsgi]\n"


def config(folder: Path, *arguments: str, **environ: str) -> Config:
    given = parse(parser(""), arguments)
    return read(given, {f"GREENING_WSGI_{name}": value for name, value in environ.items()}, str(folder))


def test_without_a_word_all_are_defaults(tmp_path: Path) -> None:
    found = config(tmp_path, "site:app")
    assert found.app == ("site:app", "APP")
    assert {origin for _, origin in found.values.values()} == {"default"}
    settings = found.settings()
    assert settings.bind == ("127.0.0.1:8000",)
    assert settings.workers == 1
    assert settings.graceful_timeout == 30.0
    assert settings.access_log


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE + 'app = "f:a"\nworkers = 1\nconnections = 1\nbacklog = 1\n')
    found = config(tmp_path, "--workers", "3", WORKERS="2", CONNECTIONS="2", APP="e:a")
    assert found.app == ("e:a", "GREENING_WSGI_APP")
    assert found.values["workers"] == (3, "--workers")
    assert found.values["connections"] == (2, "GREENING_WSGI_CONNECTIONS")
    assert found.values["backlog"] == (1, "pyproject.toml [tool.greening.wsgi]: backlog")
    assert config(tmp_path).app == ("f:a", "pyproject.toml [tool.greening.wsgi]: app")


def test_a_named_file_takes_the_place_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE + "workers = 7\n")
    file = tmp_path / "w.toml"
    file.write_text("graceful_timeout = 5\n")
    for found in (config(tmp_path, "--config", str(file)), config(tmp_path, CONFIG=str(file))):
        assert found.values["graceful-timeout"] == (5.0, f"{file}: graceful-timeout")
        assert found.values["workers"].origin == "default"


def test_several_values(tmp_path: Path) -> None:
    assert config(tmp_path, "-b", ":1", "--bind", ":2").values["bind"].value == (":1", ":2")
    assert config(tmp_path, BIND=":1  :2").values["bind"].value == (":1", ":2")
    (tmp_path / "pyproject.toml").write_text(TABLE + 'bind = [":1", ":2"]\n')
    assert config(tmp_path).values["bind"].value == (":1", ":2")
    (tmp_path / "pyproject.toml").write_text(TABLE + 'bind = ":1"\n')
    assert config(tmp_path).values["bind"].value == (":1",)


def test_switches(tmp_path: Path) -> None:
    assert config(tmp_path, "--no-debug").values["debug"] == (False, "--no-debug")
    assert config(tmp_path, "--reload", RELOAD="no").values["reload"] == (True, "--reload")
    assert config(tmp_path, "--no-reload", RELOAD="yes").values["reload"] == (False, "--no-reload")


def test_an_access_log_that_is_off_by_all_ways(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE + "access-log = false\n")
    for found in (
        config(tmp_path, "--no-access-log"),
        config(tmp_path, "--access-log", "off"),
        config(tmp_path, ACCESS_LOG="off"),
        config(tmp_path),
    ):
        assert found.values["access-log"].value == "off"


def test_options_of_tls_need_a_certificate(tmp_path: Path) -> None:
    for option, value in (("--keyfile", "k"), ("--sni", "a=b"), ("--ca-certs", "c"), ("--tls-min-version", "TLSv1.3")):
        with pytest.raises(BadConfig, match=rf"^{option}: .* without a certfile"):
            config(tmp_path, "a", option, value).settings()
    with pytest.raises(BadConfig, match=r"^--cert-reqs: certificates of clients .* no authority"):
        config(tmp_path, "a", "--certfile", "c", "--cert-reqs", "required").settings()
    tls = config(tmp_path, "a", "--certfile", "c", "--sni", "a=b", "--sni", "c=d").settings().tls()
    assert tls is not None and tls.sni == ("a=b", "c=d")
    assert config(tmp_path, "a").settings().tls() is None


def test_a_mistake_in_a_value_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"^--access-log-format: .*there is no field pth; is path meant"):
        config(tmp_path, "--access-log-format", "%(pth)s")
    with pytest.raises(BadConfig, match=r"^GREENING_WSGI_FORWARDED_ALLOW_IPS: 'localhost' is no address"):
        config(tmp_path, FORWARDED_ALLOW_IPS="localhost")


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.goes == "limits"], ids=lambda o: o.name)
def test_limits_by_all_three_ways(tmp_path: Path, option: Any) -> None:
    for found in (
        config(tmp_path, "a", f"--{option.name}", "3"),
        config(tmp_path, "a", **{option.name.replace("-", "_").upper(): "3"}),
    ):
        assert getattr(found.settings().limits, option.attribute) == 3
    (tmp_path / "pyproject.toml").write_text(TABLE + f"{option.attribute} = 3\n")
    assert getattr(config(tmp_path, "a").settings().limits, option.attribute) == 3


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    first = config(tmp_path, "a:b", "--idle-timeout", "none", "--umask", "007", "-b", ":1", "-b", ":2", WORKERS="2")
    text = str(first)
    assert "workers = 2  # GREENING_WSGI_WORKERS\n" in text
    assert "# certfile is not set\n" in text
    assert tomllib.loads(text)["idle-timeout"] == "none"
    (tmp_path / "again.toml").write_text(text)
    assert config(tmp_path, "-c", str(tmp_path / "again.toml")).settings() == first.settings()


@pytest.mark.parametrize(
    ("arguments", "environ", "table", "problem"),
    [
        (["a", "--worker", "2"], {}, "", "the option --worker is unknown; is --workers meant?"),
        (["a", "--qqq=2"], {}, "", "the option --qqq is unknown"),
        (["a", "b"], {}, "", "'b': one application is named already, 'a'"),
        (["a"], {"WORKER": "2"}, "", "the variable GREENING_WSGI_WORKER is unknown; is GREENING_WSGI_WORKERS meant?"),
        (["a"], {}, "workes = 2", "{path}: the key workes is unknown; is workers meant?"),
        (["a"], {}, "body_rate = 2\nbody-rate = 2", "{path}: body-rate is there twice, with a dash and with an under"),
        (["a", "--workers", "0"], {}, "", "--workers: '0' is no number of at least 1"),
        (["a"], {"WORKERS": "x"}, "", "GREENING_WSGI_WORKERS: 'x' is no number of at least 1"),
        (["a"], {}, 'workers = "2"', '{path}: workers: "2" is not an integer'),
        (["a"], {}, "bind = []", "{path}: bind: it is empty"),
        (["a"], {}, "app = 2", "{path}: app: 2 is not a string"),
        (["a", "--head-timeout", "0"], {}, "", "--head-timeout: head_timeout cannot be 0.0"),
        (["a"], {}, "drain = -1", "{path}: drain: drain cannot be -1"),
        (["a", "--keyfile", "k"], {}, "", "--keyfile: a keyfile without a certfile"),
        (
            ["a", "--preload"],
            {},
            "reload = true",
            "--preload and {path}: reload: preload and reload exclude each other",
        ),
        (["a", "--on-exit", "hooks"], {}, "", "--on-exit: 'hooks' is not of the form module:name"),
        (["a", "--on-exit", "a b:c"], {}, "", "--on-exit: 'a b:c' is not of the form module:app"),
        ([], {}, "", "no application is named"),
        (["a"], {}, "= 5", "pyproject.toml is no TOML: "),
        (["a", "--config", "/nowhere.toml"], {}, "", "--config: cannot read /nowhere.toml: No such file"),
        (["a"], {"CONFIG": "/nowhere.toml"}, "", "GREENING_WSGI_CONFIG: cannot read /nowhere.toml: No such file"),
    ],
)
def test_the_place_of_a_mistake_is_named(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], table: str, problem: str
) -> None:
    if table:
        (tmp_path / "pyproject.toml").write_text(TABLE + table)
    with pytest.raises(BadConfig) as refused:
        config(tmp_path, *arguments, **environ).settings()
    assert problem.format(path="pyproject.toml [tool.greening.wsgi]") in str(refused.value)


def test_a_project_file_without_our_table_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "site"\n')
    assert config(tmp_path, "a").values["workers"].origin == "default"
    (tmp_path / "pyproject.toml").write_text("[tool]\ngreening = 5\n")
    with pytest.raises(BadConfig, match="greening is no table"):
        config(tmp_path, "a")
