"""A program on a pseudo-terminal, and what it says there. Not a file of tests."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


# The leader of a session that opens a terminal has it as its own: Ctrl-C is a signal there.
_READY = "ready"
_ON_TERMINAL = f'exec <"$0" >"$0" 2>&1; echo {_READY}; exec "$@"'


class Terminal:
    """Runs `python ARGUMENT ...` on a terminal of its own. Its clock is generous, and only ends what hangs."""

    def __init__(self, arguments: Sequence[str], env: dict[str, str], seconds: float = 30) -> None:
        self.said = ""
        self._mark = 0
        self._deadline = time.monotonic() + seconds
        self._fd, slave = os.openpty()
        command = ["/bin/sh", "-c", _ON_TERMINAL, os.ttyname(slave), sys.executable, *arguments]
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "PYTHONPATH": str(ROOT), **env}
        self._process = subprocess.Popen(command, env=environment, start_new_session=True)
        self.expect(_READY)
        os.close(slave)

    def expect(self, text: str) -> None:
        """Wait until it has said `text`, after what was expected before. Raises AssertionError."""
        while (found := self.said.find(text, self._mark)) < 0:
            assert self._read(), f"expected {text!r} in {self.said[self._mark :]!r}"
        self._mark = found + len(text)

    def type(self, keys: str) -> None:
        """Type on its keyboard."""
        os.write(self._fd, keys.encode())

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()

    def exit_status(self) -> int:
        """Wait for its end."""
        while self._read():
            pass
        os.close(self._fd)
        return self._process.wait()

    def _read(self) -> bool:
        """False: it has ended."""
        if not select.select([self._fd], [], [], max(0, self._deadline - time.monotonic()))[0]:
            self.kill()
            raise AssertionError(f"it hangs; it said {self.said!r}")
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # EIO: its side is closed
            data = b""
        self.said += data.decode(errors="replace")
        return bool(data)
