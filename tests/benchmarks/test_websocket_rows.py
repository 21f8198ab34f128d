"""`scripts/bench --rows websocket`: the load generator begins with a handshake, and real servers are measured by it."""

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PATIENCE = 20  # seconds
ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"

pytestmark = pytest.mark.slow  # a C compiler runs

COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="the load generator is a C program")


@pytest.fixture(scope="module")
def bench() -> Iterator[Callable[[str], Any]]:
    """Imports a module of scripts/benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        yield lambda name: import_module(f"benchmarks.{name}")


@pytest.fixture(scope="module")
def machine(bench: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """This machine, with the interpreter of the tests for the measured process; it keeps its programs elsewhere."""
    environment = bench("environment")
    core = min(environment.os.sched_getaffinity(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "HOME", tmp_path_factory.mktemp("bench"))
        yield environment.Machine(Path(sys.executable), core, core, COMPILER)


def test_a_frame_is_one_text_message(bench: Callable[[str], Any]) -> None:
    frame, mask = bench("families.websocket").frame, bench("families.websocket").MASK
    for kind, data in ((ConnectionType.SERVER, frame(b"hello", mask)), (ConnectionType.CLIENT, frame(b"hello"))):
        connection = Connection(kind)
        connection.receive_data(data)
        assert list(connection.events()) == [TextMessage(data="hello")]


def test_what_is_sent_can_be_an_argument(bench: Callable[[str], Any]) -> None:
    family = bench("families.websocket")
    text = bench("inside.job").pattern(family.SIZE)
    assert b"\0" not in family.frame(text, family.MASK) + family.frame(text)


class Served:
    """A server of one connection that answers each of the given requests with what stands beside it, then `last`."""

    def __init__(self, first: bytes, last: bytes) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked: list[bytes] = []
        self._answers = (first, last)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        self.listener.settimeout(PATIENCE)
        client, _ = self.listener.accept()
        first, last = self._answers
        with client:
            client.settimeout(PATIENCE)
            try:
                while asked := client.recv(4096):
                    client.sendall(last if self.asked else first)
                    self.asked.append(asked)
            except ConnectionError:
                pass  # the load generator has seen enough

    def close(self) -> None:
        self._thread.join(PATIENCE)
        self.listener.close()
        assert not self._thread.is_alive()


def load(machine: Any, bench: Callable[[str], Any], server: Served, commands: str) -> tuple[int, str, str]:
    """One connection that begins with "open" and then asks "ask" for "answer"; its status, output and last words."""
    exchange = bench("families.servers").Exchange(3, 6, b"ask", b"answer", b"open", len(ACCEPTED))
    command = [str(machine.program("load")), str(server.port), "1", *exchange.arguments()]
    try:
        done = subprocess.run(command, input=commands, capture_output=True, text=True, timeout=PATIENCE, check=False)
    finally:
        server.close()
    return done.returncode, done.stdout, done.stderr


@needs_compiler
def test_the_load_opens_once_and_asks_again_and_again(machine: Any, bench: Callable[[str], Any]) -> None:
    server = Served(ACCEPTED, b"answer")
    status, out, errors = load(machine, bench, server, "run 0.01\n")
    assert (status, errors) == (0, "")
    assert out.startswith('{"ready": 1}\n{"requests": ')
    assert server.asked[:3] == [b"open", b"ask", b"ask"]
    assert b"open" not in server.asked[1:]


@needs_compiler
@pytest.mark.parametrize(
    ("first", "last"),
    [(ACCEPTED.replace(b"101", b"400"), b"answer"), (ACCEPTED, b"answeR"), (ACCEPTED + b"!", b"answer")],
    ids=["the handshake is refused", "another message comes", "more than the handshake's answer comes"],
)
def test_the_load_ends_when_an_answer_is_wrong(
    machine: Any, bench: Callable[[str], Any], first: bytes, last: bytes
) -> None:
    status, out, errors = load(machine, bench, Served(first, last), "")
    assert (status, out, errors) == (1, "", "a wrong answer\n")


@needs_compiler
@pytest.mark.parametrize("name", ["ws-echo-100", "ws-idle-10000", "ws-idle-threads-2000"])
def test_a_row_is_measured(machine: Any, bench: Callable[[str], Any], name: str) -> None:
    rows, peers = bench("rows"), bench("peers")
    [row] = [row for row in rows.ROWS if row.name == name]
    [peer] = [peer for peer in peers.PEERS if peer.name == peers.BASE]
    small = bench("rows").Row(row.name, row.title, row.family, row.unit, {**row.options, "connections": 20})
    sampler = bench("families.table").FAMILIES[row.family](machine, small, peer, 0.01)
    try:
        sample = sampler.sample()
    finally:
        sampler.close()
    if row.options.get("idle"):
        assert sample.extra["accept_us"] > 0
    else:
        assert sample.value > 0
