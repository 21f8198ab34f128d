"""What the measurements stand on: the peers' virtual environment, the compiled C programs, the cores, the machine."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import CHECKOUT, FLOOR, ROOM, Peer
from benchmarks.processes import BenchError, CannotDo
from benchmarks.rows import Row

HOME = CHECKOUT / ".venvs" / f"bench-{sys.version_info[0]}.{sys.version_info[1]}"

LIST_VERSIONS = """
import json, importlib.metadata as m
print(json.dumps({d.metadata["Name"].lower(): d.version for d in m.distributions()}))
"""

MAKE_CERTIFICATE = """
import sys, trustme
made = trustme.CA().issue_cert("localhost", "127.0.0.1")
made.private_key_and_cert_chain_pem.write_to_path(sys.argv[1])
"""


@dataclass(slots=True)
class Machine:
    """The prepared place. `notes` are said under the table; a peer in `missing` is left out, with the reason."""

    python: Path
    server_core: int
    load_core: int
    compiler: str | None
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _certificate: Path | None = None

    def variables(self, peer: Peer | None = None) -> dict[str, str]:
        """Return the environment variables of a measured process: ours do not leak in, compiled .pyc files are kept."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        path = [str(ROOM.parent)]
        if peer is not None and peer.checkout is not None:
            path.insert(0, str(peer.checkout))
        extra = dict(peer.environment) if peer is not None else {}
        return {**kept, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(path), **extra}

    def say(self, note: str) -> None:
        """Add `note`, once."""
        if note not in self.notes:
            self.notes.append(note)

    def program(self, name: str, tls: bool = False) -> Path:
        """Compile c/`name`.c unless that was done before.

        Raises CannotDo without a compiler or, for `tls`, without OpenSSL's headers; BenchError when it fails.
        """
        if self.compiler is None:
            raise CannotDo("no C compiler (cc, gcc or clang, or name one in CC)")
        if tls and not self._compiles("#include <openssl/ssl.h>"):
            raise CannotDo("no OpenSSL headers for the C compiler")
        source = ROOM / "c" / f"{name}.c"
        text = source.read_bytes() + source.with_name("common.h").read_bytes()
        target = HOME / "build" / f"{name}{'-tls' * tls}-{hashlib.sha256(text).hexdigest()[:12]}"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_suffix(f".{os.getpid()}")
            libraries = ["-lssl", "-lcrypto"] if tls else []
            command = [self.compiler, "-O2", *["-DTLS"] * tls, "-o", str(draft), str(source), *libraries]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise BenchError(f"{self.compiler} cannot compile {source.name}: {done.stderr.strip()[:300]}")
            draft.rename(target)
        return target

    def certificate(self) -> Path:
        """Return a PEM file with a key and a certificate for localhost, made anew for every run of the benchmark."""
        if self._certificate is None:
            self._certificate = HOME / f"certificate-{os.getpid()}.pem"
            command = [str(self.python), "-c", MAKE_CERTIFICATE, str(self._certificate)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=self.variables())
            if done.returncode != 0:
                raise BenchError(f"no certificate: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
            atexit.register(self._certificate.unlink, missing_ok=True)
        return self._certificate

    def _compiles(self, text: str) -> bool:
        command = [str(self.compiler), "-E", "-x", "c", "-", "-o", os.devnull]
        return subprocess.run(command, input=text.encode(), capture_output=True, check=False).returncode == 0


def prepare(peers: Iterable[Peer], rows: Iterable[Row]) -> Machine:
    """Make or complete the environment for `peers` and `rows`; afterwards every peer is usable or in `missing`."""
    cores = sorted(os.sched_getaffinity(0))
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "cc", "gcc", "clang"))), None)
    machine = Machine(_environment(), cores[-1], cores[0], compiler)
    if len(cores) == 1:
        machine.notes.append("one core only: server and load generator share it, so throughput and 'busy' mean little")
    if compiler is None:
        machine.notes.append(
            "no C compiler: the load comes from a Python program, which can be the bottleneck itself; "
            "install one (cc, gcc or clang, or name it in CC) for figures worth comparing"
        )
    os.sched_setaffinity(0, {machine.load_core})
    wanted = [peer.requires for peer in peers] + [row.requires for row in rows]
    install(machine, [name for names in wanted for name in names])
    for peer in peers:
        reason = _unusable(machine, peer)
        if reason:
            machine.missing[peer.name] = reason
    return machine


def describe(machine: Machine) -> dict[str, object]:
    """Return what a reader of the figures has to know about the machine."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    optimized = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    return {
        "cpu": f"{model} x {os.cpu_count()}",
        "kernel": platform.release(),
        "python": platform.python_version() + ("" if optimized else " (built without --enable-optimizations)"),
        "commit": commit_of(CHECKOUT),
        "versions": machine.versions,
        "missing": machine.missing,
        "notes": machine.notes,
        "load_average": os.getloadavg()[0],
    }


def commit_of(checkout: Path) -> str:
    """Return the commit of a checkout, marked when files differ from it; "none" without git."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "none"


def build(checkout: Path) -> None:
    """Build the accelerator of another checkout with the tools of this one. What goes wrong is said on stderr."""
    command = ["sh", "-c", '. scripts/_env; environment test; cd "$1"; mkdir -p .venvs; accelerator', "bench"]
    variables = os.environ | {"PYTHON": sys.executable}
    subprocess.run([*command, str(checkout)], cwd=CHECKOUT, env=variables, check=True)


def most_connections() -> int:
    """How many sockets one process may have open here (the hard limit, less some for everything else)."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 1_000_000 if hard == resource.RLIM_INFINITY else hard - 100


def _environment() -> Path:
    python = HOME / "bin" / "python"
    if not python.exists():
        print(f"setting up {HOME} (once) ...", file=sys.stderr)
        made = subprocess.run([sys.executable, "-m", "venv", str(HOME)], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise BenchError(f"cannot make a virtual environment: {(made.stdout + made.stderr).strip()[-300:]}")
    return python


def install(machine: Machine, wanted: list[str]) -> None:
    """Put distributions into the environment; one that pip cannot install is a note."""
    absent = [name for name in dict.fromkeys(wanted) if name not in _versions(machine)]
    for name in absent:  # one by one: a peer that cannot be installed here must not take the others with it
        print(f"installing {name} ...", file=sys.stderr)
        done = subprocess.run(
            [str(machine.python), "-m", "pip", "install", "-qq", "--no-input", name],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            machine.notes.append(f"pip could not install {name}: {done.stderr.strip().splitlines()[-1:]}")
    versions = _versions(machine)
    machine.versions |= {name: versions[name] for name in dict.fromkeys(wanted) if name in versions}


def _versions(machine: Machine) -> dict[str, str]:
    done = subprocess.run(
        [str(machine.python), "-c", LIST_VERSIONS], capture_output=True, text=True, check=True, env=machine.variables()
    )
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def _unusable(machine: Machine, peer: Peer) -> str | None:
    if peer.name == FLOOR and machine.compiler is None:
        return "no C compiler"
    if not peer.probe:
        return None
    done = subprocess.run(
        [str(machine.python), "-c", peer.probe],
        capture_output=True,
        text=True,
        check=False,
        env=machine.variables(peer),
        timeout=60,
    )
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it does not import"])[-1]
