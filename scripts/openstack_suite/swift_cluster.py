"""A real Swift on loopback, on both sides in one run: under load, under signals, and with damaged replicas.

    scripts/openstack --swift-cluster [--clients 100] [--requests 20000] [--turns 10] [--parts load,damage,signals]

memcached is used if it is installed. The proxy has tempauth; each fourth client's objects are erasure-coded (pyeclib).
The sides take turns at the load, so that both meet the same weather on the machine. It prints the CPU time of the
servers for each request; a request that fails, or an object that has changed, is an error.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from openstack_suite.places import Places, say
from openstack_suite.swift_clients import Client, Stream, login, together
from openstack_suite.swift_damage import DAMAGES
from openstack_suite.swift_servers import Cluster
from openstack_suite.swift_signals import SIGNALS

Outcomes = dict[str, str]


def options(arguments: list[str]) -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(prog="scripts/openstack --swift-cluster", description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--requests", type=int, default=20000, help="of each side")
    parser.add_argument("--turns", type=int, default=10, help="the sides alternate so many times")
    parser.add_argument("--side", action="append", help="this side only")
    parser.add_argument("--no-daemons", action="store_true", help="servers only")
    parser.add_argument("--parts", default="load,damage,signals", help="which of these")
    return parser.parse_args(arguments)


def main(arguments: list[str], places: Places) -> int:
    """Run it. Returns 1 if something failed on greening that passed on eventlet, or on greening alone."""
    wanted = options(arguments)
    sides = wanted.side or ["eventlet", "greening"]
    outcomes: dict[str, Outcomes] = {side: {} for side in sides}
    memory = Path("/dev/shm")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # the processes have to be ended, too
    home = Path(tempfile.mkdtemp(prefix="swift-", dir=memory if memory.is_dir() else None))
    try:
        if {"load", "damage"} & set(wanted.parts.split(",")):
            under_load(wanted, places, home / "load", outcomes)
        if "signals" in wanted.parts.split(","):
            for side in sides:
                under_signals(Cluster(side, home / f"signals-{side}", places, 2), outcomes[side])
    finally:
        shutil.rmtree(home, ignore_errors=True)
    for name in dict.fromkeys(name for results in outcomes.values() for name in results):
        print(f"| {name} | " + " | ".join(outcomes[side].get(name, "not run") for side in sides) + " |")
    bad = [name for name, outcome in outcomes[sides[-1]].items() if outcome != "passed"]
    return int(any(outcomes[sides[0]][name] == "passed" or len(sides) == 1 for name in bad))


def check(outcomes: Outcomes, name: str, function: Callable[[], object]) -> None:
    """Call it, and write down how it went."""
    try:
        function()
    except Exception as error:  # noqa: BLE001  # it is what a check says
        outcomes[name] = f"failed: {error!r}"[:300]
    else:
        outcomes[name] = "passed"
    say(f"{name}: {outcomes[name]}")


def under_load(wanted: argparse.Namespace, places: Places, home: Path, outcomes: dict[str, Outcomes]) -> None:
    """The clusters of all sides; the clients of one are at work at a time. Then some replicas are damaged."""
    clusters = [Cluster(side, home / side, places, 0) for side in outcomes]
    try:
        for cluster in clusters:
            cluster.home.mkdir(parents=True)
            cluster.configure()
            cluster.start()
            if not wanted.no_daemons:
                cluster.start_daemons()
        loads = [Load(cluster, wanted.clients) for cluster in clusters]
        if "load" in wanted.parts:
            for turn in range(wanted.turns):
                for load in loads:
                    load.turn(wanted.requests // wanted.turns // wanted.clients)
                say(f"turn {turn + 1}: " + "; ".join(map(str, loads)))
            for load in loads:
                print(load, *load.errors[:20], sep="\n  ")
                outcomes[load.cluster.side]["no request fails"] = (
                    f"failed: {load.errors[0]}" if load.errors else "passed"
                )
            if len(loads) == 2:
                print(f"CPU for each request: {loads[1].cost / loads[0].cost:.2f} of {loads[0].cluster.side}'s")
        if "damage" in wanted.parts and not wanted.no_daemons:
            for cluster, load in zip(clusters, loads, strict=True):
                for name, damage in DAMAGES.items():
                    check(outcomes[cluster.side], name, lambda c=cluster, d=damage, o=load: d(c, o.clients[0]))
    finally:
        for cluster in clusters:
            _end(cluster, outcomes[cluster.side])


def _end(cluster: Cluster, outcomes: Outcomes) -> None:
    statuses = {name: cluster.stop(name) for name in list(cluster.processes)}
    killed = [name for name, status in statuses.items() if status is None]
    outcomes["SIGTERM ends servers and daemons"] = f"failed: {killed}" if killed else "passed"
    say(f"{cluster.side}: exit statuses {statuses}")
    lines = cluster.log.read_text(errors="replace").splitlines() if cluster.log.exists() else []
    say(f"{cluster.side}: {len(lines)} lines of log" + "".join(f"\n    {line[:200]}" for line in lines[-10:]))


class Load:
    """The clients of a cluster, and what they have cost."""

    def __init__(self, cluster: Cluster, clients: int) -> None:
        self.cluster = cluster
        self.clients = [Client(cluster.ports["proxy"], number) for number in range(clients)]
        self.cpu = self.daemons = self.seconds = 0.0
        self.done = 0

    def turn(self, requests: int) -> None:
        """Each client makes so many requests."""
        cluster = self.cluster
        others = [name for name in cluster.processes if name not in cluster.servers and name != "memcached"]
        before, daemons, begun = cluster.cpu(*cluster.servers), cluster.cpu(*others), time.monotonic()
        done = sum(client.done.total() for client in self.clients)
        together(self.clients, requests)
        self.done += sum(client.done.total() for client in self.clients) - done
        self.cpu += cluster.cpu(*cluster.servers) - before
        self.daemons += cluster.cpu(*others) - daemons
        self.seconds += time.monotonic() - begun

    @property
    def cost(self) -> float:
        """Milliseconds of the servers' CPU for each request."""
        return 1000 * self.cpu / max(self.done, 1)

    @property
    def errors(self) -> list[str]:
        """What went wrong."""
        return [error for client in self.clients for error in client.errors]

    def __str__(self) -> str:
        return (
            f"{self.cluster.side}: {self.done} requests in {self.seconds:.0f} s, {len(self.errors)} errors, "
            f"servers {self.cost:.2f} ms of CPU each, daemons {self.daemons:.1f} s"
        )


def under_signals(cluster: Cluster, outcomes: Outcomes) -> None:
    """A cluster with two workers for each server, one signal after the other."""
    cluster.home.mkdir(parents=True)
    try:
        cluster.configure()
        cluster.start()
        login(cluster.ports["proxy"])
        for name, function in SIGNALS.items():
            stream = Stream(Client(cluster.ports["proxy"], 1))
            check(outcomes, name, lambda f=function, s=stream: f(cluster, s))
            stream.stop()
    finally:
        _end(cluster, outcomes)
