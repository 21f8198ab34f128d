"""A small internet for programs that want a large one: a network and a hosts file that only this process tree sees.

`alone()` starts the program once more in name spaces of its own (Linux; no privileges are needed where user name spaces
are allowed). There all ports are free, 22, 80 and 443 too, and the names of NAMES are this machine.
"""

import http.server
import os
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme

NAMES = ("www.google.com", "www.yandex.ru", "www.python.org", "python.org", "us.i1.yimg.com", "eventlet.net")
PAGES = {
    "/": b"<a href='http://eventlet.net/doc/'> and http://elsewhere.example/ </a> http://eventlet.net/more/ ",
    "/doc/": b"back to http://eventlet.net/more/ and on to http://eventlet.net/last/ ",
}
_INSIDE = "EXAMPLES_INSIDE"


def alone() -> None:
    """Return in a process whose network and hosts file are its own.

    Raises:
        SystemExit: this machine does not let processes have them; or the process that has them has ended.
    """
    if os.environ.get(_INSIDE):
        return
    with tempfile.NamedTemporaryFile("w", prefix="hosts-") as hosts:
        print("127.0.0.1 localhost", *NAMES, file=hosts, flush=True)
        prepare = 'mount --bind "$1" /etc/hosts && ip link set lo up && shift && exec "$@"'
        command = ["unshare", "-rnm", "sh", "-c", prepare, "sh", hosts.name, sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, env={**os.environ, _INSIDE: "1"}, check=False).returncode)


class Pages(http.server.BaseHTTPRequestHandler):
    """Serves PAGES; other pages are a picture."""

    def do_GET(self) -> None:
        """Called by the server."""
        body = PAGES.get(self.path, b"GIF89a")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        """Called by the server."""
        while data := self.request.recv(1000):
            self.request.sendall(data)


@contextmanager
def internet() -> Iterator[None]:
    """Servers on ports 22 (echo), 80 and 443 during a `with` block; programs that are started in it trust the last."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    with ExitStack() as stack:
        certificates = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ca.pem"
        authority.cert_pem.write_to_path(certificates)
        os.environ["SSL_CERT_FILE"] = str(certificates)
        for port, handler in ((22, Echo), (80, Pages), (443, Pages)):
            server = stack.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", port), handler))
            server.daemon_threads = True
            if port == 443:
                server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        yield
