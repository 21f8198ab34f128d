"""The client: `python -m greening.backdoor ADDRESS`.

A token that the server asks for is taken from the environment (GREENING_BACKDOOR_TOKEN), or else from the file
~/.greening_backdoor_token, which only its owner may read or write. If there is neither, it is asked for on the
terminal, without being shown; or it is the first line of the input that is piped in.
"""

import os
import socket
import stat
import sys
from codecs import getincrementaldecoder
from getpass import getpass
from importlib import import_module
from select import select
from typing import Any

from greening.backdoor.entrance import INTERRUPT, TOKEN
from greening.backdoor.prompt import FIRST, NEXT

_VARIABLE = "GREENING_BACKDOOR_TOKEN"
_FILE = "~/.greening_backdoor_token"


def talk(address: str) -> None:
    """Talk to a prompt from this terminal until either side ends it. `python -m greening.backdoor ADDRESS`.

    Args:
        address: HOST:PORT, or the path of a Unix socket.
    Raises:
        OSError: there is no connection, or it broke. ValueError: the port is no number.
        PermissionError: others may read the file with the token.
    """
    host, colon, port = address.rpartition(":")
    if colon and "/" not in address:
        connection = socket.create_connection((host.strip("[]"), int(port)))
    else:
        connection = socket.socket(socket.AF_UNIX)
    with connection:
        if connection.family == socket.AF_UNIX:
            connection.connect(address)
        _Terminal(connection).run()


class _Terminal:
    """Shows what comes, and asks for a line when a prompt has come."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        # A command at the other end may read input. Then there is no prompt, and lines are sent as they are typed.
        # Only a terminal is watched for them: from anything else, `input` may have read ahead.
        self._sources = [connection, sys.stdin] if sys.stdin.isatty() else [connection]

    def run(self) -> None:
        prompt = self._until_prompt(TOKEN)
        if prompt == TOKEN:
            self._send((known_token() or _typed_token()) + "\n")
            prompt = self._until_prompt()
        self._talk(prompt)

    def _talk(self, prompt: str) -> None:
        while prompt:
            try:
                self._send(input(prompt) + "\n")
            except EOFError:
                self._connection.shutdown(socket.SHUT_WR)
                while self._until_prompt():
                    pass
                return
            except KeyboardInterrupt:
                self._connection.sendall(INTERRUPT + b"\n")
            prompt = self._until_prompt()

    def _send(self, text: str) -> None:
        self._connection.sendall(text.encode(errors="replace"))

    def _until_prompt(self, *others: str) -> str:
        """The prompt that has come, of the usual ones and `others`. Empty: the connection has ended."""
        prompts = (FIRST, NEXT, *others)
        while True:
            ready = select(self._sources, [], [])[0]
            if self._connection not in ready:
                self._send(sys.stdin.readline())
                continue
            data = self._connection.recv(65536)
            text = self._decode(data)
            prompt = next(filter(text.endswith, prompts), "") if data else ""
            sys.stdout.write(text.removesuffix(prompt))
            sys.stdout.flush()
            if prompt or not data:
                return prompt


def known_token() -> str:
    """Return the token of the environment or of the file; "": there is neither.

    Raises:
        PermissionError: others than its owner may read the file. OSError: it cannot be read.
    """
    if token := os.environ.get(_VARIABLE, ""):
        return token
    path = os.path.expanduser(_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise PermissionError(f"{path} may be read by others: chmod 600 {path}")
            return file.read().strip()
    except FileNotFoundError:
        return ""


def _typed_token() -> str:
    return getpass(TOKEN) if sys.stdin.isatty() else sys.stdin.readline().strip()


_USAGE = "usage: python -m greening.backdoor HOST:PORT | PATH"
_HELP = f"""\
{_USAGE}

A Python prompt inside a running process that calls greening.backdoor.backdoor_server().

  HOST:PORT  of the process; only loopback, unless it was started with another
  PATH       of its Unix socket; a path that begins with - as ./-path
  -h, --help print this

A token that the process asks for is in its log. It is taken from {_VARIABLE}, from the file
{_FILE} (mode 600), or typed. exit() and Ctrl-D end the connection, and not the process.
"""


def main() -> None:
    """Exits with a message when something is wrong. The history is ~/.greening_history."""
    try:
        _main()
    except (OSError, ValueError) as error:
        sys.exit(f"{sys.argv[-1]}: {error}")


def _main() -> None:
    if sys.argv[1:] in (["-h"], ["--help"]):
        sys.stdout.write(_HELP)
        return
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(f"{_USAGE}\nTry `python -m greening.backdoor --help`.")
    if not sys.stdin.isatty():
        talk(sys.argv[1])
        return
    readline: Any = import_module("readline")  # only here: it is not for a server's process
    history = os.path.expanduser("~/.greening_history")
    try:
        readline.read_history_file(history)
    except OSError:
        pass  # the first time
    try:
        talk(sys.argv[1])
    except KeyboardInterrupt:
        pass
    finally:
        readline.write_history_file(history)
