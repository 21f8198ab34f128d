"""The blocking-style servers that every green library runs, word for word the same. Imported after the patching."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from benchmarks.inside.job import Job, pattern, pattern_file

Handler = Callable[[Any], None]


def stdlib_listener() -> Any:
    """Listen with the stdlib's socket, whatever the patch has made of it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


def serve_green(listener: Any, start: Callable[..., Any], job: Job) -> None:
    """Announce the port of `listener`, then serve until killed; `start` is how the library starts a handler."""
    handle = finished(HANDLERS[job.name](job), job)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    print(f'{{"port": {listener.getsockname()[1]}}}', flush=True)
    while True:
        connection, _ = listener.accept()
        start(handle, connection)


def finished(handle: Handler, job: Job) -> Handler:
    """Add what comes before and after: TLS and the timeout, closing."""
    context = None
    if job.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(job.certificate)

    def serve(connection: Any) -> None:
        if job.timeout:
            connection.settimeout(job.timeout)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        handle(connection)
        connection.close()

    return serve


def echo(job: Job) -> Handler:
    """Send back what comes."""
    del job

    def handle(connection: Any) -> None:
        receive, send = connection.recv, connection.sendall
        while data := receive(4096):
            send(data)

    return handle


def receive(job: Job) -> Handler:
    """Read `size` bytes into one buffer, answer with one byte."""

    def handle(connection: Any) -> None:
        receive_into, send = connection.recv_into, connection.sendall
        view, got = memoryview(bytearray(job.size)), 0
        while n := receive_into(view[got:]):
            got += n
            if got == job.size:
                send(b"!")
                got = 0

    return handle


def send(job: Job) -> Handler:
    """For every byte, `sendall` of `size` bytes."""
    message = pattern(job.size)

    def handle(connection: Any) -> None:
        receive, send = connection.recv, connection.sendall
        while receive(1):
            send(message)

    return handle


def sendfile(job: Job) -> Handler:
    """For every byte, `socket.sendfile` of a file of `size` bytes."""
    path = pattern_file(job.size)

    def handle(connection: Any) -> None:
        with open(path, "rb") as file:  # one for each connection: a sendfile that reads it moves its position
            while connection.recv(1):
                file.seek(0)
                connection.sendfile(file)

    return handle


def os_sendfile(job: Job) -> Handler:
    """For every byte, `os.sendfile` until a file of `size` bytes is sent."""
    path = pattern_file(job.size)

    def handle(connection: Any) -> None:
        with open(path, "rb") as file:
            target, source = connection.fileno(), file.fileno()
            while connection.recv(1):
                sent = 0
                while sent < job.size:
                    sent += os.sendfile(target, source, sent, job.size - sent)

    return handle


HANDLERS: dict[str, Callable[[Job], Handler]] = {
    make.__name__: make for make in (echo, receive, send, sendfile, os_sendfile)
}
