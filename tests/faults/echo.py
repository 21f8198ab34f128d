"""Every way to send and receive on stream sockets, over TCP and Unix sockets: what comes back is what was sent."""

import greening

greening.monkey_patch()

import os
import socket
import struct
import sys
import tempfile
import threading

from payload import message

CLIENTS = 8
MESSAGES = 25
TRIES = 200


def send_piecemeal(sock, data):
    while data:
        data = data[sock.send(data) :]


def send_by_parts(sock, data):
    third = len(data) // 3 + 1
    sent = sock.sendmsg([data[:third], data[third : 2 * third], data[2 * third :]])
    sock.sendall(data[sent:])


def send_file(sock, data):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        assert sock.sendfile(file) == len(data)


SENDERS = [socket.socket.sendall, send_piecemeal, send_by_parts, send_file]


def receive(sock, size):
    parts = []
    while size:
        part = sock.recv(min(size, 65536))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive_into(sock, size):
    data = bytearray(size)
    with memoryview(data) as view:
        got = 0
        while got < size:
            more = sock.recv_into(view[got:])
            if not more:
                raise EOFError
            got += more
    return bytes(data)


def receive_whole(sock, size):
    data = b""
    while len(data) < size:  # with a timeout, MSG_WAITALL does not fill the buffer
        part = sock.recv(size - len(data), socket.MSG_WAITALL)
        if not part:
            raise EOFError
        data += part
    return data


def receive_from_file(sock, size):
    with sock.makefile("rb", buffering=0) as file:
        parts = []
        while size:
            part = file.read(size)
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


RECEIVERS = [receive, receive_into, receive_whole, receive_from_file]


def serve(sock):
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock:
        try:
            while True:
                (size,) = struct.unpack("!I", receive(sock, 4))
                data = receive(sock, size)
                sock.sendall(struct.pack("!I", size) + data)
        except (EOFError, ConnectionError):
            pass
        except OSError as error:
            if error.errno not in ALLOWED:
                raise


def accept_all(listener):
    while True:
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if listener.fileno() < 0:
                return
            if error.errno not in ALLOWED:
                raise
        else:
            threading.Thread(target=serve, args=(sock,), daemon=True).start()


def talk(number, connect):
    messages = [message() for _ in range(MESSAGES)]
    sock = connect()
    for turn, data in enumerate(messages):
        for _ in range(TRIES):
            try:
                SENDERS[(turn + number) % len(SENDERS)](sock, struct.pack("!I", len(data)) + data)
                (size,) = struct.unpack("!I", receive(sock, 4))
                assert size == len(data), (size, len(data))
                assert RECEIVERS[turn % len(RECEIVERS)](sock, size) == data
                break
            except (EOFError, OSError) as error:
                if not ALLOWED or (isinstance(error, OSError) and error.errno not in ALLOWED):
                    raise
                sock.close()  # begin this message again on another connection
                sock = connect()
        else:
            raise AssertionError("never got through")
    sock.close()
    finished.append(number)


ALLOWED = {int(number) for number in os.environ.get("FAULTS_ERRNOS", "").split(",") if number}
finished: list[int] = []


def main() -> None:
    tcp = socket.create_server(("127.0.0.1", 0), backlog=100)
    unix = socket.socket(socket.AF_UNIX)
    folder = tempfile.mkdtemp()
    unix.bind(os.path.join(folder, "echo"))
    unix.listen(100)

    def connect_tcp(timeout=None):
        sock = socket.create_connection(tcp.getsockname(), timeout=timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # many small writes, none of which waits for an ACK
        return sock

    def connect_with_timeout():
        return connect_tcp(50)

    def connect_unix():
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(unix.getsockname())
        return sock

    for listener in (tcp, unix):
        threading.Thread(target=accept_all, args=(listener,), daemon=True).start()
    ways = [connect_tcp, connect_with_timeout, connect_unix]
    threads = [threading.Thread(target=talk, args=(number, ways[number % 3])) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tcp.close()
    unix.close()
    sys.exit(sorted(finished) != list(range(CLIENTS)))


main()
