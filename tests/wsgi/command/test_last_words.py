"""What is said of requests that are cut off, and of a process that is stuck."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from greening.sync.event import Event
from greening.websocket.application import WebSocketWSGI
from greening.websocket.client import connect
from greening.wsgi.command import last_words
from greening.wsgi.command.last_words import tell_when_aborted, under_way
from tests.wsgi.conftest import Serve
from tests.wsgi.processes import ROOT


class Waiting:
    """An application whose requests wait until they are let go."""

    def __init__(self) -> None:
        self.came = Event()
        self.go = Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            self.stand_here()
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def stand_here(self) -> None:
        if not self.came.ready():
            self.came.send()
        self.go.wait()


def test_requests_are_told_with_their_place(serve: Serve) -> None:
    app = Waiting()
    running = serve(app)
    idle, busy = running.connect(), running.connect()
    assert idle.get().status == 200
    busy.send(b"GET /wait?for=this HTTP/1.1\r\nHost: a\r\n\r\n")
    app.came.wait()
    (text,) = under_way()
    host, port = busy.sock.getsockname()
    title, place, line, *_ = text.split("\n")
    assert title.startswith(f"GET /wait?for=this of {host}:{port}, stood here (waits for Event at 0x")
    assert place.startswith(f'  File "{__file__}", line ')
    assert line == "    self.stand_here()"
    assert "protocol.py" not in text
    app.go.send()
    assert busy.answer().status == 200
    busy.get()  # the server has seen the end of the first one
    assert under_way() == []


def test_a_callback_of_a_websocket_is_told_with_the_request_that_began_the_connection(serve: Serve) -> None:
    came, go = Event(), Event()

    def on_message(ws: Any, message: Any) -> None:
        came.send()
        go.wait()  # here

    running = serve(WebSocketWSGI.callbacks(on_message))
    host, port = running.server.address
    with connect(f"ws://{host}:{port}/chat?room=1") as ws:
        assert under_way() == []
        ws.send("x")
        came.wait()
        (text,) = under_way()
        client_host, client_port = ws.socket.getsockname()
        title, place, line, *_ = text.split("\n")
        assert title.startswith(f"GET /chat?room=1 of {client_host}:{client_port}, stood here (waits for Event at 0x")
        assert place.startswith(f'  File "{__file__}", line ') and line == "    go.wait()  # here"
        assert "callbacks.py" not in text
        go.send()


def test_of_many_requests_some_are_told_and_the_others_counted(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_words, "_MOST", 2)
    app = Waiting()
    running = serve(app)
    clients = [running.connect() for _ in range(3)]
    for client in clients:
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    idle = running.connect()
    while len(under_way()) < 3:
        assert idle.get().status == 200
    assert under_way()[2] == "and 1 requests more"
    app.go.send()
    for client in clients:
        client.answer()


@pytest.mark.slow
@pytest.mark.parametrize("spin", ["while True: pass", "re.match('(a+)+$', 'a' * 60 + 'b')"])
def test_an_aborted_process_says_where_it_is_also_in_c(spin: str) -> None:
    program = f"""
import re, sys
from greening import monkey_patch, spawn
from greening.wsgi.command.last_words import tell_when_aborted
tell_when_aborted(2)
monkey_patch()
def spin():
    print("here", flush=True)
    {spin}
spawn(spin).wait()
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGABRT)
        _, errors = process.communicate()
    assert process.returncode == -signal.SIGABRT
    assert "in spin" in errors


def test_without_a_descriptor_nothing_is_prepared() -> None:
    tell_when_aborted(None)
