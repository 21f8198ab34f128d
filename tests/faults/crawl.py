"""urllib against the stdlib's own threading server: a page that is not right, or does not come, fails."""

import greening

greening.monkey_patch()

import hashlib
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGES = 150


def page(path: str) -> bytes:
    return hashlib.sha512(path.encode()).digest() * (int(path.rpartition("/")[2]) ** 2 % 2000 + 1)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = page(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 200


def fetch(number: int) -> bool:
    path = f"/pages/{number}"
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=50) as response:
        return response.read() == page(path)


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, args=(0.01,)).start()
with ThreadPoolExecutor(20) as pool:
    right = list(pool.map(fetch, range(PAGES)))
server.shutdown()
server.server_close()
sys.exit(not all(right))
