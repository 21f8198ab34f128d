"""A small client of the Debug Adapter Protocol: what an editor does with debugpy.

Source: https://microsoft.github.io/debug-adapter-protocol/specification
"""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Message = dict[str, Any]


class Editor:
    """Attached to a debugged program.

    Attributes:
        stops: (function, line, value of `n`), in their order.
        threads: the debugger's numbers of the threads that stopped.
    """

    def __init__(self, port: int, timeout: float) -> None:
        self.stops: list[tuple[str, int, str]] = []
        self.threads: set[int] = set()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._file = self._socket.makefile("rb")
        self._kept: list[Message] = []
        self._sent = 0

    def ask(self, command: str, **arguments: Any) -> Message:
        """Send a request; its answer's body."""
        sequence = self.send(command, **arguments)
        answer = self._next(lambda message: message.get("request_seq") == sequence)
        assert answer["success"], answer
        body: Message = answer.get("body", {})
        return body

    def send(self, command: str, **arguments: Any) -> int:
        self._sent += 1
        request = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        text = json.dumps(request).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
        return self._sent

    def event(self, *names: str) -> Message:
        """The next of these events, which may have come already."""
        return self._next(lambda message: message.get("event") in names)

    def _next(self, wanted: Callable[[Message], bool]) -> Message:
        for message in self._kept:
            if wanted(message):
                self._kept.remove(message)
                return message
        while not wanted(message := self._read()):
            self._kept.append(message)
        return message

    def _read(self) -> Message:
        length = 0
        while line := self._file.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        if not length:
            raise EOFError("the debugger has gone")
        message: Message = json.loads(self._file.read(length))
        return message

    def run_through(self, path: str, line: int) -> None:
        """Set a breakpoint, have the program run, note each stop and continue, until it ends."""
        self.ask("initialize", adapterID="test", clientID="test")
        self.send("attach", justMyCode=True)
        self.event("initialized")
        self.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": line}])
        self.ask("configurationDone")
        while (event := self.event("stopped", "terminated", "exited"))["event"] == "stopped":
            thread = event["body"]["threadId"]
            frame = self.ask("stackTrace", threadId=thread)["stackFrames"][0]
            scope = self.ask("scopes", frameId=frame["id"])["scopes"][0]
            variables = self.ask("variables", variablesReference=scope["variablesReference"])["variables"]
            value = next(each["value"] for each in variables if each["name"] == "n")
            self.threads.add(thread)
            self.stops.append((frame["name"], frame["line"], value))
            self.ask("continue", threadId=thread)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextmanager
def attached(port: int, process: subprocess.Popen[bytes], timeout: float = 30) -> Iterator[Editor]:
    """An editor, attached to a debugger in `process` that is about to listen."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            editor = Editor(port, timeout)
            break
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)  # another process: nothing tells us
    try:
        yield editor
    finally:
        editor.close()
