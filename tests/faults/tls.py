"""TLS between green threads, in both directions at once: what arrives is what was sent, and the end is clean."""

import greening

greening.monkey_patch()

import socket
import ssl
import struct
import sys
import threading

from payload import message

CERTIFICATE = sys.argv[1]
CLIENTS = 6
MESSAGES = 20


def receive(sock, size):
    parts = []
    while size:
        part = sock.recv(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def serve(sock):
    sock = server_context.wrap_socket(sock, server_side=True)
    with sock:
        for _ in range(MESSAGES):
            (size,) = struct.unpack("!I", receive(sock, 4))
            sock.sendall(struct.pack("!I", size) + receive(sock, size))
        sock.unwrap().close()


def accept_all(listener):
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def talk(number):
    timeout = 50 if number % 2 else None
    with socket.create_connection(listener.getsockname(), timeout=timeout) as plain:
        sock = client_context.wrap_socket(plain, server_hostname="localhost")
        messages = [message() for _ in range(MESSAGES)]

        def send_all():
            for data in messages:
                sock.sendall(struct.pack("!I", len(data)) + data)

        sender = threading.Thread(target=send_all)
        sender.start()
        for data in messages:
            (size,) = struct.unpack("!I", receive(sock, 4))
            assert receive(sock, size) == data
        sender.join()
        sock.unwrap().close()
    finished.append(number)


server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.load_cert_chain(CERTIFICATE)
client_context = ssl.create_default_context(cafile=CERTIFICATE)
finished: list[int] = []
listener = socket.create_server(("127.0.0.1", 0), backlog=100)
threading.Thread(target=accept_all, args=(listener,), daemon=True).start()
threads = [threading.Thread(target=talk, args=(number,)) for number in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(sorted(finished) != list(range(CLIENTS)))
