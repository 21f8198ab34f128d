"""What the stdlib makes of sockets (create_connection, create_server, fromfd, send_fds ...) is green as they are."""

import greening

greening.monkey_patch()

import errno
import os
import socket

ticks = 0


def tick():
    global ticks
    while True:
        ticks += 1
        greening.sleep(0)


clock = greening.spawn(tick)


def parked(call, *args, **kwargs):
    """Call it; others must have run meanwhile."""
    before = ticks
    result = call(*args, **kwargs)
    assert ticks > before, f"{call} stopped the others"
    return result


# create_server, create_connection: several addresses, the last error or all of them, source address, timeout.
free = socket.create_server(("127.0.0.1", 0))
unused = free.getsockname()
free.close()
listener = socket.create_server(("127.0.0.1", 0), reuse_port=False)
port = listener.getsockname()[1]
try:
    socket.create_connection(unused)
except ConnectionRefusedError as error:
    assert error.errno == errno.ECONNREFUSED
try:
    socket.create_connection(("localhost", unused[1]), all_errors=True)
except ExceptionGroup as group:
    assert all(isinstance(error, OSError) for error in group.exceptions)
client = parked(socket.create_connection, ("localhost", port), timeout=5, source_address=("127.0.0.1", 0))
server, _ = listener.accept()
assert client.gettimeout() == 5
if socket.has_dualstack_ipv6():
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as dual:
        with socket.create_connection(("127.0.0.1", dual.getsockname()[1])):
            dual.accept()[0].close()

# fromfd, dup, detach.
copy = socket.fromfd(server.fileno(), socket.AF_INET, socket.SOCK_STREAM)
assert type(copy) is socket.socket and copy.gettimeout() is None
reader = greening.spawn(copy.recv, 10)
greening.sleep(0)
client.sendall(b"copied")
assert reader.wait(5) == b"copied"
again = socket.socket(fileno=copy.detach())
assert (again.family, again.type) == (server.family, server.type)
again.close()

# send_fds, recv_fds.
one, other = socket.socketpair()
receiving = greening.spawn(socket.recv_fds, other, 10, 1)
greening.sleep(0)
socket.send_fds(one, [b"fd"], [client.fileno()])
data, (fd,), _, _ = receiving.wait(5)
assert data == b"fd"
with socket.socket(fileno=fd) as passed:
    reader = greening.spawn(server.recv, 10)
    greening.sleep(0)
    passed.sendall(b"through")
    assert parked(reader.wait, 5) == b"through"

# Look-ups.
assert socket.getfqdn("localhost")
assert socket.gethostbyname("localhost") == "127.0.0.1"
assert parked(socket.getaddrinfo, "localhost", "http")[0][4][1] == 80
assert socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0][1] is socket.SOCK_STREAM
try:
    socket.getaddrinfo("name.invalid", 80)
except socket.gaierror as error:
    assert error.errno in (socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_NODATA)

# Datagrams, also without a name, and from a Unix socket bound to nothing.
inbox, outbox = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
inbox.bind(f"\0helpers-{os.getpid()}")
reader = greening.spawn(inbox.recvfrom, 10)
greening.sleep(0)
outbox.sendto(b"mail", inbox.getsockname())
assert reader.wait(5) == (b"mail", None)

clock.kill()
for sock in (listener, client, server, one, other, inbox, outbox):
    sock.close()
