"""Flask-SocketIO: `SocketIO.run` serves by greening.wsgi, and is stopped."""

import ssl
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flask_socketio")
pytest.importorskip("websocket")  # the client's transport
pytest.importorskip("wsproto")
pytest.importorskip("httptools")

from tests.ext.socketio_programs import CLIENT, ask, serving

pytestmark = pytest.mark.slow

TRANSPORTS = pytest.mark.parametrize("transports", ["websocket", "polling", "polling,websocket"])


@TRANSPORTS
def test_flask_socketio_runs_by_itself(run_green: Callable[..., Any], tmp_path: Path, transports: str) -> None:
    with serving(tmp_path, "-m", "greening", "app.py") as (_, url):
        assert ask(f"{url}/mode") == "greening"
        run_green(CLIENT, url, "50", transports, tolerance=1.0)  # 50 clients of one process start up at once


def test_stop_ends_run(tmp_path: Path) -> None:
    with serving(tmp_path, "-m", "greening", "app.py") as (server, url):
        assert ask(f"{url}/stop") == "stopped"
        assert server.process is not None
        assert server.process.wait(30) == 0


def test_the_debugger_and_the_reloader_work(tmp_path: Path) -> None:
    with serving(tmp_path, "-m", "greening", "app.py", DEBUG="1") as (server, url):
        assert ask(f"{url}/mode") == "greening"
        assert "Debugger is active" in server.log()
        assert "Restarting with stat" in server.log()


def test_tls_takes_the_arguments_of_eventlet(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    with serving(tmp_path, "-m", "greening", "app.py", CERT="cert.pem") as (_, url):
        with urllib.request.urlopen(url.replace("http", "https") + "/mode", timeout=30, context=context) as answer:
            assert answer.read() == b"greening"


def test_other_modes_run_as_ever(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import greening
greening.monkey_patch()
import flask, flask_socketio
app = flask.Flask("app")
sio = flask_socketio.SocketIO(app, async_mode="threading")
try:
    sio.run(app, port=0)
except RuntimeError as error:
    assert "Werkzeug" in str(error)
else:
    raise AssertionError("it is Flask-SocketIO's own")
greening.unpatch()
assert flask_socketio.SocketIO.run.__module__ == "flask_socketio"
""",
    )


def test_an_unknown_setting_is_an_error(run_program: Callable[..., Any]) -> None:
    run_program(
        """
import greening
greening.monkey_patch()
import flask, flask_socketio
app = flask.Flask("app")
app.config["SERVER_NAME"] = "127.0.0.1:0"
try:
    flask_socketio.SocketIO(app).run(app, no_such_setting=1)
except TypeError as error:
    assert "no_such_setting" in str(error)
else:
    raise AssertionError("taken")
"""
    )


def test_the_example_of_the_page_runs(run_page: Callable[..., Any]) -> None:
    assert "hello, you" in run_page("flask_socketio").stdout
