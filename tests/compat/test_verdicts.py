"""What becomes of a use of eventlet."""

import pytest

from greening.compat.uses import Use
from greening.compat.verdicts import Kind, Verdict, judge, look_up


def verdict(name: str, kind: str = "use", positional: int | None = None, *keywords: str) -> Verdict | None:
    return judge(Use(1, name, kind, positional, keywords))


@pytest.mark.parametrize(
    "name",
    [
        "eventlet",
        "eventlet.spawn",
        "eventlet.hubs",
        "eventlet.hubs.get_hub",
        "eventlet.pools.TokenPool.create",
        "eventlet.green.os",
        "eventlet.green.os.listdir",
        "eventlet.green.http.client.HTTPConnection",
        "__original_module_threading",
    ],
)
def test_what_the_alias_has_is_found(name: str) -> None:
    assert look_up(name).name == name


def test_the_search_stops_at_what_is_neither_a_module_nor_a_class() -> None:
    assert look_up("eventlet.spawn.__doc__.upper").name == "eventlet.spawn"


def test_an_object_that_stands_for_another_may_have_anything() -> None:
    wrapper = "eventlet.db_pool.GenericConnectionWrapper"
    assert look_up(f"{wrapper}.commit").name == wrapper


@pytest.mark.parametrize(
    "name",
    ["eventlet.nobody", "eventlet.pools.nobody", "eventlet.pools.Pool.nobody", "eventlet.green.nobody", "eventlet.a.b"],
)
def test_what_is_not_there_is_missing(name: str) -> None:
    with pytest.raises(LookupError, match="there is no"):
        look_up(name)
    found = verdict(name)
    assert found is not None
    assert found.kind is Kind.MISSING


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError("greening.wsgi needs httptools: pip install it")

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(LookupError, match="pip install it"):
        look_up("eventlet")


def test_what_is_the_same_and_what_is_not() -> None:
    assert str(verdict("eventlet.spawn")) == "same"
    assert str(verdict("eventlet.pools.Pool")).startswith("same, but waiters are served in order")
    assert str(verdict("eventlet.hubs.pyevent")) == "missing: greening has a hub of its own, on epoll"


def test_the_same_thing_by_another_name_has_the_same_note() -> None:
    assert verdict("eventlet.Queue") == verdict("eventlet.queue.Queue")
    assert verdict("eventlet.greenpool.GreenPool", "call", 1) == verdict("eventlet.GreenPool")


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (("eventlet.sleep", "call", 1), "same"),
        (("eventlet.sleep", "call", 2), "missing: eventlet.sleep takes 1 positional arguments, and not 2"),
        (("eventlet.sleep", "call", 0, "seconds"), "same"),
        (("eventlet.sleep", "call", 0, "minutes"), "missing: eventlet.sleep has no parameter 'minutes'"),
        (("eventlet.sleep", "call", None, "minutes"), "missing: eventlet.sleep has no parameter 'minutes'"),
        (("eventlet.spawn", "call", 9, "anything"), "same"),
        (("eventlet.spawn", "call", 0, "func"), "same"),
        (("eventlet.with_timeout", "call", 0, "seconds", "function"), "same"),
    ],
)
def test_the_parameters_of_calls(use: tuple[str, str, int | None], expected: str) -> None:
    assert str(verdict(*use)) == expected


def test_a_method_that_a_subclass_overrides_or_adds() -> None:
    assert str(verdict("eventlet.pools.Pool.get", "override")).startswith("same, but")
    assert verdict("eventlet.pools.Pool.mine", "override") is None


def test_keys_of_an_environ_are_no_modules() -> None:
    assert str(verdict("eventlet.input", "string")) == "same"
    assert str(verdict("eventlet.input", "use")).startswith("missing")
