"""Servers and proxies as processes of their own, for comparisons by hand."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 15  # to start, or to end

APPLICATION = "tests.fuzz.application:application"
SERVERS = {
    "greening": "-m greening.wsgi --no-access-log -b 127.0.0.1:{port}",
    "gunicorn": "-m gunicorn -k gthread --threads 4 --log-level critical -b 127.0.0.1:{port}",
    "waitress": "-m waitress --listen=127.0.0.1:{port}",
    "h11": "-m uvicorn --http h11 --interface wsgi --log-level critical --port {port}",
}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error crit;
events {{ worker_connections 1000; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream behind {{ server 127.0.0.1:{behind}; keepalive 4; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""
HAPROXY = """
global
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{behind} pool-max-conn 4
"""
PROXIES = {"nginx": (NGINX, ["-e", "{folder}/error", "-c"]), "haproxy": (HAPROXY, ["-q", "-f"])}


class NoServer(Exception):
    """A server or a proxy is not installed, or does not start."""


@contextmanager
def running(name: str, behind: str = "") -> Iterator[int]:
    """A server, in front of it the proxy `behind` if there is one. Yields the port that clients connect to.

    Raises:
        NoServer
    """
    with ExitStack() as stack:
        port = stack.enter_context(_server(name))
        yield stack.enter_context(_proxy(behind, port)) if behind else port


@contextmanager
def _server(name: str) -> Iterator[int]:
    if name not in SERVERS:
        raise NoServer(f"no such server: {name}; there are {', '.join(SERVERS)}")
    port = _free_port()
    command = [sys.executable, *SERVERS[name].format(port=port).split(), APPLICATION]
    with _process(name, command, port):
        yield port


@contextmanager
def _proxy(name: str, behind: int) -> Iterator[int]:
    if name not in PROXIES:
        raise NoServer(f"no such proxy: {name}; there are {', '.join(PROXIES)}")
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        raise NoServer(f"{name} is not installed; on Debian: apt install {name}")
    text, arguments = PROXIES[name]
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        settings = Path(folder) / "settings"
        settings.write_text(text.format(folder=folder, port=port, behind=behind), encoding="ascii")
        command = [path, *(argument.format(folder=folder) for argument in arguments), str(settings)]
        with _process(name, command, port):
            yield port


@contextmanager
def _process(name: str, command: list[str], port: int) -> Iterator[None]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
        try:
            end = monotonic() + SECONDS
            while not _listens(port):
                if process.poll() is not None or monotonic() > end:
                    errors.seek(0)
                    raise NoServer(f"{name} does not start: {errors.read().decode(errors='replace').strip()[-300:]}")
                sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
