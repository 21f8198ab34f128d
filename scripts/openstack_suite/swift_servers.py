"""The processes of a Swift: its rings, its configuration, its servers and daemons, and the end of all of them."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from openstack_suite.places import Places, environment_of

KINDS = ("account", "container", "object")
REPLICAS = 3
DEVICES = 4
DAEMONS = {
    "account": ("replicator", "auditor"),
    "container": ("replicator", "updater", "auditor"),
    "object": ("replicator", "reconstructor", "updater", "auditor"),
}

# Policy 1 keeps two fragments of data and two of parity of each object.
SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = x
swift_hash_path_suffix = y
[storage-policy:0]
name = replicated
default = yes
[storage-policy:1]
name = coded
policy_type = erasure_coding
ec_type = liberasurecode_rs_vand
ec_num_data_fragments = 2
ec_num_parity_fragments = 2
ec_object_segment_size = 65536
"""

# The time limits are long, since a busy machine is no error; an answer waits for all the replicas of a change, so that
# the next request finds it.
SERVER = """
[DEFAULT]
devices = {home}/devices
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = {workers}
user = {user}
swift_dir = {home}
recon_cache_path = {home}/recon
log_level = WARNING
conn_timeout = 20
node_timeout = 60
container_update_timeout = 20
fallocate_reserve = 0
[pipeline:main]
pipeline = {pipeline}
[app:{kind}-server]
use = egg:swift#{kind}
conn_timeout = 20
node_timeout = 60
{more}
"""
DAEMON = "[{kind}-{daemon}]\ninterval = 15\nconn_timeout = 20\nnode_timeout = 60\nrsync_error_log_line_length = 80\n"
PROXY = "account_autocreate = true\nallow_account_management = true\npost_quorum_timeout = 60\n"
PROXY += "error_suppression_limit = 1000000\n"  # a server that was away is asked again at once
FILTERS = "catch_errors gatekeeper healthcheck proxy_logging memcache listing_formats bulk tempauth copy slo dlo"
CACHE = "memcache_servers = 127.0.0.1:{port}\nconnect_timeout = 20\npool_timeout = 20\nio_timeout = 20\n"
USER = "user_test_tester = testing .admin\n"

# Swift's programs cannot be told where swift.conf is. A reload executes this file anew, by `sys.argv[0]`.
LAUNCHER = """#!{python}
import swift.common.utils
swift.common.utils.SWIFT_CONF_FILE = {conf!r}
with open({script!r}) as script:
    exec(compile(script.read(), {script!r}, "exec"))
"""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """The servers and daemons of one side, from their rings to their end.

    Args:
        side: "eventlet" or "greening". home: an empty folder. workers: of each server; 0: it serves by itself.
    Attributes:
        ports: of each server. processes: by their names, "object-server" and so on.
    """

    def __init__(self, side: str, home: Path, places: Places, workers: int) -> None:
        self.side = side
        self.home = home
        self.workers = workers
        self.ports = {kind: free_port() for kind in (*KINDS, "proxy", "memcached")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.log = home / "log"
        self._places = places
        self._environment = environment_of(side, home)

    @property
    def servers(self) -> list[str]:
        """The names of the four servers' processes."""
        return [f"{kind}-server" for kind in (*KINDS, "proxy")]

    def configure(self) -> None:
        """Write swift.conf, the rings, the configurations, and what starts the programs.

        Raises:
            subprocess.CalledProcessError: a ring could not be built.
        """
        (self.home / "recon").mkdir()
        (self.home / "swift.conf").write_text(SWIFT_CONF)
        for number in range(DEVICES):
            (self.home / "devices" / f"d{number}").mkdir(parents=True)
        for ring, replicas in (*((kind, REPLICAS) for kind in KINDS), ("object-1", DEVICES)):
            self._build(ring, replicas)
        for kind in KINDS:
            self._write(kind, f"{kind}-server", "")
        self._write("proxy", f"{FILTERS} proxy-server", PROXY)
        programs = [f"{kind}-{daemon}" for kind, daemons in DAEMONS.items() for daemon in daemons]
        for name in (*self.servers, *programs):
            self._write_launcher(name)

    def _build(self, ring: str, replicas: int) -> None:
        port = self.ports[ring.partition("-")[0]]
        commands = [["create", "6", str(replicas), "0"]]
        commands += [["add", f"r1z{number}-127.0.0.1:{port}/d{number}", "1"] for number in range(DEVICES)]
        builder = [str(self._places.python), str(self._program("swift-ring-builder")), f"{ring}.builder"]
        for command in (*commands, ["rebalance"]):
            subprocess.run([*builder, *command], cwd=self.home, check=True, stdout=subprocess.DEVNULL)

    def _program(self, name: str) -> Path:
        return self._places.home / "bin" / name

    def _write(self, kind: str, pipeline: str, more: str) -> None:
        sections = [f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in pipeline.split()[:-1]]
        for number, section in enumerate(sections):
            if "tempauth" in section:
                sections[number] = section + USER
            if "memcache" in section:
                sections[number] = section + CACHE.format(port=self.ports["memcached"])
        sections += [DAEMON.format(kind=kind, daemon=daemon) for daemon in DAEMONS.get(kind, ())]
        text = SERVER.format(
            home=self.home,
            port=self.ports[kind],
            workers=self.workers,
            user=os.environ.get("USER", "root"),
            kind=kind,
            pipeline=pipeline,
            more=more + "".join(sections),
        )
        text = text.replace("[object-replicator]\n", "[object-replicator]\nsync_method = ssync\n")
        (self.home / f"{kind}.conf").write_text(text)

    def _write_launcher(self, name: str) -> None:
        launcher = self.home / name
        conf, script = str(self.home / "swift.conf"), str(self._program(f"swift-{name}"))
        launcher.write_text(LAUNCHER.format(python=self._places.python, conf=conf, script=script))
        launcher.chmod(0o755)

    def start(self) -> None:
        """Start memcached, if it is installed, and the servers; wait until each listens. Raises: TimeoutError."""
        if memcached := shutil.which("memcached"):
            self._start("memcached", memcached, "-u", "root", "-l", "127.0.0.1", "-p", str(self.ports["memcached"]))
        for name in self.servers:
            self.start_server(name)

    def start_server(self, name: str) -> None:
        """Start one server, and wait until it listens. Raises: TimeoutError."""
        kind = name.partition("-")[0]
        process = self._start(name, str(self.home / name), str(self.home / f"{kind}.conf"))
        wait_for_port(self.ports[kind], process)

    def start_daemons(self) -> None:
        """Start the daemons of accounts, containers and objects."""
        for kind, daemons in DAEMONS.items():
            for daemon in daemons:
                name = f"{kind}-{daemon}"
                self._start(name, str(self.home / name), str(self.home / f"{kind}.conf"))

    def _start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        # Swift ends its whole process group: each has its own.
        with self.log.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env=self._environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.processes[name]

    def cpu(self, *names: str) -> float:
        """Seconds of CPU that these have used, with their workers; of workers that have ended, too."""
        ticks = 0
        roots = {self.processes[name].pid for name in names}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) in roots:  # the session
                    ticks += sum(map(int, fields[11:15] if int(process.name) in roots else fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def workers_of(self, name: str) -> set[int]:
        """The processes that a server has forked."""
        pid = self.processes[name].pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return set()
        return set(map(int, children))

    def stop(self, name: str) -> int | None:
        """End a process by SIGTERM. Returns its exit status; None: it had to be killed."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until somebody listens. Raises: TimeoutError: nobody does; the process may have ended."""
    wait_until(lambda: process.poll() is not None or _listens(port), seconds, f"port {port}")
    if process.poll() is not None:
        raise TimeoutError(f"the server of port {port} has ended with status {process.returncode}")


def _listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def wait_until(condition: object, seconds: float, what: str) -> None:
    """Ask, again and again. Raises: TimeoutError: it names `what`."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seconds:.0f} s passed without: {what}")
        time.sleep(0.1)
