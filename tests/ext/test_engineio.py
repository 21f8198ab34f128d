"""Socket.IO and Engine.IO in the async mode "greening": both transports, rooms, queues, and all ways to serve."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("socketio")
pytest.importorskip("flask_socketio")
pytest.importorskip("websocket")  # the client's transport
pytest.importorskip("wsproto")

from tests.ext.servers import Server
from tests.ext.socketio_programs import CLIENT, ask, serving

pytestmark = pytest.mark.slow

TRANSPORTS = pytest.mark.parametrize("transports", ["websocket", "polling", "polling,websocket"])


GUNICORN = ("-m", "gunicorn", "-k", "greening.ext.gunicorn.GreeningWorker", "-b", "127.0.0.1:{port}", "app:app")
WSGI = ("-m", "greening.wsgi", "--bind", "127.0.0.1:{port}", "app:app")


@TRANSPORTS
@pytest.mark.parametrize("arguments", [GUNICORN, WSGI], ids=["gunicorn", "greening.wsgi"])
def test_other_servers_serve_it(
    run_green: Callable[..., Any], tmp_path: Path, transports: str, arguments: tuple[str, ...]
) -> None:
    if arguments is GUNICORN:
        pytest.importorskip("gunicorn")
    with serving(tmp_path, *arguments) as (server, url):
        assert ask(f"{url}/mode") == "greening"
        run_green(CLIENT, url, "20", transports, tolerance=1.0)  # as above
        assert "Traceback" not in server.log()


def test_two_workers_tell_each_other_by_redis(run_green: Callable[..., Any], tmp_path: Path, redis: Server) -> None:
    pytest.importorskip("gunicorn")
    pytest.importorskip("redis")
    with serving(tmp_path, *GUNICORN, "-w", "2", QUEUE=f"redis://127.0.0.1:{redis.port}/0") as (server, url):
        run_green(CLIENT, url, "20", "websocket", tolerance=1.0)  # as above
        assert "Traceback" not in server.log()


def test_five_hundred_clients_at_once(run_green: Callable[..., Any], tmp_path: Path) -> None:
    with serving(tmp_path, "-m", "greening", "app.py") as (_, url):
        run_green(CLIENT, url, "500", "websocket", tolerance=5.0)  # 500 clients of one process start up at once


RESTARTED = """
import sys, threading
import socketio
again = threading.Event()
client = socketio.Client(reconnection_delay=0.1)
client.connect(sys.argv[1], transports=["websocket"])
client.on("connect", again.set)
assert client.call("slow", 1, timeout=30) == 1
restart()
assert again.wait(30)
assert client.call("slow", 2, timeout=30) == 2
client.disconnect()
"""


def test_clients_come_back_after_a_restart(
    run_green: Callable[..., Any], restart_of: Callable[..., str], tmp_path: Path
) -> None:
    with serving(tmp_path, "-m", "greening", "app.py") as (server, url):
        run_green(restart_of(server) + RESTARTED, url, tolerance=1.0)  # the client's own imports


def test_clients_that_vanish_leave_no_thread_behind(run_green: Callable[..., Any]) -> None:
    run_green(
        """
import threading
import greening.wsgi, greening.websocket, socketio

gone = threading.Semaphore(0)
sio = socketio.Server()
sio.on("disconnect", lambda sid, reason: gone.release())
assert sio.async_mode == "greening"
server = greening.wsgi.Server(greening.listen(("127.0.0.1", 0)), socketio.WSGIApp(sio), log_output=False)
server.start()
port = server.address[1]

def connect():
    return greening.websocket.connect(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket")

first = connect()
first.wait(), first.send("40"), first.wait()
before = threading.active_count()
for _ in range(20):
    client = connect()
    client.wait(), client.send("40"), client.wait()
    client.socket.close()
for _ in range(20):
    assert gone.acquire(timeout=30)
deadline = greening.Timeout(30)
while threading.active_count() > before + 20:  # each has a ping to wait for
    greening.sleep(0.01)
deadline.cancel()
first.close()
""",
        tolerance=1.0,  # imports
    )


def test_a_server_that_was_imported_before_the_patch_has_the_mode(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import socketio, flask_socketio
import greening
greening.monkey_patch()
assert socketio.Server().async_mode == "greening"
greening.unpatch()
assert "greening" not in socketio.Server().eio.async_modes()
try:
    socketio.Server(async_mode="greening")
except ValueError:
    pass
else:
    raise AssertionError("still there")
"""
    )


def test_a_plug_in_that_is_switched_off_leaves_the_modes_alone(run_program: Callable[..., Any]) -> None:
    source = "import greening\ngreening.monkey_patch()\nimport socketio\nprint(socketio.Server().async_mode)\n"
    assert run_program(source, env={"GREENING_PLUGINS": "-engineio"}).stdout.strip() != "greening"


def test_the_example_of_the_page_runs(run_page: Callable[..., Any]) -> None:
    assert run_page("engineio").stdout.split() == ["greening", "hello,", "you"]
