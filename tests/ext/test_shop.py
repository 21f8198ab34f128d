"""scripts/examples/shop.py as it is meant to run: two workers, a database, another service, and a look inside."""

import http.client
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.wsgi.processes import ROOT, Command

pytest.importorskip("sqlalchemy")
pytest.importorskip("flask")
pytestmark = pytest.mark.slow  # real processes

EXAMPLES = ROOT / "scripts" / "examples"
SECONDS = 30  # for anything that hangs
CLIENTS = 10


class Prices:
    """A service that answers once all clients have asked, or when it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.open = threading.Event()
        prices = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                prices.asked.release()
                prices.open.wait(SECONDS)
                body = json.dumps({"price": len(self.path)}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(socketserver.ThreadingTCPServer):
            request_queue_size = 64
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.open.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def prices() -> Iterator[Prices]:
    service = Prices()
    yield service
    service.close()


@pytest.fixture
def environment(tmp_path: Path, prices: Prices) -> dict[str, str]:
    return {
        "SHOP_DATABASE": f"sqlite:///{tmp_path / 'shop.db'}",
        "SHOP_PRICES": f"http://127.0.0.1:{prices.server.server_address[1]}",
        "GREENING_INSPECT": "1",
        "XDG_RUNTIME_DIR": str(tmp_path),
    }


@pytest.fixture
def shop(environment: dict[str, str]) -> Iterator[Command]:
    command = Command(EXAMPLES, "--bind", "127.0.0.1:0", "--workers", "2", "shop:app", env=environment)
    yield command.listening()
    command.close()


def asked(shop: Command, method: str, path: str) -> tuple[int, dict[str, object]]:
    host, port = shop.address
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def workers_of(shop: Command) -> list[int]:
    children = Path(f"/proc/{shop.process.pid}/task/{shop.process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def test_orders_wait_for_the_slow_service_side_by_side_and_dump_says_so(
    shop: Command, prices: Prices, environment: dict[str, str]
) -> None:
    answers: list[tuple[int, dict[str, object]]] = []
    clients = [
        threading.Thread(target=lambda: answers.append(asked(shop, "POST", "/orders/tea"))) for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for _ in clients:  # all at once, though there are two workers
        assert prices.asked.acquire(timeout=SECONDS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    stacks = ""
    for pid in workers_of(shop):
        command = [sys.executable, "-m", "greening", "dump", str(pid)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
        stacks += done.stdout
    assert " in order\n    answer = requests.get(" in stacks
    waiting = rf"waits for descriptor \d+ \(socket \S+ to {re.escape(environment['SHOP_PRICES'][7:])}\) to be readable"
    assert re.search(waiting, stacks)
    prices.open.set()
    for client in clients:
        client.join()
    assert [status for status, _ in answers] == [201] * CLIENTS
    assert sorted(str(content["number"]) for _, content in answers) == sorted(map(str, range(1, CLIENTS + 1)))
    assert asked(shop, "GET", "/orders") == (200, {"articles": ["tea"] * CLIENTS, "total": 4.0 * CLIENTS})


def test_top_counts_what_waits_for_the_slow_service(shop: Command, prices: Prices, environment: dict[str, str]) -> None:
    pytest.importorskip("rich", reason="the extra `top` is not installed")
    clients = [threading.Thread(target=asked, args=(shop, "POST", "/orders/tea")) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in clients:
        assert prices.asked.acquire(timeout=SECONDS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **environment}
    waiting, screens = 0, ""
    for pid in workers_of(shop):
        command = [sys.executable, "-m", "greening", "top", str(pid), "--once", "--seconds", "0.1"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
        screens += done.stdout + done.stderr
        found = re.search(r"^ *(\d+) .*shop\.py:\d+ in order +descriptor", done.stdout, re.M)
        waiting += int(found[1]) if found else 0
    prices.open.set()
    for client in clients:
        client.join()
    assert waiting == CLIENTS, screens
