"""eventlet's own examples, unchanged: servers that are talked to, and crawlers that find no network."""

import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen

from checks import CHECKS, check, free_port, run, running, wait_for_port

EXAMPLES = Path("examples")
SECONDS = 20


def moved(name: str, port: int) -> str:
    """A copy of a server of the examples that listens on another port, since its own may be in use."""
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    source = re.sub(r"(listen\(\(\s*'[^']*',\s*|PORT = )\d+", rf"\g<1>{port}", source)
    folder = Path(tempfile.mkdtemp(prefix="example-"))
    (folder / name).write_text(source, encoding="utf-8")
    for page in EXAMPLES.glob("*.html"):
        (folder / page.name).write_bytes(page.read_bytes())
    return str(folder / name)


@check
def echoserver() -> None:
    port = free_port()
    with running(moved("echoserver.py", port)) as server:
        wait_for_port(port, server)
        with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
            client.sendall(b"hello\n")
            assert client.recv(100) == b"hello\n"


@check
def chat_server() -> None:
    port = free_port()
    with running(moved("chat_server.py", port)) as server:
        wait_for_port(port, server)
        with (
            socket.create_connection(("127.0.0.1", port), SECONDS) as first,
            socket.create_connection(("127.0.0.1", port), SECONDS) as second,
        ):
            # The server takes them in order; what comes back shows that it has taken both.
            second.sendall(b"hello\n")
            assert first.recv(100) == b"hello\n"


@check
def wsgi() -> None:
    port = free_port()
    with running(moved("wsgi.py", port)) as server:
        wait_for_port(port, server)
        with urlopen(f"http://127.0.0.1:{port}/", timeout=SECONDS) as response:
            assert response.read() == b"Hello, World!\r\n"


def websocket_answer(name: str, path: str, answer: str) -> None:
    """A server of WebSockets that is sent "hello"; its first message begins with `answer`."""
    import websocket

    port = free_port()
    with running(moved(name, port)) as server:
        wait_for_port(port, server)
        client = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=SECONDS)
        client.send("hello")
        assert client.recv().startswith(answer)
        client.close()


CHECKS["websocket"] = lambda: websocket_answer("websocket.py", "/data", "0 0 0.")
CHECKS["websocket_chat"] = lambda: websocket_answer("websocket_chat.py", "/chat", "hello")


def ends_as(name: str, status: int, text: str) -> None:
    """A program that ends by itself; names of other machines are not found here."""
    done = subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, text in done.stdout + done.stderr) == (status, True), done


CHECKS["producer_consumer"] = lambda: ends_as("producer_consumer.py", 0, "I saw these urls:\nhttp://eventlet.net")
CHECKS["recursive_crawler"] = lambda: ends_as("recursive_crawler.py", 1, "URLError")
CHECKS["webcrawler"] = lambda: ends_as("webcrawler.py", 1, "opening https://www.google.com")
CHECKS["connect"] = lambda: ends_as("connect.py", 1, "gaierror")


if __name__ == "__main__":
    run()
