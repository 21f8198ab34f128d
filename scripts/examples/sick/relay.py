"""Lines of text go from each client to an archive: `python -m greening relay.py [HOST:PORT]`

The archive is slow, so a queue lies between it and each client. The clients of an hour are many, and most send one
line. Port 0 lets the system choose one.

Try it with `while sleep 0.05; do echo hello > /dev/tcp/127.0.0.1/8000; done` in bash.
"""

import sys
from typing import Any

import greening

Lines = greening.Queue[bytes]


class Archive:
    """Where the lines end up."""

    def __init__(self) -> None:
        self.size = 0

    def store(self, line: bytes) -> None:
        greening.sleep(0.005)  # it is far away
        self.size += len(line)


archive = Archive()


def forward(lines: Lines) -> None:
    """From a client's queue to the archive."""
    while True:
        archive.store(lines.get())


def handle(connection: Any, address: Any) -> None:
    """One client."""
    lines = Lines(100)
    greening.spawn(forward, lines)
    with connection.makefile("rb") as stream:
        for line in stream:
            lines.put(line)


def main(address: tuple[str, int]) -> None:
    server = greening.StreamServer(address, handle, concurrency=1000)
    server.start()
    print("listening on {}:{}".format(*server.address), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(f"stopped; {archive.size} bytes in the archive")


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":") if len(sys.argv) > 1 else ("127.0.0.1", ":", "8000")
    main((host, int(port)))
