"""trio, anyio, uvloop and uvicorn in a patched process: unharmed, in the main thread and in others."""

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


def test_the_example_of_the_page_runs(run_page: Callable[..., Any]) -> None:
    pytest.importorskip("anyio")
    assert run_page("event-loops").stdout.split() == ["10", "ticks", "beside", "it"]
