"""A crawler on green imports: the program itself, its server and the rest of the process stay as they are."""

import sys

modules_before = dict(sys.modules)

import threading
import time
import urllib.request

import greening
from greening.green import threading as green_threading
from greening.green import time as green_time
from greening.green.http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from greening.green.urllib import request


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        green_time.sleep(0.1)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 100


def crawl(port: int) -> list[bytes]:
    def fetch(number: int) -> bytes:
        with request.urlopen(f"http://127.0.0.1:{port}/{number}") as page:
            return page.read()

    return list(greening.GreenPool(50).imap(fetch, range(50)))


server = Server(("127.0.0.1", 0), Page)
greening.spawn(server.serve_forever, 0.01)
start = time.perf_counter()
assert crawl(server.server_address[1]) == [b"/%d" % number for number in range(50)]
took = time.perf_counter() - start
assert took < 2.5, f"{took} s: one after the other would take 5"
server.shutdown()

assert request is not urllib.request
assert green_threading is not threading
assert threading.active_count() == 1
assert request.Request.__module__ == "urllib.request"
assert request.URLError is urllib.request.URLError
assert not any(map(greening.is_monkey_patched, ("time", "thread", "socket", "select")))
assert {name for name, module in modules_before.items() if sys.modules.get(name) is not module} == set()
