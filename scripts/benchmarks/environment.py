"""What the measurements stand on: the peers' virtual environment, the compiled C programs, the cores, the machine."""

from __future__ import annotations

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

from benchmarks.peers import FLOOR, Peer
from benchmarks.processes import BenchError

ROOM = Path(__file__).resolve().parent
CHECKOUT = ROOM.parent.parent
HOME = CHECKOUT / ".venvs" / f"bench-{sys.version_info[0]}.{sys.version_info[1]}"

LIST_VERSIONS = """
import json, importlib.metadata as m
print(json.dumps({d.metadata["Name"].lower(): d.version for d in m.distributions()}))
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

    def variables(self, peer: Peer | None = None) -> dict[str, str]:
        """Return the environment variables of a measured process: ours do not leak in, compiled .pyc files are kept."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        path = [str(ROOM.parent)]
        if peer is not None and peer.checkout:
            path.insert(0, str(CHECKOUT))
        extra = dict(peer.environment) if peer is not None else {}
        return {**kept, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(path), **extra}

    def program(self, name: str) -> Path:
        """Compile `name`.c unless that was done before; raises BenchError without a compiler or when it fails."""
        source = ROOM / f"{name}.c"
        if self.compiler is None:
            raise BenchError("no C compiler (cc, gcc or clang, or name one in CC)")
        text = source.read_bytes()
        target = HOME / "build" / f"{name}-{hashlib.sha256(text).hexdigest()[:12]}"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_suffix(f".{os.getpid()}")
            done = subprocess.run(
                [self.compiler, "-O2", "-o", str(draft), str(source)], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise BenchError(f"{self.compiler} cannot compile {source.name}: {done.stderr.strip()[:300]}")
            draft.rename(target)
        return target


def prepare(peers: Iterable[Peer]) -> Machine:
    """Make or complete the environment for `peers`; afterwards every peer is usable or in `missing`."""
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
    _install(machine, [name for peer in peers for name in peer.requires])
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
    commit = subprocess.run(
        ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    optimized = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    return {
        "cpu": f"{model} x {os.cpu_count()}",
        "kernel": platform.release(),
        "python": platform.python_version() + ("" if optimized else " (built without --enable-optimizations)"),
        "commit": commit.stdout.strip() or "none",
        "versions": machine.versions,
        "missing": machine.missing,
        "notes": machine.notes,
        "load_average": os.getloadavg()[0],
    }


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


def _install(machine: Machine, wanted: list[str]) -> None:
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
    machine.versions = {name: versions[name] for name in dict.fromkeys(wanted) if name in versions}


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
