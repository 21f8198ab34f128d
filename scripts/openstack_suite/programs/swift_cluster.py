"""A real Swift on loopback: proxy, account, container and object servers, three replicas, under many clients.

    scripts/openstack --swift-cluster [--clients 100] [--requests 20000] [--workers 0]

Prints the CPU time of the servers for each request; a request that fails, or an object that has changed, is an error.
"""

import argparse
import hashlib
import http.client
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from checks import free_port, wait_for_port, write

BIN = Path(sys.executable).parent
REPLICAS = 3
ACCOUNT = "/v1/AUTH_test"
KINDS = ("account", "container", "object")

SERVER = """
[DEFAULT]
devices = {devices}
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = {workers}
user = {user}
swift_dir = {home}
log_level = WARNING
[pipeline:main]
pipeline = {pipeline}
[app:{kind}-server]
use = egg:swift#{kind}
{more}
"""
FILTERS = "catch_errors gatekeeper healthcheck listing_formats bulk slo dlo copy"


class Cluster:
    """The servers, from their rings to their end."""

    def __init__(self, home: Path, workers: int) -> None:
        self.home = home
        self.workers = workers
        self.ports = {kind: free_port() for kind in (*KINDS, "proxy")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def configure(self) -> None:
        """Write swift.conf, the rings and the configuration of each server."""
        (self.home / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = x\nswift_hash_path_prefix = y\n")
        for number in range(REPLICAS):
            (self.home / "devices" / f"d{number}").mkdir(parents=True)
        for kind in KINDS:
            builder = [str(BIN / "swift-ring-builder"), f"{kind}.builder"]
            commands = [["create", "6", str(REPLICAS), "0"]]
            for number in range(REPLICAS):
                commands.append(["add", f"r1z{number}-127.0.0.1:{self.ports[kind]}/d{number}", "1"])
            for command in (*commands, ["rebalance"]):
                subprocess.run([*builder, *command], cwd=self.home, check=True, stdout=subprocess.DEVNULL)
            self._write(kind, f"{kind}-server", "")
        self._write("proxy", f"{FILTERS} proxy-server", "account_autocreate = true\nallow_account_management = true\n")

    def _write(self, kind: str, pipeline: str, more: str) -> None:
        filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in pipeline.split()[:-1])
        text = SERVER.format(
            devices=self.home / "devices",
            port=self.ports[kind],
            workers=self.workers,
            user=os.environ.get("USER", "root"),
            home=self.home,
            kind=kind,
            pipeline=pipeline,
            more=more + filters,
        )
        (self.home / f"{kind}.conf").write_text(text)

    def start(self) -> None:
        """Start the servers, and wait until each listens."""
        environment = {**os.environ, "SWIFT_DIR": str(self.home)}
        program = "import sys, swift.common.utils as u; u.SWIFT_CONF_FILE = {conf!r}; sys.argv[1:] = [{own!r}]\n"
        program += "from runpy import run_path; run_path({script!r}, run_name='__main__')"
        for kind, port in self.ports.items():
            filled = program.format(
                conf=str(self.home / "swift.conf"),
                own=str(self.home / f"{kind}.conf"),
                script=str(BIN / f"swift-{kind}-server"),
            )
            self.processes[kind] = subprocess.Popen([sys.executable, "-c", filled], env=environment)
            wait_for_port(port, self.processes[kind])

    def cpu(self) -> float:
        """Seconds of CPU that the servers, and their workers, have used."""
        ticks = 0
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                if self._is_ours(int(process.name), int(fields[1])):
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _is_ours(self, pid: int, parent: int) -> bool:
        ours = [process.pid for process in self.processes.values()]
        return pid in ours or parent in ours

    def stop(self) -> dict[str, int | None]:
        """End the servers by SIGTERM. Returns their exit statuses; None: it had to be killed."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        statuses: dict[str, int | None] = {}
        for kind, process in self.processes.items():
            try:
                statuses[kind] = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                statuses[kind] = None
        return statuses


class Client(threading.Thread):
    """Asks for what a user of objects asks for, and checks what comes back."""

    def __init__(self, port: int, number: int, requests: int) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.requests = requests
        self.random = random.Random(number)
        self.objects: dict[str, bytes] = {}
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def run(self) -> None:
        """A container of its own, then requests by chance."""
        try:
            self.ask("PUT", "", b"", 201)
            steps = (self.put, self.put, self.get, self.get, self.get, self.part, self.head, self.list, self.delete)
            while sum(self.done.values()) < self.requests:
                self.random.choice(steps)()
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.errors.append(f"client {self.number}: {error!r}")

    def ask(self, method: str, name: str, body: bytes | None, status: int, **headers: str) -> bytes:
        """One request. Returns the body."""
        path = f"{ACCOUNT}/c{self.number}" + (f"/{name}" if name else "")
        self.connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        response = self.connection.getresponse()
        got = response.read()
        self.done[method] += 1
        assert response.status == status, f"{method} {path}: {response.status} {got[:200]!r}"
        return got

    def put(self) -> None:
        """A new object of up to 64 KiB, or a new body of an old one."""
        name = f"o{self.random.randrange(20)}"
        body = self.random.randbytes(self.random.randrange(1 << 16))
        self.ask("PUT", name, body, 201, ETag=hashlib.md5(body).hexdigest())
        self.objects[name] = body

    def get(self) -> None:
        """An object, whole."""
        if self.objects:
            name = self.random.choice(list(self.objects))
            assert self.ask("GET", name, None, 200) == self.objects[name], f"{name} has changed"

    def part(self) -> None:
        """A range of an object."""
        long = [name for name, body in self.objects.items() if len(body) > 100]
        if long:
            name = self.random.choice(long)
            assert self.ask("GET", name, None, 206, Range="bytes=10-99") == self.objects[name][10:100]

    def head(self) -> None:
        """What is known of an object."""
        if self.objects:
            self.ask("HEAD", self.random.choice(list(self.objects)), None, 200)

    def list(self) -> None:
        """The names in the container. They may come late: nothing is said about which."""
        self.ask("GET", "?format=json", None, 200)

    def delete(self) -> None:
        """An object goes."""
        if self.objects:
            name = self.random.choice(list(self.objects))
            self.ask("DELETE", name, None, 204)
            del self.objects[name]


def load(cluster: Cluster, clients: int, requests: int) -> list[str]:
    """Have the clients at work. Returns what went wrong."""
    before, begun = cluster.cpu(), time.monotonic()
    threads = [Client(cluster.ports["proxy"], number, requests // clients) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = sum(sum(thread.done.values()) for thread in threads)
    cpu, took = cluster.cpu() - before, time.monotonic() - begun
    print(f"{done} requests in {took:.0f} s; CPU of the servers {cpu:.1f} s, {1000 * cpu / max(done, 1):.2f} ms each")
    return [error for thread in threads for error in thread.errors]


def main() -> None:
    """Run it, on the side that the environment says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--workers", type=int, default=0)
    wanted = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="swift-"))
    cluster = Cluster(home, wanted.workers)
    errors: list[str] = []
    try:
        cluster.configure()
        cluster.start()
        errors = load(cluster, wanted.clients, wanted.requests)
        print(*errors[:20], sep="\n")
        write("failed" if errors else "passed", "no request fails")
    finally:
        statuses = cluster.stop()
        print(f"exit statuses {statuses}")
        write("failed" if None in statuses.values() else "passed", "SIGTERM ends every server")
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
