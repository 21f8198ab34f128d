"""eventlet's own sixteen examples, unchanged, on the ports and with the names of hosts that are written in them.

Servers are talked to, crawlers crawl a small internet of their own. Some examples have not worked since Python 3 or
since a release of pyzmq: these end with the same error on both sides.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import websocket
from checks import CHECKS, check, run, running
from internet import alone, internet

EXAMPLES = Path("examples")
SECONDS = 20


@contextmanager
def server(name: str, port: int, *arguments: str) -> Iterator[None]:
    """An example that is a server on this port, during a `with` block."""
    with running(str(EXAMPLES / name), *arguments) as process:
        until_it_listens(port, process)
        yield
        assert process.poll() is None, f"it ended with {process.returncode}"


def until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait, and do not connect: one of the examples goes round and round when a client has left, and serves nobody."""
    deadline = time.monotonic() + SECONDS
    while not any(f":{port:04X} 00000000:0000 0A" in table.read_text() for table in Path("/proc/net").glob("tcp")):
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < deadline, f"it does not listen on port {port}"
        time.sleep(0.05)


def connected(port: int) -> socket.socket:
    """A connection to a server."""
    return socket.create_connection(("127.0.0.1", port), SECONDS)


def ends(name: str, *arguments: str) -> tuple[int, str]:
    """The exit status and the output of an example that ends by itself."""
    command = [sys.executable, "-W", "ignore", str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def ends_with_an_error(name: str, text: str, *arguments: str) -> None:
    """An example that does not work any more, with eventlet neither."""
    status, output = ends(name, *arguments)
    assert (status, text in output) == (1, True), (status, output)


@check
def echoserver() -> None:
    with server("echoserver.py", 6000), connected(6000) as first, connected(6000) as second:
        for client in (second, first):
            client.sendall(b"hello\n")
            assert client.recv(100) == b"hello\n"


@check
def chat_server() -> None:
    with server("chat_server.py", 3001), connected(3001) as first, connected(3001) as second:
        # The server takes them in order; what comes back shows that it has taken both.
        second.sendall(b"hello\n")
        assert first.recv(100) == b"hello\n"


@check
def wsgi() -> None:
    with server("wsgi.py", 8090), urlopen("http://127.0.0.1:8090/", timeout=SECONDS) as response:
        assert response.read() == b"Hello, World!\r\n"


@check
def forwarder() -> None:
    with server("forwarder.py", 7000), connected(7000) as client:
        for word in (b"one", b"two"):
            client.sendall(word)
            assert client.recv(100) == word


@check
def feedscraper() -> None:
    feeds = b"".join(
        b"<rss version='2.0'><channel><title>%s</title></channel></rss>\n" % title for title in (b"one", b"two")
    )
    with server("feedscraper.py", 9010), connected(9010) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(feeds), feeds))
        client.shutdown(socket.SHUT_WR)  # its `readlines` goes on to the end of the connection, on eventlet
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\none\ntwo")


def talk(name: str, path: str, begin: str) -> None:
    """Send "hello" to an example that speaks WebSocket, and look at how its first message begins, and at its page."""
    with server(name, 7000):
        with urlopen("http://127.0.0.1:7000/", timeout=SECONDS) as page:
            assert b"<html" in page.read()
        client = websocket.create_connection(f"ws://127.0.0.1:7000{path}", timeout=SECONDS)
        client.send("hello")
        assert client.recv().startswith(begin)
        client.close()


CHECKS["websocket"] = lambda: talk("websocket.py", "/data", "0 0 0.")
CHECKS["websocket_chat"] = lambda: talk("websocket_chat.py", "/chat", "hello")


@check
def connect() -> None:
    status, output = ends("connect.py")
    assert status == 0, output
    for name in ("www.google.com", "www.yandex.ru", "www.python.org"):
        assert f"{name} connected" in output
        assert f"{name}: b" in output


@check
def webcrawler() -> None:
    status, output = ends("webcrawler.py")
    assert (status, output.count("of length 6"), output.count("done with")) == (0, 3, 3), output
    assert output.index("done with") > output.rindex("opening"), "they ran one after another"


def crawls(name: str) -> None:
    """It finds the three pages that the first one leads to."""
    status, output = ends(name)
    assert status == 0, output
    found = set(output.partition("I saw these urls:\n")[2].split()) - {"http://eventlet.net"}
    assert found == {f"http://eventlet.net/{page}" for page in ("doc/", "more/", "last/")}, output


CHECKS["producer_consumer"] = lambda: crawls("producer_consumer.py")
CHECKS["recursive_crawler"] = lambda: crawls("recursive_crawler.py")

# Broken since Python 3, where text is no bytes, or since eventlet has dropped its hub for ZeroMQ.
IN, OUT = "tcp://127.0.0.1:12345", "tcp://127.0.0.1:12346"
BROKEN = {
    "feedscraper-testclient": ("POST data should be bytes",),
    "zmq_simple": ("unicode not allowed, use send_string",),
    "zmq_chat": ("hubs.zeromq'",),
    "chat_bridge": ("unicode not allowed, use setsockopt_string", IN, OUT),
    "distributed_websocket_chat": ("hubs.zeromq'", "-p", IN, "-s", OUT, "7000"),
}
for broken, (error, *options) in BROKEN.items():
    CHECKS[broken] = lambda name=broken, text=error, words=options: ends_with_an_error(f"{name}.py", text, *words)

if __name__ == "__main__":
    alone()
    assert {path.stem for path in EXAMPLES.glob("*.py")} == CHECKS.keys()
    with internet():
        run()
