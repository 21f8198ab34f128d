"""Loading the application that a command line names."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greening.wsgi.command.application import Unloadable, load, split
from tests.wsgi.processes import Start, change


@pytest.mark.slow
@pytest.mark.parametrize("source", ["def inner():\n    1 / 0\ninner()\n", "def app():\n    1 / 0\n"])
def test_shows_the_traceback_of_the_application_and_nothing_else(start: Start, folder: Path, source: str) -> None:
    change(folder, source)
    command = start("site1:app()")
    assert command.end() == (1, "")
    frames = re.findall(r'File "(.*?)"', command.errors)
    assert set(frames) == {str(folder / "site1.py")}
    assert "ZeroDivisionError: division by zero\n" in command.errors
    assert command.errors.count("Traceback") == 1


SITE = """
def application(environ, start_response): ...

def make(*args, **kwargs):
    def app(environ, start_response): ...
    app.given = args, kwargs
    return app

class Site:
    wsgi = staticmethod(application)

class Asgi:
    async def __call__(self, scope, receive, send): ...

async def asgi(scope, receive, send): ...

def asgi_by_name(scope, receive, send): ...

number = 5
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with SITE in it as the module `named_site`; nothing of it stays loaded."""
    (tmp_path / "named_site.py").write_text(SITE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("site", ("site", "")),
        ("a.b:c", ("a.b", "c")),
        ("a:b.c", ("a", "b.c")),
        ("a:b(1, x='y')", ("a", "b(1, x='y')")),
    ],
)
def test_a_spec_is_a_module_and_an_expression_in_it(spec: str, parts: tuple[str, str]) -> None:
    assert split(spec) == parts


@pytest.mark.parametrize("spec", ["", "a:", "a: ", ":b", "a-b:c", "a..b:c", "a/b.py:c"])
def test_what_names_no_module_is_not_of_the_form(spec: str) -> None:
    with pytest.raises(Unloadable, match="is not of the form module:app"):
        split(spec)


@pytest.mark.parametrize("spec", ["a:b c", "a:b[0]", "a:b()()", "a:lambda: 0", "a:b(c)", "a:1", "a:b(*c)", "a:("])
def test_only_names_and_calls_with_literals_are_evaluated(spec: str) -> None:
    with pytest.raises(Unloadable, match="neither a name nor a call of one with literals"):
        split(spec)


def test_the_application_comes_from_the_current_folder(here: Path) -> None:
    app = load("named_site")
    assert sys.path[0] == str(here)
    assert app is sys.modules["named_site"].application
    assert load("named_site:Site.wsgi") is app
    assert sys.path.count(str(here)) == 1


def test_a_factory_is_called_with_its_literals(here: Path) -> None:
    assert load("named_site:make(1, 'a', key=[None])").given == ((1, "a"), {"key": [None]})


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("nowhere_at_all", "no module named 'nowhere_at_all'"),
        ("nowhere_at_all.inner:app", "no module named 'nowhere_at_all'"),
        ("named_site:nope", "module 'named_site' has no attribute 'nope'"),
        ("named_site:Site.nope", "'type' object has no attribute 'nope'"),
        ("named_site:number", "cannot be called: it is of type 'int'"),
        ("named_site:asgi", "it is served by: python -m greening -m uvicorn named_site:asgi"),
        ("named_site:Asgi()", "is an application for ASGI, and this server speaks WSGI"),
        ("named_site:asgi_by_name", "is an application for ASGI, and this server speaks WSGI"),
        ("json", "module 'json' has neither 'application' nor 'app': name it, as in json:NAME"),
    ],
)
def test_what_is_missing_or_unfit_is_said_in_a_line(here: Path, spec: str, problem: str) -> None:
    with pytest.raises(Unloadable) as caught:
        load(spec)
    assert problem in caught.value.problem
    assert str(caught.value) == caught.value.problem
    assert "\n" not in caught.value.problem


@pytest.mark.parametrize(
    ("source", "raised"),
    [
        ("import broken_helper\n", "ZeroDivisionError"),
        ("import nowhere_at_all\n", "ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "SystemExit"),
        ("def app(:\n", "SyntaxError"),
        ("def app():\n    import broken_helper\n", "ZeroDivisionError"),
    ],
)
def test_a_mistake_in_the_application_is_shown_with_its_own_frames_and_files(
    here: Path, source: str, raised: str
) -> None:
    (here / "broken_helper.py").write_text("1 / 0\n")
    (here / "broken_site.py").write_text(source)
    with pytest.raises(Unloadable) as caught:
        load("broken_site:app()")
    trace: Any = caught.value.trace
    assert raised in trace
    assert "greening" not in trace and "importlib" not in trace
    assert str(here / "broken_site.py") in caught.value.files
    assert (str(here / "broken_helper.py") in caught.value.files) == ("broken_helper" in source)
