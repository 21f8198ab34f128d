"""Signals during waits (PEP 475): a handler that returns lets the call go on, one that raises ends it."""

import greening

greening.monkey_patch()

import signal
import socket
import time


class Alarm(Exception):
    pass


calls = []


def note(*_):
    calls.append("note")


def throw(*_):
    raise Alarm


listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
full, _unread = socket.socketpair()
full.setblocking(False)
try:
    while True:
        full.send(bytes(65536))
except BlockingIOError:
    full.setblocking(True)

WAITS = {
    "recv": lambda: server.recv(1),
    "recv_into": lambda: server.recv_into(bytearray(1)),
    "recvfrom": lambda: server.recvfrom(1),
    "recvmsg": lambda: server.recvmsg(1),
    "recvmsg_into": lambda: server.recvmsg_into([bytearray(1)]),
    "accept": listener.accept,
    "send": lambda: full.send(bytes(65536)),
    "sendall": lambda: full.sendall(bytes(65536)),
    "sendmsg": lambda: full.sendmsg([bytes(65536)]),
}

signal.signal(signal.SIGALRM, throw)
for name, wait in WAITS.items():
    for timeout in (None, 5):
        for sock in (server, listener, full):
            sock.settimeout(timeout)
        signal.setitimer(signal.ITIMER_REAL, 0.003)
        try:
            wait()
        except Alarm:
            continue
        raise AssertionError(f"{name}: the handler's exception did not come through")

signal.signal(signal.SIGALRM, note)
for name, wait in WAITS.items():
    for sock in (server, listener, full):
        sock.settimeout(0.02)
    calls.clear()
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
    started = time.monotonic()
    try:
        wait()
    except TimeoutError:
        took = time.monotonic() - started
    else:
        raise AssertionError(f"{name}: no timeout")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert calls, f"{name}: the handler did not run"
    assert 0.02 <= took < 0.5, f"{name}: signals moved the deadline: {took}"

for sock in (listener, client, server, full, _unread):
    sock.close()
