"""What Swift's daemons have to mend: lost replicas, lost fragments, changed bytes, updates that nobody took."""

import shutil
from collections.abc import Callable
from pathlib import Path

from openstack_suite.swift_clients import Client, Refused
from openstack_suite.swift_servers import REPLICAS, Cluster, wait_until

SECONDS = 240


def _files(cluster: Cluster, folder: str, pattern: str) -> list[Path]:
    return sorted((cluster.home / "devices").glob(f"*/{folder}/{pattern}"))


def _lost(cluster: Cluster, client: Client, folder: str, policy: str, count: int) -> None:
    """One device loses a whole partition; a daemon brings back its objects."""
    before = set(_files(cluster, folder, "*/*/*/*.data"))
    client.container = f"damaged-{policy}"
    client.ask("PUT", "", b"", (201, 202), X_Storage_Policy=policy)
    body = client.random.randbytes(100_000)
    client.ask("PUT", "object", body, (201,))
    new = set(_files(cluster, folder, "*/*/*/*.data")) - before
    if len(new) != count:
        raise Refused(f"there are {len(new)} files, not {count}")
    first = min(new)
    shutil.rmtree(first.parents[2])
    wait_until(lambda: first.parent.exists() and any(first.parent.glob("*.data")), SECONDS, f"{first} again")
    client.same("object", body, client.ask("GET", "object", None, (200,)))


def lost_replica(cluster: Cluster, client: Client) -> None:
    """The replicator sends it, by ssync."""
    _lost(cluster, client, "objects", "replicated", REPLICAS)


def lost_fragment(cluster: Cluster, client: Client) -> None:
    """The reconstructor computes it from the others."""
    _lost(cluster, client, "objects-1", "coded", 4)


def changed_bytes(cluster: Cluster, client: Client) -> None:
    """The auditor puts away a file with another sum, and the replicator brings the right one."""
    client.container = "damaged-replicated"
    before = {path: path.stat().st_mtime_ns for path in _files(cluster, "objects", "*/*/*/*.data")}
    client.ask("PUT", "changed", b"a" * 1000, (201,))
    new = [path for path in _files(cluster, "objects", "*/*/*/*.data") if path not in before]
    with new[0].open("r+b") as file:
        file.write(b"b")
    wait_until(lambda: not new[0].exists() or new[0].read_bytes()[:1] == b"a", SECONDS, f"{new[0]} in quarantine")
    wait_until(new[0].exists, SECONDS, f"{new[0]} again")
    if not _files(cluster, "quarantined", "objects/*"):
        raise Refused("nothing is in quarantine")


def waiting_updates(cluster: Cluster, client: Client) -> None:
    """Objects that no container server was told of are in the listing later: the updater tells it."""
    client.container = "damaged-replicated"
    client.ask("HEAD", "object", None, (200,))  # the proxy knows the container for the next minute
    cluster.stop("container-server")
    try:
        client.ask("PUT", "late", b"body", (201,))
        waiting = len(_files(cluster, "async_pending", "*/*"))
    finally:
        cluster.start_server("container-server")
    if not waiting:
        raise Refused("no update waits")
    wait_until(lambda: not _files(cluster, "async_pending", "*/*"), SECONDS, "the end of all waiting updates")
    wait_until(lambda: b"late" in client.ask("GET", "", None, (200, 204)), SECONDS, "the object in the listing")


DAMAGES: dict[str, Callable[[Cluster, Client], None]] = {
    "the replicator restores a lost replica": lost_replica,
    "the reconstructor restores a lost fragment": lost_fragment,
    "the auditor puts a changed file away": changed_bytes,
    "the updater brings what waits": waiting_updates,
}
