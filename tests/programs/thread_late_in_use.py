"""Native threads that wait in a bit of everything while the process is patched, and a server, and an executor."""

import concurrent.futures
import http.server
import logging.handlers
import multiprocessing.managers
import queue
import random
import socket
import tempfile
import threading
import urllib.request

done: "queue.Queue[object]" = queue.Queue()
inside: "queue.Queue[str]" = queue.Queue()
natives: list[threading.Thread] = []


def native(name: str, function, *args) -> threading.Thread:
    """Run `function(*args)` in a native thread and note what it returned."""

    def run() -> None:
        inside.put(name)
        done.put((name, function(*args)))

    thread = threading.Thread(target=run, name=name)
    natives.append(thread)
    thread.start()
    return thread


# An executor with calls that run and calls that wait for their turn.
go = threading.Event()
executor = concurrent.futures.ThreadPoolExecutor(2)
futures = [executor.submit(lambda n=n: (go.wait(), n)[1]) for n in range(6)]

# Every kind of waiting.
event, barrier, semaphore, condition = (
    threading.Event(),
    threading.Barrier(3),
    threading.Semaphore(0),
    threading.Condition(threading.Lock()),
)
state: list[str] = []
items, simple, small = queue.Queue(), queue.SimpleQueue(), queue.Queue(1)
small.put("first")
held = threading.Lock()
held.acquire()
left, right = socket.socketpair()
listener = socket.create_server(("127.0.0.1", 0))


def wait_for_state() -> object:
    with condition:
        return condition.wait_for(lambda: state)


native("event", event.wait)
native("barrier", lambda: barrier.wait() >= 0)
native("semaphore", semaphore.acquire)
native("condition", wait_for_state)
native("items", items.get)
native("simple", simple.get)
native("small", small.put, "second")
native("join", items.join)
native("held", held.acquire)
native("recv", left.recv, 5)
native("accept", lambda: listener.accept()[0].recv(5))
timer = threading.Timer(0.001, lambda: done.put(("timer", go.wait())))
timer.start()

# A log that a native thread writes, and one that writes to it.
records: list[str] = []


class Collector(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        records.append(record.getMessage())


log_queue: "queue.Queue[logging.LogRecord]" = queue.Queue()
log_listener = logging.handlers.QueueListener(log_queue, Collector())
log_listener.start()
logger = logging.getLogger("late")
logger.propagate = False
logger.addHandler(logging.handlers.QueueHandler(log_queue))
stop: list[bool] = []


def write_log() -> int:
    count = 0
    while not stop:
        logger.warning("native")
        count += 1
    return count


native("log", write_log)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *args: object) -> None:
        logger.warning("served")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
native("server", server.serve_forever, 0.01)
assert {inside.get() for _ in natives} == {thread.name for thread in natives}

import greening

greening.monkey_patch()

# Green threads are needed for what is waited for here: if a wait blocked, it would be for ever.
later = greening.spawn(go.set)
assert [future.result(10) for future in futures] == list(range(6))
assert executor.submit(lambda: "more").result(10) == "more"
assert len(list(concurrent.futures.as_completed([executor.submit(abs, -n) for n in range(10)], 10))) == 10
executor.shutdown()

green_passed = greening.spawn(barrier.wait)
assert barrier.wait() >= 0 and green_passed.wait() >= 0
event.set()
semaphore.release()
with condition:
    state.append("state")
    condition.notify()
items.put("item")
items.task_done()
simple.put("simple item")
assert small.get() == "first" and small.get() == "second"
held.release()
right.sendall(b"hello")
with socket.create_connection(listener.getsockname()) as client:
    client.sendall(b"hello")
    address = f"http://127.0.0.1:{server.server_port}"
    gets = [greening.spawn(urllib.request.urlopen, f"{address}/{n}") for n in range(4)]
    assert [get.wait().read() for get in gets] == [b"/0", b"/1", b"/2", b"/3"]
    for thread in [greening.spawn(lambda: [logger.warning("green") for _ in range(100)]) for _ in range(3)]:
        thread.wait()
    stop.append(True)
    server.shutdown()
    for thread in natives:
        thread.join(10)
        assert not thread.is_alive(), thread
server.server_close()
timer.join()
log_listener.stop()
results = dict(done.get() for _ in range(len(natives) + 1))
assert done.empty()
written = results.pop("log")
assert records.count("native") == written and records.count("green") == 300 and records.count("served") == 4
assert results == {
    "event": True,
    "barrier": True,
    "semaphore": True,
    "condition": ["state"],
    "items": "item",
    "simple": "simple item",
    "small": None,
    "join": None,
    "held": True,
    "recv": b"hello",
    "accept": b"hello",
    "server": None,
    "timer": True,
}, results
assert threading.enumerate() == [threading.main_thread()]
random.random()
tempfile.TemporaryFile().close()

# In the manager's process locks are made from a table of `multiprocessing`'s; each green thread has a connection.
with multiprocessing.get_context("fork").Manager() as manager:
    lock = manager.Lock()
    lock.acquire()
    taker = greening.spawn(lock.acquire)
    numbers = manager.Queue()
    getter = greening.spawn(numbers.get)
    greening.sleep(0)
    lock.release()
    numbers.put(1)
    assert taker.wait() is not False and getter.wait() == 1
