"""socket: every blocking method of `socket.socket`, and the look-up functions.

What blocks here: reads, writes, `accept`, `connect` (socket(7)), and the resolver (getaddrinfo(3), getnameinfo(3)).
What we replace: those methods, on the class itself, so that its identity, its subclasses and the sockets that exist
already stay what they are; the look-ups, which go to native threads; the default timeout, which the C level must not
know.
What we replace for the files of `makefile`: the Buffered classes in the `io` that this module sees, so that several
green threads may use one file.
What stays: everything made of these (`create_connection`, `create_server`, `socketpair`, `makefile`, `getfqdn`,
`send_fds` ...), all options and the blocking mode of descriptors.
"""

import socket as _socket
from types import ModuleType

from greening.fdio.buffers import io_with_turns
from greening.net import dns
from greening.net import socket as net
from greening.patcher.spec import Patch, Undo

_REPLACES = {
    "getaddrinfo": dns.getaddrinfo,
    "gethostbyaddr": dns.gethostbyaddr,
    "gethostbyname": dns.gethostbyname,
    "gethostbyname_ex": dns.gethostbyname_ex,
    "getnameinfo": dns.getnameinfo,
    "setdefaulttimeout": net.setdefaulttimeout,
    "getdefaulttimeout": net.getdefaulttimeout,
}


def _take_over(undo: Undo) -> None:
    net.take_over()
    undo.add(net.give_back)


def _bind(module: ModuleType) -> Patch:
    return PATCH._replace(
        replaces={**_REPLACES, "io": io_with_turns()},
        methods={"socket": net.methods(module.socket)},
        after=_take_over if module is _socket else None,
        bind=None,
    )


PATCH = Patch(target="socket", flag="socket", replaces=_REPLACES, bind=_bind)
