"""What is installed: all of greening, the patches inside it, and nothing else."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest

import greening

ROOT = Path(__file__).resolve().parent.parent

IN_THE_WHEEL = """
import sys
from pathlib import Path
site, checkout = map(Path, sys.argv[1:3])
sys.path[:] = [str(site), *(path for path in sys.path if Path(path) != checkout)]
import greening.debug, greening.patches
for module in (greening, greening.patches):
    assert Path(module.__file__).is_relative_to(site), module
info = greening.debug.info()["accelerator"]
assert (info == "running") == (sys.argv[3] == "there") or "GREENING_PURE" in info, info
"""

IN_THE_CHECKOUT = """
import greening, greening.patches
from pathlib import Path
assert Path(greening.patches.__file__).parent.samefile(Path(greening.__file__).parent.parent / "patches")
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("setuptools") is None, reason="needs setuptools, which the extra `test` brings")
@pytest.mark.parametrize("compiler", ["there", "missing"])
def test_the_wheel(compiler: str, tmp_path: Path, run_program) -> None:
    if compiler == "there" and shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("there is no C compiler")
    wheel = build_wheel(tmp_path, {} if compiler == "there" else {"CC": "false"})
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(site)
    compiled = {name for name in files if name.startswith("greening/_accelerator.abi3") and name.endswith(".so")}
    assert len(compiled) == (compiler == "there")
    assert files == expected_files() | compiled
    assert wheel.name.startswith(f"greening_toolkit-{greening.__version__}-cp311-abi3-")
    run_program(IN_THE_WHEEL, str(site), str(ROOT), compiler)


def test_the_checkout_without_installing(run_program) -> None:
    run_program(IN_THE_CHECKOUT)


def test_the_distribution_has_the_version_that_greening_says() -> None:
    try:
        assert version("greening-toolkit") == greening.__version__
    except PackageNotFoundError:  # a checkout: what setuptools would read
        config = tomllib.loads((ROOT / "pyproject.toml").read_text())
        assert "version" not in config["project"]
        assert "version" in config["project"]["dynamic"]
        assert config["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "greening.__version__"}
        source = (ROOT / "greening" / "__init__.py").read_text()
        # Setuptools imports the package if this is no literal, and the dependencies are not there when it builds.
        assert f'\n__version__ = "{greening.__version__}"\n' in source


def build_wheel(folder: Path, environment: dict[str, str]) -> Path:
    """The wheel, from a copy of the checkout: building leaves things behind."""
    source = folder / "source"
    for name in ("greening", "patches", "accelerator"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)],
        cwd=source,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("greening_toolkit-*.whl")
    return wheel


def expected_files() -> set[str]:
    greening = {path.relative_to(ROOT).as_posix() for path in (ROOT / "greening").rglob("*.py")}
    patches = {f"greening/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "patches").glob("*.py")}
    return greening | patches | {"greening/py.typed"}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("setuptools") is None, reason="needs setuptools, which the extra `test` brings")
def test_the_source_distribution_is_the_checkout(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.so", "dist"))
    build = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, capture_output=True, check=True)
    (archive,) = tmp_path.glob("greening_toolkit-*.tar.gz")
    with tarfile.open(archive) as packed:
        files = {name.partition("/")[2] for name in packed.getnames()}
    ours = [
        path.relative_to(ROOT)
        for folder in ("tests", "docs", "scripts", "accelerator")
        for path in (ROOT / folder).rglob("*")
    ]
    wanted = {path.as_posix() for path in ours if (ROOT / path).is_file() and "__pycache__" not in path.parts}
    assert sorted((wanted | {"CHANGELOG.md", "SECURITY.md"}) - files) == []
