"""A chat, written for eventlet, and not changed: `python -m greening --as-eventlet chat.py [HOST:PORT]`

The first line of a client is its name. Every other line goes to all. A client that says nothing for an hour is sent
away. `/who` is answered with the names. Port 0 lets the system choose one.

Try it with `nc 127.0.0.1 8000` in two windows.
"""

import sys
from typing import Any

import eventlet

eventlet.monkey_patch()

PATIENCE = 3600  # seconds


class Room:
    """Who is there, each with a queue of the lines that are still to be sent."""

    def __init__(self) -> None:
        self.queues: dict[str, Any] = {}

    def say(self, line: str) -> None:
        for queue in self.queues.values():
            queue.put(line)

    def enter(self, name: str) -> Any:
        self.say(f"* {name} has come")
        self.queues[name] = queue = eventlet.Queue()
        return queue

    def leave(self, name: str) -> None:
        self.queues.pop(name).put(None)
        self.say(f"* {name} has gone")


room = Room()


def send(connection: Any, queue: Any) -> None:
    while (line := queue.get()) is not None:
        connection.sendall(f"{line}\n".encode())


def talk(name: str, lines: Any) -> None:
    """Until the client has gone, or has been silent for too long."""
    with eventlet.Timeout(PATIENCE, False) as patience:
        for line in lines:
            patience.cancel()
            if line.strip() == "/who":
                room.queues[name].put("* " + ", ".join(sorted(room.queues)))
            else:
                room.say(f"{name}: {line.rstrip()}")
            patience.start()


def serve(connection: Any, address: Any) -> None:
    """One client."""
    with connection, connection.makefile("r", encoding="utf-8", errors="replace") as lines:
        name = lines.readline().strip()
        if not name or name in room.queues:
            connection.sendall(b"* no name, or one that is taken\n")
            return
        sender = eventlet.spawn(send, connection, room.enter(name))
        try:
            talk(name, lines)
        except OSError:
            pass  # it has gone without a word
        finally:
            room.leave(name)
            sender.kill()


def main(address: tuple[str, int]) -> None:
    listener, pool = eventlet.listen(address), eventlet.GreenPool(1000)
    print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    try:
        while True:
            pool.spawn_n(serve, *listener.accept())
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":") if len(sys.argv) > 1 else ("127.0.0.1", ":", "8000")
    main((host, int(port)))
