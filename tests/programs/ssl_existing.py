"""TLS sockets and contexts that are older than the patch become cooperative; unpatch() gives their timeouts back.

Arguments: the authority's certificate, the server's certificate and key.
"""

import socket
import ssl
import sys
import threading
import urllib.request  # noqa: F401  # holds on to ssl's names

authority, certificate = sys.argv[1:]
client_context = ssl.create_default_context(cafile=authority)
server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.load_cert_chain(certificate)


def connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    found = []
    thread = threading.Thread(target=lambda: found.append(server_context.wrap_socket(server, server_side=True)))
    thread.start()
    client = client_context.wrap_socket(client, server_hostname="localhost")
    thread.join()
    return client, found[0]


old, old_peer = connection()
timed, timed_peer = connection()
timed.settimeout(0.01)

import greening

greening.monkey_patch()

assert type(old) is ssl.SSLSocket
others = greening.spawn(greening.sleep, 0)
try:
    timed.recv(1)
except TimeoutError as error:
    assert str(error) == "The read operation timed out"
else:
    raise AssertionError("no timeout")
assert others.dead, "the others did not run while the old socket waited"
assert timed.gettimeout() == 0.01

for one, other in ((old, old_peer), connection()):
    assert one.gettimeout() is None
    reader = greening.spawn(one.recv, 10)
    greening.sleep(0.001)
    assert not reader.dead
    other.sendall(b"x")
    assert reader.wait(5) == b"x"
    writer = greening.spawn(one.sendall, bytes(5_000_000))
    got = 0
    while got < 5_000_000:
        got += len(other.recv(65536))
    writer.wait(5)
    if one is not old:
        one.close()
        other.close()

stranger = ssl.create_default_context()
with socket.create_server(("127.0.0.1", 0)) as listener:

    def serve():
        raw, _ = listener.accept()
        try:
            server_context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()

    serving = greening.spawn(serve)
    with socket.create_connection(listener.getsockname()) as raw:
        try:
            stranger.wrap_socket(raw, server_hostname="localhost")
        except ssl.SSLCertVerificationError:
            pass
        else:
            raise AssertionError("not verified")
    serving.wait(5)

greening.unpatch()
raw_timeout = ssl.socket.__mro__[1].gettimeout
assert raw_timeout(timed) == 0.01
assert raw_timeout(old) is None
timed_peer.sendall(b"y")
old_peer.sendall(b"z")
timed.settimeout(5)
assert timed.recv(1) == b"y"
assert old.recv(1) == b"z"
for sock in (old, old_peer, timed, timed_peer):
    sock.close()
