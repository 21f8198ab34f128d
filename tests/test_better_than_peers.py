"""Where the peers are wrong and greening is right. Each test is a whole program."""

import pytest

pytestmark = pytest.mark.slow

HEAD = """
import greening
greening.monkey_patch()
import errno, io, os, queue, select, socket, ssl, subprocess, sys, tempfile, threading, time
def pair():
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    listener.close()
    return client, server
def raised(kind, func, *args):
    try:
        func(*args)
    except kind as error:
        return error
    raise AssertionError(f"no {kind}")
"""

PROGRAMS = {
    "join with a timeout returns instead of raising": """
gate = threading.Event()
thread = threading.Thread(target=gate.wait); thread.start()
assert thread.join(0.001) is None and thread.is_alive()
gate.set(); thread.join()
""",
    "the main greenlet is the main thread": "assert threading.current_thread() is threading.main_thread()",
    "recvmsg, recvmsg_into and sendmsg wait cooperatively": """
a, b = pair()
reader = greening.spawn(a.recvmsg, 10); greening.sleep(0); b.sendmsg([b"x"]); assert reader.wait()[0] == b"x"
room = bytearray(5)
reader = greening.spawn(a.recvmsg_into, [room]); greening.sleep(0); b.sendmsg([b"yz"]); assert reader.wait()[0] == 2
big = bytes(3_000_000)
writer = greening.spawn(b.sendmsg, [big]); greening.sleep(0)
got = 0
while not writer.dead or got < writer.wait():
    got += len(a.recv(1 << 20))
""",
    "sendfile waits cooperatively": """
a, b = pair()
with tempfile.TemporaryFile() as file:
    file.write(bytes(3_000_000)); file.seek(0)
    sender = greening.spawn(a.sendfile, file)
    got = 0
    while got < 3_000_000:
        got += len(b.recv(1 << 20))
    assert sender.wait() == 3_000_000
""",
    "create_connection takes all_errors": """
free = socket.create_server(("127.0.0.1", 0)); port = free.getsockname()[1]; free.close()
group = raised(ExceptionGroup, lambda: socket.create_connection(("127.0.0.1", port), all_errors=True))
assert isinstance(group.exceptions[0], ConnectionRefusedError)
""",
    "close wakes a blocked reader": """
a, b = pair()
reader = greening.spawn(raised, OSError, a.recv, 1); greening.sleep(0); a.close()
assert reader.wait(5).errno == errno.EBADF
""",
    "a reset and an unconnected socket raise as in the stdlib": """
import struct
a, b = pair()
b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); b.close()
raised(ConnectionResetError, a.recv, 1)
assert raised(OSError, socket.socket().recv, 1).errno == errno.ENOTCONN
""",
    "select reports every ready descriptor": """
pairs = [pair() for _ in range(5)]
for a, b in pairs: b.send(b"x")
assert len(select.select([a for a, b in pairs], [], [], 5)[0]) == 5
""",
    "poll and epoll exist and are green": """
for make in (select.poll, select.epoll):
    a, b = pair(); poller = make(); poller.register(a, 1)
    waiter = greening.spawn(poller.poll); greening.sleep(0); b.send(b"x")
    assert waiter.wait(5) == [(a.fileno(), 1)]
""",
    "locks, queues and events work across OS threads": """
start = greening.original("_thread").start_new_thread
lock, channel, event = threading.Lock(), queue.Queue(), threading.Event()
lock.acquire()
def native():
    event.wait(); channel.put(1); lock.release()
start(native, ())
event.set(); assert channel.get(timeout=10) == 1 and lock.acquire(timeout=10)
""",
    "multiprocessing runs a process and a queue": """
import multiprocessing
context = multiprocessing.get_context("fork")
reads, writes = context.Pipe(False)
child = context.Process(target=writes.send, args=("there",)); child.start()
assert reads.recv() == "there"; child.join(); assert child.exitcode == 0
""",
    "a child is waited for without polling": """
subprocess.run(["true"], check=True)
assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout == b"1\\n"
""",
    "GreenPool.resize upwards wakes blocked spawners": """
pool, gate = greening.GreenPool(1), greening.Event()
pool.spawn(gate.wait)
spawner = greening.spawn(pool.spawn, gate.wait); greening.sleep(0)
assert pool.waiting() == 1
pool.resize(2); spawner.wait(5); assert pool.running() == 2
gate.send(); pool.waitall()
""",
    "a socket is an instance of the C class, and SocketType is right": """
import _socket
assert isinstance(socket.socket(), _socket.socket) and socket.SocketType is _socket.SocketType
""",
    "logging does not deadlock between green and native threads": """
import logging
logging.basicConfig(stream=io.StringIO())
done = []
start = greening.original("_thread").start_new_thread
for _ in range(4):
    start(lambda: done.append([logging.warning("native") for _ in range(50)]), ())
threads = [threading.Thread(target=lambda: [logging.warning("green") for _ in range(50)]) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
while len(done) < 4: time.sleep(0.001)
""",
    "two green threads may read one descriptor, first come first served": """
a, b = pair()
readers = [greening.spawn(a.recv, 1) for _ in range(2)]; greening.sleep(0)
b.send(b"1"); first = readers[0].wait(5); b.send(b"2")
assert (first, readers[1].wait(5)) == (b"1", b"2")
""",
    "SO_REUSEPORT is not set unless asked for": """
first = greening.listen(("127.0.0.1", 0))
assert raised(OSError, greening.listen, first.getsockname()).errno == errno.EADDRINUSE
""",
}


@pytest.mark.parametrize("fact", PROGRAMS)
def test_right_where_the_peers_are_wrong(fact: str, run_program) -> None:
    run_program(HEAD + PROGRAMS[fact], python_args=("-W", "ignore::ResourceWarning"))


def test_non_daemon_threads_are_joined_at_exit(run_program) -> None:
    late = "threading.Thread(target=lambda: (time.sleep(0.01), print('joined'))).start()\n"
    assert run_program(HEAD + late).stdout == "joined\n"


def test_wrap_ssl_verifies(run_program, tmp_path) -> None:
    import trustme

    certificate = trustme.CA().issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    program = """
listener = greening.listen(("127.0.0.1", 0))
def serve():
    raw, _ = listener.accept()
    raised(ssl.SSLError, lambda: greening.wrap_ssl(raw, certfile=sys.argv[1], server_side=True))
server = greening.spawn(serve)
client = greening.connect(listener.getsockname())
raised(ssl.SSLCertVerificationError, lambda: greening.wrap_ssl(
    client, cert_reqs=ssl.CERT_REQUIRED, server_hostname="localhost"))
server.wait()
"""
    run_program(HEAD + program, str(tmp_path / "cert.pem"), python_args=("-W", "ignore::ResourceWarning"))
