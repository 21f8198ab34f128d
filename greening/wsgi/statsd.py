"""What one server counts, sent to a statsd once a second by UDP.

Facts: a packet for each request, as gunicorn sends it, costs a system call for each request. statsd takes a value with
a rate: `12|ms|@0.1` counts as ten times 12 ms.
Decision: a second's requests are one line for each method and class of statuses, and one for each range of durations
(`BOUNDS`), with the range's upper bound as its value. Packets that nobody takes are lost, as UDP is. How many
connections there are is the sum over all servers that count in the same `Metrics`. Each of them sends the sum: a gauge
keeps what came last.

Source: github.com/statsd/statsd, docs/metric_types.md.
"""

import logging
import socket
from collections.abc import Iterator

from greening._core.greenthread import GreenThread, spawn
from greening._core.waiting import sleep
from greening.net.dns import getaddrinfo
from greening.net.socket import GreenSocket
from greening.wsgi.metrics import ACCEPTED, BOUNDS, EVICTED, INTERVAL, REFUSED, SENT, Counters, Metrics

_log = logging.getLogger("greening.wsgi")

_PACKET = 1400  # bytes: what Ethernet takes in one piece


class Statsd:
    """Sends what `counters` have counted since the last time, and how many connections there are.

    Args:
        metrics: where all servers count. counters: of one server, in it.
        address: of `parse_statsd`.
        prefix: of each name, with its dot if there is to be one.

    A host that has no address at the moment stops nothing: that is told once, and tried again the next time.
    """

    def __init__(
        self, metrics: Metrics, counters: Counters, address: tuple[str, int], prefix: str = "greening."
    ) -> None:
        self._metrics = metrics
        self._counters = counters
        self._prefix = prefix
        self._address = address
        self._socket: GreenSocket | None = None
        self._unknown = False  # that it has no address has been told
        self._before = counters.snapshot()
        self._sending: GreenThread[None] | None = None

    def start(self) -> None:
        """Send once a second, in a green thread, until `stop`."""
        self._sending = spawn(self._send_for_ever)
        self._sending.name = "statsd"

    def stop(self) -> None:
        """Send what is left, and no more. A second call does nothing."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.kill()
            self.send()
        self._disconnect()

    def _send_for_ever(self) -> None:
        while True:
            sleep(INTERVAL)
            self.send()

    def send(self) -> None:
        """Send what has changed. It never fails, and waits for the address of the host alone."""
        if self._socket is None:
            self._connect()
        if self._socket is None:
            return  # what has changed is sent later
        packet = b""
        for line in self._lines():
            data = f"{self._prefix}{line}\n".encode()
            if packet and len(packet) + len(data) > _PACKET:
                self._put(packet)
                packet = b""
            packet += data
        self._put(packet)

    def _put(self, packet: bytes) -> None:
        try:
            if self._socket is not None:
                self._socket.send(packet.rstrip(b"\n"))
        except BlockingIOError:
            pass  # there is no room
        except OSError:
            self._disconnect()  # nobody takes it; perhaps the host has another address by now

    def _connect(self) -> None:
        host, port = self._address
        try:
            family, _, _, _, address = getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            connection = GreenSocket(family, socket.SOCK_DGRAM)
            try:
                connection.setblocking(False)
                connection.connect(address)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            if not self._unknown:
                self._unknown = True
                _log.warning("no way to the statsd at %s: %s; trying again", host, error.strerror)
        else:
            self._socket, self._unknown = connection, False

    def _disconnect(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _lines(self) -> Iterator[str]:
        now, before = self._counters.snapshot(), self._before
        self._before = now
        by_kind: dict[tuple[str, int], int] = {}
        by_range: dict[int, int] = {}
        for key, count in now.requests.items():
            new = count - before.requests.get(key, 0)
            if new:
                method, digit, place = key
                by_kind[method, digit] = by_kind.get((method, digit), 0) + new
                by_range[place] = by_range.get(place, 0) + new
        for (method, digit), new in by_kind.items():
            yield f"requests.{method}.{digit}xx:{new}|c"
        for place, new in by_range.items():
            yield f"request.duration:{BOUNDS[min(place, len(BOUNDS) - 1)] * 1000:g}|ms|@{1 / new:g}"
        for name, cell in (("accepted", ACCEPTED), ("evicted", EVICTED), ("refused", REFUSED), ("sent_bytes", SENT)):
            more = now.cells[cell] - before.cells[cell]
            if more:
                yield f"{name}:{more:.0f}|c"
        idle, active = self._metrics.connections()
        yield f"connections.idle:{idle}|g"
        yield f"connections.active:{active}|g"


def parse_statsd(text: str) -> tuple[str, int]:
    """HOST:PORT, [IPv6]:PORT or HOST, with port 8125.

    Raises:
        ValueError: it is none of them.
    """
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, "8125"
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host, int(port)
