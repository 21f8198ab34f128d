"""Patches that installed packages bring along."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greening.errors import PatchWarning
from greening.patcher.plugins import entry_points, register

Install = Callable[[str], None]


@pytest.fixture
def install(fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with these entry points; no other is found."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    def install(text: str, name: str = "plugin-1.0.dist-info") -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "entry_points.txt").write_text(text)

    yield install
    sys.modules.pop("plugin_of_a_test", None)


HOOKS = """
class patches:
    def query(module): module.query = "green"
"""


def test_a_module_that_is_imported_already_is_patched_at_once(fakes: Any, install: Install) -> None:
    module = fakes.module("victim")
    fakes.file("plugin_of_a_test", HOOKS)
    install("[greening.patches]\nvictim = plugin_of_a_test:patches.query\n")
    register(fakes.ledger)
    assert module.query == "green"


def test_a_plugin_is_loaded_when_its_module_is_imported(fakes: Any, install: Install) -> None:
    fakes.file("plugin_of_a_test", HOOKS)
    install("[greening.patches]\nvictim = plugin_of_a_test:patches.query\n")
    register(fakes.ledger)
    assert "plugin_of_a_test" not in sys.modules
    assert fakes.module("victim").query == "green"


def test_plugins_are_registered_once_and_no_more_after_unapply(fakes: Any, install: Install) -> None:
    fakes.file("plugin_of_a_test", HOOKS)
    install("[greening.patches]\nvictim = plugin_of_a_test:patches.query\n")
    register(fakes.ledger)
    register(fakes.ledger)
    assert len(fakes.ledger.changes.steps) == 1
    fakes.unapply()
    assert not hasattr(fakes.module("victim"), "query")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("plugin_of_a_test:missing", "AttributeError: .*'missing'"),
        ("no_such_plugin:patches", "ModuleNotFoundError: No module named 'no_such_plugin'"),
        ("plugin_of_a_test:patches.fail", "KeyError: 'gone'; victim stays as it is"),
    ],
)
def test_a_plugin_that_fails_warns_and_leaves_its_module(fakes: Any, install: Install, value: str, why: str) -> None:
    fakes.file("plugin_of_a_test", HOOKS + "    def fail(module): raise KeyError('gone')\n")
    install(f"[greening.patches]\nvictim.part = {value}\n")
    register(fakes.ledger)
    fakes.file("victim.__init__")
    with pytest.warns(
        PatchWarning, match=f"the plug-in '{value}' for 'victim.part' failed: {why}.* GREENING_PLUGINS=-victim "
    ):
        module = fakes.module("victim.part")
    assert not hasattr(module, "query")
    (plugin,) = fakes.ledger.plugins
    assert plugin.state == "failed"
    assert plugin.error is not None


def test_the_plugins_of_greening_come_first(fakes: Any, install: Install) -> None:
    fakes.file("plugin_of_a_test", HOOKS + "    def ours(module): module.query = 'ours'\n")
    install("[greening.patches]\nvictim = plugin_of_a_test:patches.query\n")
    register(fakes.ledger, [("victim", "plugin_of_a_test:patches.ours")])
    assert [plugin.state for plugin in fakes.ledger.plugins] == ["waiting", "waiting"]
    assert fakes.module("victim").query == "green"
    assert [plugin.state for plugin in fakes.ledger.plugins] == ["active", "active"]


@pytest.mark.parametrize(
    ("text", "off"),
    [
        ("", []),
        (" , ", []),
        ("-grpc", ["grpc", "grpc._channel"]),
        ("-grpc._channel", ["grpc._channel"]),
        ("-grpc,-zmq", ["grpc", "grpc._channel", "zmq"]),
        ("grpc", ["zmq"]),
        ("-all", ["grpc", "grpc._channel", "zmq"]),
        ("-all, zmq", ["grpc", "grpc._channel"]),
        ("all,-zmq", ["zmq"]),
    ],
)
def test_the_environment_says_which_plugins_are_wanted(
    fakes: Any, install: Install, monkeypatch: pytest.MonkeyPatch, text: str, off: list[str]
) -> None:
    monkeypatch.setenv("GREENING_PLUGINS", text)
    register(fakes.ledger, [(name, "nowhere:nothing") for name in ("grpc", "grpc._channel", "zmq")])
    assert [plugin.module for plugin in fakes.ledger.plugins if plugin.state == "off"] == off
    fakes.unapply()


def test_only_lines_of_the_group_are_read(install: Install) -> None:
    install(
        "[console_scripts]\nother = a:b\n"
        "[greening.patches]\n# comment = a:b\n; comment = a:b\nfirst = a:b [extra]\nno value\n\n second=c:d\n"
        "[more]\nthird = e:f\n"
    )
    assert list(entry_points()) == [("first", "a:b"), ("second", "c:d")]


def test_distributions_of_every_folder_are_found_once(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("[greening.patches]\none = a:b\n", "one.dist-info")
    install("[greening.patches]\ntwo = a:b\n", "two.egg-info")
    install("[greening.patches]\nthree = a:b\n", "three.other")
    (tmp_path / "empty.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "none"), str(tmp_path)])
    assert sorted(name for name, _ in entry_points()) == ["one", "two"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [""])
    assert sorted(name for name, _ in entry_points()) == ["one", "two"]


def test_a_name_that_no_plugin_has_is_told(fakes: Any, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("[greening.patches]\nvictim.part = plugin_of_a_test:query\n")
    monkeypatch.setenv("GREENING_PLUGINS", "-victim.part,-victin, ,-all")
    with pytest.warns(PatchWarning, match="GREENING_PLUGINS='.*': no plug-in belongs to victin$"):
        register(fakes.ledger)
