"""A socket that is not closed: a ResourceWarning as ever, its number is free, and the next one to get it works."""

import greening

greening.monkey_patch()

import gc
import socket
import sys
import warnings

warnings.simplefilter("always")


def connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


client, server = connection()
for timeout in (None, 5):
    client.settimeout(timeout)
    reader = greening.spawn(client.recv, 10)
    greening.sleep(0)
    server.send(b"x")
    reader.wait(5)
    del reader
number = client.fileno()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    del client
    gc.collect()
assert [warning.category for warning in caught] == [ResourceWarning], caught
assert str(caught[0].message).startswith(f"unclosed <socket.socket fd={number}, ")
assert server.recv(10) == b"", "the number was not closed"
server.close()

# The number's next owners: another kind of socket, blocking, without the timeout, and not thought to be drained.
again, other = socket.socketpair()
assert number in (again.fileno(), other.fileno())
for one, two in ((again, other), (other, again)):
    assert one.gettimeout() is None
    reader = greening.spawn(one.recv, 10)
    greening.sleep(0)
    two.send(b"y")
    assert reader.wait(5) == b"y"
again.close()
other.close()
sys.exit(0)
