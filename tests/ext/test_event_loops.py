"""trio, anyio, uvloop, uvicorn, hypercorn, tornado and twisted in a patched process: unharmed, in any thread."""

import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ext.servers import Server, free_port, running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent

TRIO = """
import functools, threading, time
import trio

async def ten():
    begin = time.monotonic()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(trio.to_thread.run_sync, functools.partial(time.sleep, 0.1))
    return time.monotonic() - begin

trio.run(ten)
beat()
assert trio.run(ten) < 0.8
took = []
threads = [threading.Thread(target=lambda: took.append(trio.run(ten))) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(took) == 3
assert max(took) < 0.8
"""


@pytest.mark.parametrize("before", ["", "import trio"], ids=["early", "late"])
def test_trio_runs_threads_in_the_main_thread_and_in_others(run_green: Callable[..., Any], before: str) -> None:
    pytest.importorskip("trio")
    run_green(TRIO, before=before)


ANYIO = """
import sys, time
import anyio

async def ten():
    begin = time.monotonic()
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(anyio.to_thread.run_sync, time.sleep, 0.1)
    return time.monotonic() - begin

backend, *options = sys.argv[1:]
run = lambda: anyio.run(ten, backend=backend, backend_options={option: True for option in options})
run()
beat()
assert run() < 0.8
assert greening.spawn(run).wait() < 0.8
"""


@pytest.mark.parametrize("backend", [["asyncio"], ["asyncio", "use_uvloop"], ["trio"]], ids=" ".join)
def test_anyio_runs_threads_on_each_backend(run_green: Callable[..., Any], backend: list[str]) -> None:
    pytest.importorskip("anyio")
    for module in {"trio": ["trio"], "use_uvloop": ["uvloop"]}.get(backend[-1], []):
        pytest.importorskip(module)
    run_green(ANYIO, *backend)


APP = """
import sys, time
import anyio
greening = sys.modules.get("greening")

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await anyio.to_thread.run_sync(time.sleep, 0.01)
    body = b"patched" if greening is not None and greening.is_monkey_patched("time") else b"unpatched"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.parametrize("options", [[], ["--workers", "2"], ["--reload"]], ids=" ".join)
def test_the_children_of_uvicorn_are_patched_as_their_parent_is(tmp_path: Path, options: list[str]) -> None:
    pytest.importorskip("uvicorn")
    pytest.importorskip("anyio")
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    argv = [sys.executable, "-m", "greening", "-m", "uvicorn", "app:app", "--lifespan", "off", "--port", str(port)]
    server = Server([*argv, *options], folder=tmp_path, port=port, env={"PYTHONPATH": str(ROOT)})
    with running(server), urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=30) as answer:
        assert answer.read() == b"patched"


@pytest.mark.parametrize("options", [[], ["--workers", "2"], ["--reload"]], ids=" ".join)
def test_hypercorn_and_its_children_are_patched(tmp_path: Path, options: list[str]) -> None:
    pytest.importorskip("hypercorn")
    pytest.importorskip("anyio")
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    argv = [sys.executable, "-m", "greening", "-m", "hypercorn", "app:app", "--bind", f"127.0.0.1:{port}"]
    server = Server([*argv, *options], folder=tmp_path, port=port, env={"PYTHONPATH": str(ROOT)})
    with running(server), urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=30) as answer:
        assert answer.read() == b"patched"


TORNADO = """
import asyncio, time, urllib.request
import tornado.httpclient, tornado.httpserver, tornado.ioloop, tornado.web

class Slow(tornado.web.RequestHandler):
    async def get(self):
        await tornado.ioloop.IOLoop.current().run_in_executor(None, time.sleep, 0.2)
        self.write("slow")

async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", Slow)]))
    server.listen(0, "127.0.0.1")
    port = next(iter(server._sockets.values())).getsockname()[1]
    ask = lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=20).read()
    begin = time.monotonic()
    green = [greening.spawn(ask) for _ in range(3)]  # green threads beside the loop
    client = tornado.httpclient.AsyncHTTPClient()
    answers = await asyncio.gather(*(client.fetch(f"http://127.0.0.1:{port}") for _ in range(3)))
    assert [answer.body for answer in answers] == [b"slow"] * 3
    while not all(thread.dead for thread in green):
        await asyncio.sleep(0.01)
    assert [thread.wait() for thread in green] == [b"slow"] * 3
    assert time.monotonic() - begin < 1.1
    server.stop()

asyncio.run(main())
beat()
asyncio.run(main())
greening.spawn(lambda: asyncio.run(main())).wait()
"""


@pytest.mark.parametrize("before", ["", "import tornado.web, tornado.httpclient"], ids=["early", "late"])
def test_tornado_serves_and_asks_beside_green_threads(run_green: Callable[..., Any], before: str) -> None:
    pytest.importorskip("tornado")
    run_green(TORNADO, before=before)


TWISTED = """
import time, urllib.request
from twisted.internet import defer, protocol, reactor, threads
from twisted.web import resource, server

class Slow(resource.Resource):
    isLeaf = True
    def render_GET(self, request):
        deferred = threads.deferToThread(time.sleep, 0.2)
        deferred.addCallback(lambda _: (request.write(b"slow"), request.finish()))
        return server.NOT_DONE_YET

port = reactor.listenTCP(0, server.Site(Slow()), interface="127.0.0.1")
url = f"http://127.0.0.1:{port.getHost().port}"
answers = []

def ask():
    return urllib.request.urlopen(url, timeout=20).read()

@defer.inlineCallbacks
def main():
    begin = time.monotonic()
    green = [greening.spawn(ask) for _ in range(3)]  # green threads beside the reactor
    answers.extend((yield defer.gatherResults([threads.deferToThread(ask) for _ in range(3)])))
    yield threads.deferToThread(lambda: answers.extend(thread.wait() for thread in green))
    assert time.monotonic() - begin < 1.1
    yield port.stopListening()

def start():
    main().addErrback(lambda failure: answers.append(failure)).addCallback(lambda _: reactor.stop())

reactor.callWhenRunning(start)
beat()
"""
RUNS = {
    "in the main thread": "reactor.run()\n",
    "in another": "greening.spawn(reactor.run, installSignalHandlers=False).wait()\n",
}


@pytest.mark.parametrize("before", ["", "import twisted.internet.reactor"], ids=["early", "late"])
@pytest.mark.parametrize("where", RUNS)
def test_twisted_runs_its_reactor_beside_green_threads(run_green: Callable[..., Any], where: str, before: str) -> None:
    pytest.importorskip("twisted")
    run_green(TWISTED + RUNS[where] + "assert answers == [b'slow'] * 6, answers\n", before=before)


def test_the_example_of_the_page_runs(run_page: Callable[..., Any]) -> None:
    pytest.importorskip("anyio")
    assert run_page("event-loops").stdout.split() == ["10", "ticks", "beside", "it"]
