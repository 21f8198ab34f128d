"""What Swift's servers do with their workers when a signal comes, while requests come, too."""

import http.client
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from openstack_suite.swift_clients import SECONDS, Client, Refused, Stream
from openstack_suite.swift_servers import Cluster, wait_until

WORKERS = 2


class SlowRequest:
    """A PUT whose body has come by half; it is under way in a worker of the proxy, and in some of the object server."""

    def __init__(self, client: Client) -> None:
        self._connection = connection = http.client.HTTPConnection("127.0.0.1", client.connection.port, timeout=SECONDS)
        connection.putrequest("PUT", client.path("slow"))
        connection.putheader("X-Auth-Token", client.token)
        connection.putheader("Content-Length", "200000")
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        interim = b""
        while not interim.endswith(b"\r\n\r\n"):
            interim += connection.sock.recv(1)
        connection.send(b"a" * 100_000)

    def end(self) -> None:
        """The other half. Raises: Refused, OSError: the request was given up."""
        self._connection.send(b"b" * 100_000)
        status = self._connection.getresponse().status
        self._connection.close()
        if status != 201:
            raise Refused(f"the request under way got {status}")


def works(stream: Stream) -> None:
    """Requests are served, without an error from now on. Raises: TimeoutError, Refused."""
    done, errors = stream.done, len(stream.errors)
    wait_until(lambda: stream.done >= done + 20, 60, "requests that are served")
    if stream.errors[errors + 1 :]:  # the one that was under way does not count
        raise Refused(stream.errors[-1])


def _ended(pids: set[int]) -> bool:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return False
    return True


def killed(name: str, cluster: Cluster, stream: Stream) -> None:
    """A worker that is killed has a successor."""
    works(stream)
    old = cluster.workers_of(name)
    victim = min(old)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(cluster.workers_of(name) - {victim}) == WORKERS, 30, f"a successor of {victim}")
    works(stream)


def hung_up(name: str, cluster: Cluster, stream: Stream) -> None:
    """SIGHUP: the server ends, with status 0; what is under way goes on to its end; another one can take the port."""
    works(stream)
    old, slow = cluster.workers_of(name), SlowRequest(stream.client)
    process = cluster.processes[name]
    process.send_signal(signal.SIGHUP)
    status = process.wait(30)
    if status:
        raise Refused(f"it ended with {status}")
    cluster.start_server(name)
    slow.end()
    wait_until(lambda: _ended(old), 90, f"the end of the old workers {old}")
    works(stream)


def reloaded(name: str, cluster: Cluster, stream: Stream) -> None:
    """SIGUSR1: the same process serves with new workers. No request fails."""
    works(stream)
    errors = len(stream.errors)
    old, slow = cluster.workers_of(name), SlowRequest(stream.client)
    cluster.processes[name].send_signal(signal.SIGUSR1)
    wait_until(lambda: len(cluster.workers_of(name) - old) >= WORKERS, 30, "new workers")
    works(stream)
    slow.end()
    wait_until(lambda: not cluster.workers_of(name) & old, 90, f"the end of the old workers {old}")
    if stream.errors[errors:]:
        raise Refused(f"{len(stream.errors) - errors} requests failed: {stream.errors[errors]}")


def terminated(name: str, cluster: Cluster, stream: Stream) -> None:
    """SIGTERM: server and workers end at once."""
    works(stream)
    old = cluster.workers_of(name)
    cluster.stop(name)
    wait_until(lambda: _ended(old), 10, f"the end of the workers {old}")
    cluster.start_server(name)
    works(stream)


SIGNALS: dict[str, Callable[[Cluster, Stream], None]] = {
    f"{name}: {what}": partial(function, name)
    for name in ("proxy-server", "object-server")
    for what, function in (
        ("a killed worker is replaced", killed),
        ("SIGUSR1 reloads without a failed request", reloaded),
        ("SIGHUP ends what is idle, and then the rest", hung_up),
        ("SIGTERM ends all", terminated),
    )
}
