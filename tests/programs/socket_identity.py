"""Patched sockets are what they were (the same classes, instances, sub-classes, reprs and names), and cooperative."""

import _socket
import socket
from socket import create_connection as early_create_connection
from socket import getaddrinfo as early_getaddrinfo
from socket import socket as early_socket


class Early(socket.socket):
    """A sub-class from before."""

    def recv(self, *args):
        return b"early " + super().recv(*args)


before = {name: getattr(socket, name) for name in dir(socket)}
plain, kept = socket.socketpair()

import greening

greening.monkey_patch()

# Nothing is added, nothing is gone; what is not a look-up or about the default timeout is the same object. `io` has
# other Buffered classes there.
assert set(dir(socket)) == set(before)
changed = {name for name in before if getattr(socket, name) is not before[name]}
assert changed == {
    "getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo",
    "setdefaulttimeout", "getdefaulttimeout", "io",
}, changed  # fmt: skip
assert early_getaddrinfo is socket.getaddrinfo, "a name that a module had captured is rebound"

assert socket.socket is early_socket is type(plain)
assert socket.SocketType is _socket.SocketType is _socket.socket
assert isinstance(plain, _socket.socket)
assert socket.socket.__mro__ == (early_socket, _socket.socket, object)
assert repr(plain) == f"<socket.socket fd={plain.fileno()}, family={plain.family}, type={plain.type}, proto=0>"
assert str(socket.socket.recv.__name__) == "recv"

# Both kinds of sockets - older than the patch, and of a sub-class that is - park only the green thread that calls.
reader = greening.spawn(plain.recv, 10)
greening.sleep(0)
assert not reader.dead
kept.send(b"x")
assert reader.wait(5) == b"x"

with socket.create_server(("127.0.0.1", 0)) as listener:
    accepting = greening.spawn(listener.accept)
    client = Early()
    client.connect(listener.getsockname())
    server, _ = accepting.wait(5)
    assert type(server) is socket.socket, "a sub-class's listener accepts plain sockets, as in the stdlib"
    reader = greening.spawn(client.recv, 10)
    greening.sleep(0)
    server.sendall(b"bird")
    assert reader.wait(5) == b"early bird"
    with early_create_connection(listener.getsockname(), 5, ("127.0.0.1", 0)) as third:
        assert third.gettimeout() == 5
for sock in (client, server, plain, kept):
    sock.close()
