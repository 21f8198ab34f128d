"""What can be said about a server: once, for `Server` and for eventlet's function."""

import inspect
import sys
from dataclasses import fields
from typing import Any

import pytest

import greening.wsgi
from greening.net.convenience import listen
from greening.wsgi.limits import Limits
from greening.wsgi.server import Server, server
from greening.wsgi.settings import ServerSettings

NAMES = [field.name for field in fields(ServerSettings)]


def test_both_take_every_setting_with_the_same_default() -> None:
    function = inspect.signature(server).parameters
    made = inspect.signature(Server).parameters
    for field in fields(ServerSettings):
        assert function[field.name].default == made[field.name].default == field.default
        assert made[field.name].kind is inspect.Parameter.KEYWORD_ONLY
    assert function.keys() - NAMES == {"sock", "site", "server_event"}
    assert list(made) == ["listener", "app", *NAMES]


def test_every_setting_is_described() -> None:
    described = ServerSettings.__doc__ or ""
    assert [name for name in NAMES if f"{name}: " not in described] == []


def test_the_function_passes_every_setting_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class Noticed(Exception):
        pass

    def notice(listener: Any, app: Any, **settings: Any) -> None:
        seen.update(settings, listener=listener, app=app)
        raise Noticed

    monkeypatch.setattr(sys.modules["greening.wsgi.server"], "Server", notice)
    given = {name: object() for name in NAMES}
    with pytest.raises(Noticed):
        greening.wsgi.server("a listener", "an application", **given)  # type: ignore[arg-type]  # not looked at
    assert seen == {**given, "listener": "a listener", "app": "an application"}


def test_a_setting_that_there_is_not_is_a_mistake() -> None:
    with listen(("127.0.0.1", 0)) as listener, pytest.raises(TypeError, match="no_such_setting"):
        Server(listener, None, no_such_setting=1)


@pytest.mark.parametrize("version", ["HTTP/2", "HTTP/0.9", "", 1.1])
def test_versions_that_are_none(version: Any) -> None:
    with pytest.raises(ValueError, match="not a version of HTTP"):
        ServerSettings(max_http_version=version)


@pytest.mark.parametrize(
    ("log_format", "error"), [("%(nonsense)s", KeyError), ("%(status_code)", ValueError), ("%s %s", TypeError)]
)
def test_a_log_format_is_looked_at_when_the_server_is_made(log_format: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ServerSettings(log_format=log_format)


def test_eventlets_arguments_change_the_limits() -> None:
    given = Limits(head_timeout=2, target=7)
    limits = ServerSettings(limits=given, socket_timeout=3, url_length_limit=100).effective_limits()
    assert (limits.body_timeout, limits.write_timeout, limits.head_timeout, limits.target) == (3, 3, 2, 100)
    assert ServerSettings(limits=given).effective_limits() == given
    assert ServerSettings().effective_limits() == Limits()
    with pytest.raises(ValueError):
        ServerSettings(socket_timeout=-1)


@pytest.mark.parametrize(("keepalive", "seconds"), [(True, 60), (False, 60), (5, 5), (0.5, 0.5)])
def test_a_number_as_keepalive_is_the_time_for_the_next_request(keepalive: bool | float, seconds: float) -> None:
    assert ServerSettings(keepalive=keepalive).idle_timeout(Limits(idle_timeout=60)) == seconds


@pytest.mark.parametrize("name", ["max_size", "minimum_chunk_size", "url_length_limit", "socket_timeout", "keepalive"])
def test_a_number_that_is_text_is_refused_by_name(name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} is a number or None, not '10'$"):
        ServerSettings(**{name: "10"})
