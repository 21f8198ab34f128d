"""A Flask-SocketIO application, and a client of it, as programs for tests."""

import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ext.servers import Server, free_port, running

ROOT = Path(__file__).resolve().parent.parent.parent

APP = """
import os, time
from flask import Flask, request
from flask_socketio import SocketIO, emit, join_room

app = Flask(__name__)
sio = SocketIO(app, message_queue=os.environ.get("QUEUE"))

@app.route("/mode")
def mode():
    return sio.async_mode

@app.route("/stop")
def stop():
    sio.stop()
    return "stopped"

@sio.on("slow")
def slow(number):
    time.sleep(0.2)
    return number

@sio.on("join")
def join(room):
    join_room(room)
    return room

@sio.on("tell")
def tell(room, text):
    emit("told", text, to=room)

@sio.on("work")
def work(number):
    sid = request.sid

    def job():
        for n in range(number):
            sio.sleep(0.01)
            sio.emit("tick", n, to=sid)

    sio.start_background_task(job)

if __name__ == "__main__":
    options = {"certfile": os.environ["CERT"]} if "CERT" in os.environ else {}
    sio.run(app, port=int(os.environ["PORT"]), debug="DEBUG" in os.environ, **options)
"""

CLIENT = """
import sys, threading, time
import socketio
url, number, transports = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
all_told, all_ticked = threading.Semaphore(0), threading.Semaphore(0)

def one(n):
    client = socketio.Client(reconnection=False)
    client.on("told", lambda text: all_told.release())
    client.on("tick", lambda n: all_ticked.release())
    client.connect(url, transports=transports, wait_timeout=30)
    assert client.call("slow", n, timeout=30) == n
    client.call("join", f"room {n % 2}", timeout=30)
    return client

begin = time.monotonic()
clients = list(greening.GreenPool(number).imap(one, range(number)))
assert time.monotonic() - begin < number * 0.2, "one after the other"
assert {client.transport() for client in clients} == {transports[-1]}
clients[0].emit("tell", ("room 1", "x" * 200_000))
for client in clients:
    client.emit("work", 3)
for _ in range(number // 2):
    assert all_told.acquire(timeout=30)
for _ in range(number * 3):
    assert all_ticked.acquire(timeout=30)
for client in clients:
    client.disconnect()
"""


@contextmanager
def serving(folder: Path, *arguments: str, **env: str) -> Iterator[tuple[Server, str]]:
    """The application above, served by a program: `{port}` in its arguments is its port."""
    (folder / "app.py").write_text(APP)
    port = free_port()
    argv = [sys.executable, *(argument.format(port=port) for argument in arguments)]
    environment = {"PYTHONPATH": str(ROOT), "PORT": str(port), **env}
    with running(Server(argv, folder=folder, port=port, env=environment)) as server:
        yield server, f"http://127.0.0.1:{port}"


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()  # type: ignore[no-any-return]
