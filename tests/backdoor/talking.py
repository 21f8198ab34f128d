"""A client of a prompt. Not a file of tests."""

import socket
from typing import Any

from greening.net.convenience import connect
from greening.timeout import Timeout

FIRST = b">>> "
TOKEN = "open sesame"


class Client:
    """A connection to a prompt. All that it waits for comes within seconds."""

    def __init__(self, address: Any, family: int = socket.AF_INET) -> None:
        self.sock = connect(address, family)
        self._bytes = b""

    def say(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\n")

    def until(self, mark: bytes = FIRST) -> str:
        """What came, without the mark that ends it."""
        with Timeout(20):
            while mark not in self._bytes:
                came = self.sock.recv(65536)
                assert came, self._bytes
                self._bytes += came
        before, _, self._bytes = self._bytes.partition(mark)
        return before.decode()

    def enter(self) -> str:
        """Give the token, and read up to the first prompt."""
        self.until(b"token: ")
        self.say(TOKEN)
        return self.until()

    def ask(self, text: str) -> str:
        """A command's answer. The prompt must be there."""
        self.say(text)
        return self.until()

    def rest(self) -> str:
        with Timeout(20):
            while came := self.sock.recv(65536):
                self._bytes += came
        return self._bytes.decode()
