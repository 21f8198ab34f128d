"""With nothing but `socket=True`: real threads, each with a hub of its own, talk TLS; sub-classes and sni stay right.

Arguments: the authority's certificate, the server's certificate and key.
"""

import sys

import greening

greening.monkey_patch(socket=True)

import socket
import ssl
import threading

authority, certificate = sys.argv[1:]
assert not greening.is_monkey_patched("thread")


class Connection(ssl.SSLSocket):
    """A user's own."""

    def recv(self, *args):
        return super().recv(*args).upper()


client_context = ssl.create_default_context(cafile=authority)
client_context.sslsocket_class = Connection
server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.load_cert_chain(certificate)
names = []
server_context.sni_callback = lambda sock, name, context: names.append(name)
listener = server_context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)


def serve():
    for _ in range(4):
        sock, _ = listener.accept()
        threading.Thread(target=echo, args=(sock,)).start()


def echo(sock):
    with sock:
        while data := sock.recv(1000):
            sock.sendall(data)


thread = threading.Thread(target=serve)
thread.start()


def ask(text):
    raw = socket.create_connection(listener.getsockname(), 10)
    with client_context.wrap_socket(raw, server_hostname="localhost") as sock:
        assert type(sock) is Connection
        sock.sendall(text)
        answer = sock.recv(1000)
        assert sock.gettimeout() == 10
        return answer


asking = [greening.spawn(ask, b"question %d" % number) for number in range(4)]
assert [one.wait(10) for one in asking] == [b"QUESTION %d" % number for number in range(4)]
thread.join()
listener.close()
assert names == ["localhost"] * 4
