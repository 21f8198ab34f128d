"""packaging/greening-eventlet: a distribution called eventlet that is greening, built without a network."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from greening.compat import eventlet

SOURCE = Path(__file__).resolve().parents[2] / "packaging" / "greening-eventlet"

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import eventlet.hubs.timer
import eventlet
from importlib.metadata import version
assert eventlet.__name__ == "greening.compat.eventlet" and eventlet.hubs.timer.Timer
assert version("eventlet") == eventlet.__version__
from eventlet.green import socket
import __original_module_time
import subprocess
child = "import eventlet; print(eventlet.__name__)"
path = {"PYTHONPATH": ":".join(sys.path)}
done = subprocess.run([sys.executable, "-c", child], env=path, capture_output=True, text=True)
assert done.stdout == "greening.compat.eventlet\\n", done
"""


def project() -> dict[str, object]:
    read: dict[str, object] = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    return read


def test_its_version_is_the_modules_and_above_eventlets() -> None:
    assert (project()["name"], project()["version"]) == ("eventlet", eventlet.__version__)
    assert eventlet.version_info > (0, 41, 3)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("setuptools") is None, reason="needs setuptools, which the extra `test` brings")
def test_it_is_built_and_stands_in(tmp_path: Path, run_program) -> None:
    source = tmp_path / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=source, env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("eventlet-*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if ".dist-info/" not in name] == ["eventlet/__init__.py"]
        archive.extractall(site)
    run_program(PROGRAM, str(site))
