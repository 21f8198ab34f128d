"""Green imports, as a program meets them: a fresh interpreter, the real catalogue."""

import pytest


def test_a_crawler_on_green_imports(run_program) -> None:
    run_program("green_crawl.py")


def test_forms_of_import(run_program) -> None:
    run_program("""
import sys
from greening.green import socket, time
import greening.green.urllib.request
import greening.green.urllib.request as aliased
from greening.green.urllib import request, parse
from greening.green.urllib.request import urlopen
from greening.green import http
from greening.green.http import client
from greening.green.os import path
import greening.green.os.path
import greening.green.xml.dom.minidom
import greening

import os.path, urllib.parse, urllib.request, math

green = greening.green
assert green.urllib.request is aliased is request is not urllib.request
assert urlopen is request.urlopen
assert parse is urllib.parse
assert http.client is client is request.http.client
assert client.socket is socket is green.socket is sys.modules["greening.green.socket"]
assert path is os.path
assert green.math is math, "C modules that do not block are shared"
assert green.queue.Queue is not __import__("queue").Queue

for name in ("no_such_module", "socket.nope", "urllib.nope", "_"):
    try:
        __import__("greening.green." + name)
    except ModuleNotFoundError as error:
        assert name in str(error), error
    else:
        raise AssertionError(name)
assert not hasattr(green, "no_such_module")
assert not hasattr(green, "__wrapped__")
assert not hasattr(green.urllib, "nope")
""")


def test_the_process_is_untouched_and_blocking(run_program) -> None:
    run_program("""
import sys, time, socket, threading, queue, ssl, select, selectors, signal, subprocess, os, logging, asyncio
import http.client
names = "time socket threading queue ssl select selectors signal subprocess logging asyncio http.client http _thread"
watched = [sys.modules[name] for name in names.split()]
before = {m: {k: v for k, v in vars(m).items() if not k.startswith("__")} for m in watched}
modules = dict(sys.modules)
classes = {m: {n: dict(vars(c)) for n, c in vars(m).items() if isinstance(c, type)} for m in watched}

from greening.green import time as t, socket as so, threading as th, queue as q, ssl as s, select as se
from greening.green import selectors as ss, signal as si, subprocess as su, os as o, asyncio as a, logging as l
from greening.green.http import client as c
import greening

for m in watched:
    after = {k: v for k, v in vars(m).items() if not k.startswith("__")}
    changed = {k for k in before[m].keys() | after.keys() if before[m].get(k) is not after.get(k)}
    assert {k for k in changed if f"{m.__name__}.{k}" not in sys.modules} == set(), m
    for name, attributes in classes[m].items():
        c = vars(m).get(name)
        assert c is not None and {k for k, v in vars(c).items() if attributes.get(k) is not v} <= {
            "__abstractmethods__", "_abc_impl", "__static_attributes__", "__slotnames__", "__annotations_cache__"}, c
assert {n for n, m in modules.items() if sys.modules.get(n) is not m} == set()
""")


def test_exceptions_and_constants_are_those_of_the_process(run_program) -> None:
    run_program("""
from greening.green import socket, queue, subprocess, ssl, signal, threading, selectors
from greening.green.concurrent import futures
from greening.green.http import client
import concurrent.futures, http.client
real = {name: __import__(name) for name in "socket queue subprocess ssl signal threading selectors".split()}
same = [
    (socket, "timeout gaierror herror error AF_INET SOCK_STREAM AddressFamily SocketKind MsgFlag"),
    (queue, "Full Empty"),
    (subprocess, "CalledProcessError TimeoutExpired SubprocessError"),
    (ssl, "SSLError SSLWantReadError CertificateError TLSVersion VerifyMode CERT_REQUIRED PROTOCOL_TLS_CLIENT Purpose"),
    (signal, "Signals SIGINT SIGTERM Handlers SIG_DFL"),
    (threading, "BrokenBarrierError ThreadError"),
]
for module, names in same:
    for name in names.split():
        assert getattr(module, name) is getattr(real[module.__name__], name), (module, name)
assert futures.TimeoutError is TimeoutError
assert futures.CancelledError is concurrent.futures.CancelledError
assert client.IncompleteRead is http.client.IncompleteRead
assert client.HTTPConnection is not http.client.HTTPConnection
""")


def test_green_modules_are_green_together(run_program) -> None:
    run_program("""
import greening
from greening.green import time, threading, queue, socket, ssl, subprocess, selectors, select, asyncio, os, signal
from greening.green.concurrent import futures

ticks = []
def ticker():
    while True:
        ticks.append(1)
        greening.sleep(0.005)
greening.spawn(ticker)

def cooperates(call):
    before = len(ticks)
    result = call()
    assert len(ticks) > before, call
    return result

cooperates(lambda: time.sleep(0.05))
a, b = socket.socketpair()
greening.spawn_after(0.05, b.send, b"x")
assert cooperates(lambda: a.recv(1)) == b"x"
q = queue.Queue()
greening.spawn_after(0.05, q.put, 5)
assert cooperates(q.get) == 5
lock = threading.Lock()
lock.acquire()
greening.spawn_after(0.05, lock.release)
assert cooperates(lock.acquire)
event = threading.Event()
thread = threading.Thread(target=lambda: (time.sleep(0.05), event.set()))
thread.start()
assert cooperates(event.wait)
thread.join()
thread = threading.Thread(target=time.sleep, args=(0.05,))
thread.start()
cooperates(thread.join)
greening.spawn_after(0.05, b.send, b"x")
assert cooperates(lambda: select.select([a], [], [])) == ([a], [], [])
a.recv(1)
with selectors.DefaultSelector() as selector:
    selector.register(a, selectors.EVENT_READ)
    greening.spawn_after(0.05, b.send, b"x")
    assert len(cooperates(selector.select)) == 1
with futures.ThreadPoolExecutor(2) as pool:
    assert cooperates(pool.submit(lambda: time.sleep(0.05) or 7).result) == 7
assert cooperates(lambda: subprocess.run(["sleep", "0.05"])).returncode == 0
said = cooperates(lambda: subprocess.run("sleep 0.05; echo hello", shell=True, capture_output=True)).stdout
assert said == b"hello\\n"
async def main():
    await asyncio.sleep(0.05)
    return 1
assert cooperates(lambda: asyncio.run(main())) == 1
""")


def test_non_daemon_threads_of_a_green_copy_are_waited_for(run_program) -> None:
    done = run_program("""
from greening.green import threading, time
threading.Thread(target=lambda: (time.sleep(0.05), print("finished"))).start()
print("main is through")
""")
    assert done.stdout.splitlines() == ["main is through", "finished"]


def test_in_a_patched_process_the_modules_are_the_process_own(run_program) -> None:
    run_program("""
import greening
from greening.green import json as private
greening.monkey_patch()
from greening.green import socket, threading
import greening.green.urllib.request
from greening.green import http
import http.client as real_http, socket as s, threading as t, urllib.request as r, sys, json
assert (socket, threading, greening.green.urllib.request) == (s, t, r)
assert http.client is real_http
greening.unpatch()
assert "greening.green.socket" not in sys.modules
from greening.green import socket
assert socket is not s
assert private is not json
""")


def test_import_patched(run_program, tmp_path) -> None:
    (tmp_path / "mine.py").write_text("import time\ndef nap(): return time.sleep(0.05)\nstate = []\n")
    (tmp_path / "mine_too.py").write_text("import mine\n")
    run_program("""
import sys
sys.path.insert(0, ".")
import mine as real
import greening, time, types
green = greening.import_patched("mine")
assert green is greening.import_patched("mine") is not real
assert green.state is not real.state
assert green.time is not time
assert green.time.sleep is not time.sleep
from greening.green import mine
assert mine is green
assert sys.modules["mine"] is real

stand_in = types.ModuleType("time")
assert greening.import_patched("mine", ("time", stand_in)).time is stand_in
assert greening.import_patched("mine", time=stand_in).time is stand_in
assert greening.import_patched("mine_too", time=stand_in).mine.time is stand_in
assert greening.import_patched("os.path") is greening.import_patched("os").path
assert greening.import_patched("urllib.request").__name__ == "urllib.request"
try:
    greening.import_patched("no_such_module")
except ModuleNotFoundError as error:
    assert error.name == "no_such_module"
""")


def test_the_engine_is_not_copied(run_program, tmp_path) -> None:
    (tmp_path / "mine.py").write_text("import greening, greenlet, time\nfrom greening.green import socket\n")
    run_program("""
import sys
sys.path.insert(0, ".")
import greening, greenlet
from greening.green import mine, socket
assert mine.greening is greening and mine.greenlet is greenlet and mine.socket is socket
assert greening.import_patched("greening") is greening
""")


def test_late_imports_wait_for_a_module_that_is_being_imported(run_program, tmp_path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.1)\nready = True\n")
    (tmp_path / "user.py").write_text("import time\ndef late():\n  import slow\n  return slow.ready\n")
    run_program("""
import sys
sys.path.insert(0, ".")
import greening
user = greening.import_patched("user")
first = greening.spawn(user.late)
greening.sleep(0.02)
assert greening.spawn(user.late).wait() and first.wait()
""")


def test_an_import_that_blocks_lets_others_run_and_import(run_program, tmp_path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.1)\nready = True\n")
    (tmp_path / "quick.py").write_text("import time\n")
    run_program("""
import sys
sys.path.insert(0, ".")
import greening
order = []
def load(name):
    module = greening.import_patched(name)
    order.append(name)
    return module
both = [greening.spawn(load, "slow"), greening.spawn(load, "slow")]
ticks = 0
while len(order) < 2:
    greening.sleep(0.01)
    ticks += 1
assert ticks > 3
assert both[0].wait() is both[1].wait()
assert both[0].wait().ready
load("quick")
assert "slow" not in sys.modules
""")


@pytest.mark.slow
def test_requests(run_program) -> None:
    pytest.importorskip("requests")
    run_program("""
import greening, sys, time
requests = greening.import_patched("requests")
assert not {"requests", "urllib3"} & sys.modules.keys()
from greening.green import time as green_time
from greening.green.http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        green_time.sleep(0.1)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args): pass

class Server(ThreadingHTTPServer):
    request_queue_size = 100

server = Server(("127.0.0.1", 0), Page)
greening.spawn(server.serve_forever, 0.01)
url = "http://127.0.0.1:%d/" % server.server_address[1]
start = time.perf_counter()
assert [r.text for r in greening.GreenPool(20).imap(requests.get, [url] * 20)] == ["ok"] * 20
assert time.perf_counter() - start < 1.5
server.shutdown()
import requests as real
assert real is not requests
assert requests.compat.JSONDecodeError is real.compat.JSONDecodeError
""")
