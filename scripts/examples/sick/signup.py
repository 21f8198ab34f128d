"""People sign up for a newsletter: `python -m greening signup.py [HOST:PORT]`

POST an e-mail address, and it is entered. GET says how many there are. Port 0 lets the system choose one.

Try it with `curl -d name@example.org 127.0.0.1:8000`.
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS = re.compile(r"([\w-]+\.?)+@([\w-]+\.)+[a-z]{2,}")


class Subscribers:
    """The addresses, each once."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()

    def enter(self, address: str) -> bool:
        """False: it is no address."""
        if not ADDRESS.fullmatch(address):
            return False
        self.addresses.add(address.lower())
        return True


subscribers = Subscribers()


class Handler(BaseHTTPRequestHandler):
    """One client."""

    def do_GET(self) -> None:
        self.answer(200, {"subscribers": len(subscribers.addresses)})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        address = self.rfile.read(min(length, 254)).decode("ascii", "replace").strip()
        if subscribers.enter(address):
            self.answer(201, {"address": address})
        else:
            self.answer(400, {"error": f"{address!r} is no e-mail address"})

    def answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the proxy in front of it writes the log."""


def main(address: tuple[str, int]) -> None:
    with ThreadingHTTPServer(address, Handler) as server:
        print("listening on {}:{}".format(*server.server_address), flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":") if len(sys.argv) > 1 else ("127.0.0.1", ":", "8000")
    main((host, int(port)))
