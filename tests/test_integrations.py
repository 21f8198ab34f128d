"""The list of plug-ins that greening brings along."""

from importlib import import_module
from pathlib import Path

from greening.integrations import INTEGRATIONS
from tests.test_architecture import ROOT


def test_each_is_a_function_of_a_file_in_ext() -> None:
    for _, value in INTEGRATIONS:
        module, _, name = value.partition(":")
        assert module.startswith("greening.ext.")
        assert callable(getattr(import_module(module), name))


def test_each_has_a_page() -> None:
    pages = {path.stem for path in (Path(ROOT) / "docs" / "integrations").glob("*.md")}
    assert {value.partition(":")[0].rpartition(".")[2] for _, value in INTEGRATIONS} <= pages
