"""A line that one client publishes goes to all subscribers: `python pubsub.py [HOST:PORT]`

A client that sends `sub` gets every line; from any other each line it sends is published. A subscriber that does not
read is not waited for: it has room for so many lines, and then it is dropped. SIGTERM and Ctrl-C say goodbye to all.

Try it with `nc 127.0.0.1 8000` in three windows. Port 0 lets the system choose one.
"""

import signal
import sys
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any

import greening

ROOM = 1000  # lines that a subscriber may lag behind

Outbox = greening.Queue[bytes]


class Broker:
    """Who listens. Everything happens between two waits of one OS thread, so it needs no lock."""

    def __init__(self) -> None:
        self.outboxes: dict[Outbox, Any] = {}  # and their connections

    def publish(self, line: bytes) -> None:
        for outbox in tuple(self.outboxes):
            try:
                outbox.put(line, block=False)
            except greening.Full:
                print("dropped a slow subscriber", flush=True)
                with suppress(OSError):  # it has gone meanwhile
                    # Its green thread, which waits in `sendall`, gets an OSError.
                    self.outboxes.pop(outbox).shutdown(SHUT_RDWR)

    def subscribe(self, connection: Any) -> None:
        """Send what is published until the client has gone, is too slow, or the server stops."""
        outbox = Outbox(ROOM)
        self.outboxes[outbox] = connection
        try:
            connection.sendall(b"welcome\n")
            while True:
                connection.sendall(outbox.get())
        except (greening.ShutDown, OSError):
            pass
        finally:
            self.outboxes.pop(outbox, None)

    def handle(self, connection: Any, address: Any) -> None:
        """One client."""
        with connection.makefile("rb") as lines:
            for line in lines:
                if line.strip() == b"sub":
                    self.subscribe(connection)
                    return
                self.publish(line)

    def close(self) -> None:
        """What is in the outboxes still goes out, and then the goodbye."""
        self.publish(b"bye\n")
        for outbox in self.outboxes:
            outbox.shutdown()


def main(address: tuple[str, int]) -> None:
    broker = Broker()
    server = greening.StreamServer(address, broker.handle, concurrency=10_000)
    server.start()
    print("listening on {}:{}".format(*server.address), flush=True)
    end = greening.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.ready() or end.send())
    end.wait()
    broker.close()
    server.stop(timeout=5)  # who does not read, or still publishes, is not waited for any longer
    print("stopped")


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":") if len(sys.argv) > 1 else ("127.0.0.1", ":", "8000")
    main((host, int(port)))
