"""socket, patched in place: the class stays who it is, and what waits lets others run."""

import pytest

HEAD = """
import socket
early = socket.socket
listener = early(); listener.bind(("127.0.0.1", 0)); listener.listen(1)
import greening
greening.monkey_patch()
"""


@pytest.mark.slow
def test_the_class_and_the_sockets_that_exist_stay_and_become_cooperative(run_program) -> None:
    run_program(
        HEAD
        + """
import _socket
assert socket.socket is early and isinstance(listener, _socket.socket) and socket.SocketType is _socket.SocketType
accepted = greening.spawn(listener.accept)
client = socket.create_connection(listener.getsockname())
server, address = accepted.wait()
assert type(server) is early and client.getsockname() == address
reader = greening.spawn(server.recv, 10)
greening.sleep(0)
client.sendall(b"hello")
assert reader.wait() == b"hello"
assert repr(client).startswith("<socket.socket fd=")
for sock in (client, server, listener):
    sock.close()
greening.unpatch()
assert early.recv is _socket.socket.recv
"""
    )


@pytest.mark.slow
def test_a_default_timeout_is_kept_from_the_c_level(run_program) -> None:
    run_program(
        HEAD
        + """
import _socket
socket.setdefaulttimeout(0.01)
a, b = socket.socketpair()
assert a.gettimeout() == 0.01 == socket.getdefaulttimeout() and _socket.socket.gettimeout(a) is None
try:
    a.recv(1)
except TimeoutError as error:
    assert str(error) == "timed out"
else:
    raise AssertionError
a.close(); b.close(); listener.close()
"""
    )
