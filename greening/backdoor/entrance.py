"""Which clients get a prompt, and which lines are commands.

Facts: TCP on loopback is reached by every user of the machine, and by every page that a browser shows: a page makes it
send HTTP, or TLS, with bytes of the page's choice. Abstract Unix sockets have no permissions, and containers that share
the network share them.
Decisions: on a Unix socket the kernel says which user the client is (SO_PEERCRED): root and the user of this process
are let in. Anything but a Unix socket in the file system asks for a token, and nothing runs before it has come; or, if
the program says so, the kernel is asked about clients of TCP as well, which have to be on this machine then. Of many
clients that have not given it the oldest goes first, so that they leave room for one that does. What no terminal sends,
in any line, ends the connection.
"""

import hmac
import logging
import os
import re
import struct
from _socket import AF_UNIX, SO_PEERCRED, SOL_SOCKET
from secrets import token_urlsafe
from typing import Any

from greening.backdoor.tcp_user import tcp_user_of
from greening.net.places import cut
from greening.timeout import Timeout

TOKEN = "token: "  # the prompt for it
INTERRUPT = b"\xff\xf4"  # telnet's Ctrl-C: IAC IP (RFC 854)
LONGEST = 8192  # bytes of a line; a terminal gives no more than 4,095 at once (termios(3))
_SECONDS = 30  # for a token to be typed
_UNKNOWN = 64  # clients that have not given a token, at once

_TELNET = re.compile(rb"\xff(?:[\xfb-\xfe].|[\xf0-\xf9])", re.DOTALL)  # negotiations and commands
_REQUEST = re.compile(rb"\s*[A-Za-z-]+ +\S+ +(?:HTTP|RTSP|SIP)/\d")
# Tab, line feed, form feed, carriage return and escape, which keys send, are none.
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_END = "\x04"  # Ctrl-D, from clients that send it

_log = logging.getLogger("greening.backdoor")


class CutOff(ConnectionAbortedError):
    """The connection ends, because of what the client is or has sent."""


class Entrance:
    """Lets a client in, or not.

    Args:
        sock: the listening socket, or a connection.
        token: what a client has to know. None: a Unix socket in the file system asks for nothing; for anything else, a
            random one is made, and logged as a warning, so that it is shown where logging is not set up.
        same_user: no token is made, and a client of TCP has to be a process of this user, or of root, on this machine.
    Raises:
        ValueError: the token is empty, or no line.
    """

    def __init__(self, sock: Any, token: str | None, same_user: bool = False) -> None:
        if token is not None and (not token.strip() or not token.isprintable()):
            raise ValueError("a token is a line of printable characters, and not blank")
        if token is None and not same_user and not in_file_system(sock):
            token = token_urlsafe(16)
            _log.warning("backdoor on %s: token %s", sock.getsockname(), token)
        self._token = token
        self._same_user = same_user
        self._unknown: dict[Any, None] = {}  # connections without a token yet, in the order in which they came

    def admit(self, connection: Any, lines: Any) -> None:
        """Return if the client may run commands.

        Args:
            connection: the client's.
            lines: a binary file that reads it.
        Raises:
            CutOff: it may not. OSError: it has gone.
        """
        if connection.family == AF_UNIX:
            _check_user(user_of(connection))
        elif self._same_user:
            _check_user(tcp_user_of(connection))
        if self._token is None:
            return
        line = self._ask(connection, lines)
        if not hmac.compare_digest(_TELNET.sub(b"", line).strip(), self._token.strip().encode()):
            connection.sendall(b"wrong token\n")
            raise CutOff("the token is wrong")

    def _ask(self, connection: Any, lines: Any) -> bytes:
        """What the client gives as its token."""
        while len(self._unknown) >= _UNKNOWN:
            oldest = next(iter(self._unknown))
            del self._unknown[oldest]
            cut(oldest)  # its green thread wakes up
        self._unknown[connection] = None
        try:
            connection.sendall(TOKEN.encode())
            with Timeout(_SECONDS, CutOff("no token came")):
                line: bytes = lines.readline(LONGEST)
            if connection not in self._unknown:
                raise CutOff("others came before its token")
            return line
        finally:
            self._unknown.pop(connection, None)


def _check_user(user: int | None) -> None:
    if user is None:
        raise CutOff("it is no process of this machine")
    if user not in (0, os.geteuid()):
        raise CutOff(f"user {user} is neither root nor the user of this process")


def in_file_system(sock: Any) -> bool:
    """Whether a socket is a Unix socket that is not abstract."""
    if sock.family != AF_UNIX:
        return False
    name = sock.getsockname()
    return not os.fsencode(name).startswith(b"\0")


def user_of(connection: Any) -> int:
    """Return the user id of the process that connected a Unix socket. Source: unix(7), SO_PEERCRED."""
    credentials = connection.getsockopt(SOL_SOCKET, SO_PEERCRED, struct.calcsize("3i"))
    user: int = struct.unpack("3i", credentials)[1]
    return user


def text_of(line: bytes) -> str:
    """Return a line as text, with "\\n" as its end; "": the end of input.

    Raises:
        KeyboardInterrupt: telnet's Ctrl-C is in it. CutOff: it is nothing that a user types.
    """
    typed = _TELNET.sub(b"", line)
    if len(line) > LONGEST:
        raise CutOff(f"a line of more than {LONGEST} bytes")
    if _REQUEST.match(typed):
        raise CutOff("an HTTP request, or one of its kin")
    try:
        text = typed.decode()
    except UnicodeDecodeError:
        raise CutOff("a line that is no UTF-8") from None
    if _CONTROL.search(text.removeprefix(_END)):
        raise CutOff("a line with control characters")
    if INTERRUPT in line:
        raise KeyboardInterrupt
    return "" if text.startswith(_END) else text.replace("\r\n", "\n")
