"""One file of a socket, and one HTTP response, in several threads: they take turns, and a close waits."""

import greening

greening.monkey_patch()

import http.server
import socket
import threading
import urllib.request

# makefile
near, far = socket.socketpair()
lines: list[bytes] = []
with near.makefile("rb") as source:
    readers = [threading.Thread(target=lambda: lines.append(source.readline())) for _ in range(3)]
    for thread in readers:
        thread.start()
    greening.sleep(0)
    for number in range(3):
        far.sendall(b"%d\n" % number)
    for thread in readers:
        thread.join()
assert lines == [b"0\n", b"1\n", b"2\n"], lines

with near.makefile("w") as sink:
    writers = [threading.Thread(target=sink.write, args=(letter * 1_000_000,)) for letter in "ab"]
    for thread in writers:
        thread.start()
    greening.sleep(0)
    got = far.recv(2_000_000, socket.MSG_WAITALL)
    for thread in writers:
        thread.join()
assert len(got) == 2_000_000, len(got)
near.close()
far.close()

# An HTTP response that is closed while another thread reads it.
more = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"one\n")
        more.wait()
        self.wfile.write(b"two\n")

    def log_message(self, *args: object) -> None:
        pass


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever).start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/") as response:
        assert response.readline() == b"one\n"
        reader = threading.Thread(target=lambda: lines.append(response.readline()))
        reader.start()
        greening.sleep(0)
        greening.spawn_after(0.01, more.set)
    reader.join()
    server.shutdown()
assert lines[3:] == [b"two\n"], lines
