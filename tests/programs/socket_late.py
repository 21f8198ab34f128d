"""Sockets older than the patch keep their timeouts, the default timeout is kept, and unpatch() gives all back."""

import _socket
import os
import socket

socket.setdefaulttimeout(7)
default, peer = socket.socketpair()
socket.setdefaulttimeout(None)
timed, other = socket.socketpair()
timed.settimeout(0.01)
file = timed.makefile("rb")
never, _ = socket.socketpair(), None
never[0].setblocking(False)
listener = socket.create_server(("127.0.0.1", 0))
socket.setdefaulttimeout(3)

import greening

greening.monkey_patch()

raw = _socket.socket.gettimeout
assert (default.gettimeout(), timed.gettimeout(), never[0].gettimeout(), listener.gettimeout()) == (7, 0.01, 0, None)
assert raw(default) is raw(timed) is None, "the C level does not wait by itself any more"

# The default from before counts for new sockets, and is unknown to the C level.
assert socket.getdefaulttimeout() == 3
assert _socket.getdefaulttimeout() is None
new, newer = socket.socketpair()
assert new.gettimeout() == newer.gettimeout() == 3
assert raw(new) is None
assert socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK).gettimeout() == 0

others = greening.spawn(greening.sleep, 0)
try:
    file.read(1)
except TimeoutError as error:
    assert str(error) == "timed out"
else:
    raise AssertionError("no timeout")
assert others.dead, "the others did not run while the old socket waited"

accepting = greening.spawn(listener.accept)
client = socket.create_connection(listener.getsockname())
server, _ = accepting.wait(5)
assert server.gettimeout() == client.gettimeout() == 3
reader = greening.spawn(server.recv, 1)
greening.sleep(0)
client.send(b"x")
assert reader.wait(5) == b"x"
green = greening.connect(listener.getsockname())
green.settimeout(9)
accepted, _ = listener.accept()

greening.unpatch()

assert socket.getdefaulttimeout() == _socket.getdefaulttimeout() == 3
assert socket.socket.recv is _socket.socket.recv
assert (raw(default), raw(timed), raw(never[0]), raw(listener), raw(server)) == (7, 0.01, 0, None, 3)
assert os.get_blocking(listener.fileno()), "accept(2) waits again"
assert [os.get_blocking(sock.fileno()) for sock in (default, timed, never[0], server)] == [False] * 4
assert green.gettimeout() == 9
assert raw(green) is None, "a green socket stays green"
try:
    timed.recv(1)
except TimeoutError:
    pass
accepted.send(b"y")
assert green.recv(1) == b"y"
