"""An environment for the suites, with what they need, and the sources that only source distributions have."""

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent

# Distributions whose tests or examples are in the source distribution only.
SOURCES = {"swift": "swift==2.38.3", "eventlet": "eventlet==0.41.3"}


@dataclass(frozen=True)
class Places:
    """Where things are.

    Args:
        home: the virtual environment.
    """

    home: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.home / "bin" / "python"

    @property
    def site(self) -> Path:
        """Its site-packages."""
        version = "python{}.{}".format(*sys.version_info)
        return self.home / "lib" / version / "site-packages"

    def source(self, name: str) -> Path:
        """The unpacked source distribution of this name."""
        return self.home / "sources" / SOURCES[name].replace("==", "-")

    def of(self, place: str) -> Path:
        """The folder that a suite's targets are relative to."""
        return self.site if place == "site" else self.source(place)


def say(text: str) -> None:
    """Report progress."""
    print(f"openstack: {text}", file=sys.stderr, flush=True)


class UnavailableError(Exception):
    """Something that the suites need cannot be had on this machine. The text says what, and the remedy."""


def _pip(places: Places, *arguments: str) -> None:
    command = [str(places.python), "-m", "pip", *arguments, "-q", "--no-input", "--disable-pip-version-check"]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        raise UnavailableError(
            f"`pip {' '.join(arguments)}` failed in {places.home}, see above; it needs https://pypi.org or a mirror "
            "of it (PIP_INDEX_URL)"
        )


def prepare(quick: bool) -> Places:
    """Make the environment, or what is missing in it.

    Args:
        quick: only what --quick needs.
    Raises:
        UnavailableError: pip could not install something; it has said what.
    """
    places = Places(CHECKOUT / ".venvs" / "openstack-{}.{}".format(*sys.version_info))
    if not (places.python.exists() and (places.site / "pip").exists()):
        say(f"setting up {places.home} (once)")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(places.home)], check=True)
    for name in ("quick",) if quick else ("quick", "full"):
        wanted = HERE / "requirements" / f"{name}.txt"
        stamp = places.home / f"{name}.stamp"
        if not stamp.exists() or stamp.read_text() != wanted.read_text():
            say(f"installing {wanted.name}")
            _pip(places, "install", "-r", str(wanted))
            stamp.write_text(wanted.read_text())
    if not quick:
        for name in SOURCES:
            _unpack(places, name)
    return places


def _unpack(places: Places, name: str) -> None:
    folder = places.source(name)
    if folder.exists():
        return
    say(f"unpacking {folder.name}")
    _pip(places, "download", "--no-deps", "--no-binary", name, "-d", str(folder.parent), SOURCES[name])
    with tarfile.open(folder.parent / f"{folder.name}.tar.gz") as archive:
        archive.extractall(folder.parent, filter="data")


def environment_of(side: str, scratch: Path) -> dict[str, str]:
    """Environment variables for a process of a side, "eventlet" or "greening", and for what it starts."""
    # `import eventlet` means greening in every interpreter that finds this folder and the variable.
    startup = CHECKOUT / "greening" / "compat" / "startup"
    path = [startup, HERE, CHECKOUT] if side == "greening" else [HERE]
    own = {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(scratch),
        "GREENING_AS_EVENTLET": "1" if side == "greening" else "0",
    }
    # A program's own folder is on its path, as for any other program.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return {**inherited, **own}
