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
    """That of greening/ext/celery_results.py is celery.md: files of one integration begin with its name."""
    pages = {path.stem for path in (Path(ROOT) / "docs" / "integrations").glob("*.md")}
    files = {value.partition(":")[0].rpartition(".")[2] for _, value in INTEGRATIONS}
    assert {file for file in files if not {file, file.partition("_")[0]} & pages} == set()
