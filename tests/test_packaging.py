"""What is installed: all of greening, the patches inside it, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

IN_THE_WHEEL = """
import sys
from pathlib import Path
site, checkout = map(Path, sys.argv[1:])
sys.path[:] = [str(site), *(path for path in sys.path if Path(path) != checkout)]
import greening.patches
for module in (greening, greening.patches):
    assert Path(module.__file__).is_relative_to(site), module
"""

IN_THE_CHECKOUT = """
import greening, greening.patches
from pathlib import Path
assert Path(greening.patches.__file__).parent.samefile(Path(greening.__file__).parent.parent / "patches")
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("setuptools") is None, reason="needs setuptools, which the extra `test` brings")
def test_the_wheel(tmp_path: Path, run_program) -> None:
    wheel = build_wheel(tmp_path)
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(site)
    assert files == expected_files()
    run_program(IN_THE_WHEEL, str(site), str(ROOT))


def test_the_checkout_without_installing(run_program) -> None:
    run_program(IN_THE_CHECKOUT)


def build_wheel(folder: Path) -> Path:
    """The wheel, from a copy of the checkout: building leaves things behind."""
    source = folder / "source"
    for name in ("greening", "patches"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", build, str(folder)], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("greening_toolkit-*-none-any.whl")
    return wheel


def expected_files() -> set[str]:
    greening = {path.relative_to(ROOT).as_posix() for path in (ROOT / "greening").rglob("*.py")}
    patches = {f"greening/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "patches").glob("*.py")}
    return greening | patches | {"greening/py.typed"}
