"""Which user a TCP client on this machine is.

Facts: /proc/net/tcp and /proc/net/tcp6 have a line for each TCP socket of the network namespace: its own address, its
peer's, its state, the user id of the process that made it, and its inode (proc_pid_net(5)). A socket that no process
has any more has the inode 0, and the user id 0, which is nobody's here. A connection on loopback has two lines, one
for each end.
"""

import struct
from _socket import AF_INET, AF_INET6, inet_pton
from typing import Any

_TABLES = {AF_INET: "/proc/thread-self/net/tcp", AF_INET6: "/proc/thread-self/net/tcp6"}
_MAPPED = b"\0" * 10 + b"\xff\xff"  # RFC 4291 2.5.5.2: an IPv4 address as one of IPv6 begins so
_OWN, _PEER, _USER, _INODE = 1, 2, 7, 9  # columns


def tcp_user_of(connection: Any) -> int | None:
    """Return the user id of the process at the other end of a TCP connection, as the kernel knows it.

    Args:
        connection: connected, of AF_INET or AF_INET6.
    Returns:
        None: no process of this machine (and of this network namespace) has that end, or has it any more.
    Raises:
        OSError: the connection is gone, or /proc is not there.
    Thread-safety: yes. It reads a table that grows with the connections of the machine: call it once for each client.
    Source: proc_pid_net(5).
    """
    theirs, ours = connection.getpeername(), connection.getsockname()
    for family, path in _TABLES.items():
        own, peer = _in_table(family, theirs), _in_table(family, ours)
        if own is None or peer is None:
            continue
        with open(path, encoding="ascii") as table:
            for line in table:
                columns = line.split()
                if columns[_OWN] == own and columns[_PEER] == peer and columns[_INODE] != "0":
                    return int(columns[_USER])
    return None


def _in_table(family: int, address: tuple[Any, ...]) -> str | None:
    """Host and port as a table of this family has them: 32-bit words of the machine's byte order, in hexadecimal."""
    host, port = address[0].partition("%")[0], address[1]
    packed = inet_pton(AF_INET6, host) if ":" in host else inet_pton(AF_INET, host)
    if family == AF_INET:
        packed = packed.removeprefix(_MAPPED)
        if len(packed) != 4:
            return None
    elif len(packed) == 4:
        packed = _MAPPED + packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"
