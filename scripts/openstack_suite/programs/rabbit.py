"""A RabbitMQ broker of its own, on free ports, in a folder of its own; from Debian's package rabbitmq-server.

Facts: `rabbitmq-server` of /usr/sbin changes to the system's user and its folders; the script below /usr/lib does not.
Erlang's name server, epmd, would stay behind as a daemon; started before, in the foreground, it ends with the rest.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checks import free_port

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
SECONDS = 90


class Broker:
    """A broker that can be stopped and started again; what is durable stays.

    Args:
        folder: for its data, logs and cookie.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"rabbit://guest:guest@127.0.0.1:{self.port}/"
        names = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(names),
            "RABBITMQ_NODENAME": f"broker{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        self.log = folder / "broker.log"
        self.epmd = subprocess.Popen(["epmd", "-port", str(names)], stdin=subprocess.DEVNULL)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it speaks AMQP."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [SERVER], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"no broker on port {self.port}:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """True if it answers the first bytes of a connection."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as client:
                client.sendall(b"AMQP\x00\x00\x09\x01")
                return client.recv(1) == b"\x01"
        except OSError:
            return False

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(SECONDS)
            self.process = None


@contextmanager
def broker() -> Iterator[Broker]:
    """A broker that runs during a `with` block.

    Raises:
        FileNotFoundError: this machine has no RabbitMQ.
    """
    if not Path(SERVER).exists():
        raise FileNotFoundError(f"there is no {SERVER}; on Debian and Ubuntu: apt install rabbitmq-server")
    folder = Path(tempfile.mkdtemp(prefix="broker-"))
    made = Broker(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        made.epmd.terminate()
        made.epmd.wait()
        shutil.rmtree(folder, ignore_errors=True)
