"""Sockets over fork: both processes use what they share, the parent's waiters stay, and the child runs none of them."""

import greening

greening.monkey_patch()

import os
import socket

from greening.testing import wait_until_parked

listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
timed, far = socket.socketpair()
timed.settimeout(5)
woken = []
parked = []
for _ in range(3):
    parked.append(greening.spawn(lambda: woken.append(server.recv(10))))
    wait_until_parked(parked[-1])

pid = os.fork()
if not pid:
    # A waiter of the parent's must not run here; its socket may be used, and waits of the child's own work.
    assert timed.gettimeout() == 5
    far.sendall(b"from the child")
    mine, other = socket.socketpair()
    reader = greening.spawn(mine.recv, 10)
    greening.sleep(0)
    other.send(b"x")
    assert reader.wait(5) == b"x"
    with socket.create_connection(listener.getsockname()) as sock:
        assert sock.recv(10) == b"welcome"
    assert not woken
    server.close()  # the number, not the connection: the parent has it, too
    os._exit(0)

assert timed.recv(20) == b"from the child"
visitor, _ = listener.accept()
visitor.sendall(b"welcome")
visitor.close()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
for number in range(3):
    client.sendall(b"%d" % number)
    parked[number].wait(5)
assert woken == [b"0", b"1", b"2"]

# A child that inherits a listening socket by number, and knows nothing of us.
for sock in (listener, client, server, timed, far):
    sock.close()
