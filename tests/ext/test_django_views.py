"""Django: runserver and its reloader, synchronous and asynchronous views side by side, and Channels."""

import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("django")

from tests.ext.servers import Server, free_port, running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent

MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

SETTINGS = """
import asyncio, sys, time
from django.http import HttpResponse
from django.urls import path

DEBUG, SECRET_KEY, ROOT_URLCONF, ALLOWED_HOSTS, USE_TZ = True, "x", "settings", ["*"], True
greening = sys.modules.get("greening")

def patched():
    return greening is not None and greening.is_monkey_patched("time")

def plain(request):
    time.sleep(0.01)
    return HttpResponse(f"plain {patched()}")

async def asynchronous(request):
    await asyncio.sleep(0.2)
    return HttpResponse(f"asynchronous {patched()}")

urlpatterns = [path("plain", plain), path("async", asynchronous)]
"""


@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reloader", "noreload"])
def test_runserver_of_django_is_patched_under_its_reloader(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "settings.py").write_text(SETTINGS)
    port = free_port()
    argv = [sys.executable, "-m", "greening", "manage.py", "runserver", f"127.0.0.1:{port}", "--skip-checks", *options]
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PYTHONWARNINGS": "ignore"}
    with running(Server(argv, folder=tmp_path, port=port, env=environment)):
        for name in ("plain", "async"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=30) as answer:
                assert answer.read().split()[1] == b"True"


def test_a_module_runs_django_again_too(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(SETTINGS)
    port = free_port()
    argv = [sys.executable, "-m", "greening", "-m", "django", "runserver", f"127.0.0.1:{port}"]
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "DJANGO_SETTINGS_MODULE": "settings", "PYTHONWARNINGS": "ignore"}
    with running(Server(argv, folder=tmp_path, port=port, env=environment)):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/plain", timeout=30) as answer:
            assert answer.read() == b"plain True"


VIEWS = """
import asyncio, time
from django.conf import settings
settings.configure(DEBUG=True, SECRET_KEY="x", ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], USE_TZ=True)
import django
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

def plain(request):
    time.sleep(0.2)
    return HttpResponse("plain")

async def asynchronous(request):
    await asyncio.sleep(0.2)
    await asyncio.to_thread(time.sleep, 0.1)
    return HttpResponse("asynchronous")

urlpatterns = [path("plain", plain), path("asynchronous", asynchronous)]
sys.modules["__main__"].urlpatterns = urlpatterns
import greening.wsgi
import urllib.request
server = greening.wsgi.Server(greening.listen(("127.0.0.1", 0)), get_wsgi_application(), log_output=False)
server.start()
url = f"http://127.0.0.1:{server.address[1]}/"

def ask(name):
    with urllib.request.urlopen(url + name, timeout=30) as answer:
        return answer.read().decode()

ask("plain"), ask("asynchronous")
beat()
begin = time.monotonic()
names = ["plain", "asynchronous"] * 20
assert list(greening.GreenPool().imap(ask, names)) == names
assert time.monotonic() - begin < 5
server.stop(1)
"""


def test_asynchronous_views_beside_others(run_green: Callable[..., Any]) -> None:
    run_green("import sys\n" + VIEWS)


CHANNELS = """
import sys, time
import django
django.setup()
from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

class Asynchronous(AsyncWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add("all", self.channel_name)
        await self.accept()

    async def receive(self, text_data):
        await self.channel_layer.group_send("all", {"type": "tell", "text": text_data})

    async def tell(self, event):
        await self.send(event["text"])

class Synchronous(WebsocketConsumer):
    def receive(self, text_data):
        time.sleep(0.05)
        self.send(text_data + str("greening" in sys.modules))

websockets = URLRouter([path("async", Asynchronous.as_asgi()), path("sync", Synchronous.as_asgi())])
application = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": websockets})
"""

CHANNELS_SETTINGS = """
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
INSTALLED_APPS = ["channels"]
"""

CHANNELS_CLIENT = """
import sys
import greening.websocket
url = "ws://127.0.0.1:" + sys.argv[1]
beat()
clients = [greening.websocket.connect(url + "/async") for _ in range(5)]
clients[0].send("hello")
assert [client.wait() for client in clients] == ["hello"] * 5

def one(number):
    with greening.websocket.connect(url + "/sync") as client:
        client.send(str(number))
        return client.wait()

assert list(greening.GreenPool().imap(one, range(10))) == [f"{number}True" for number in range(10)]
for client in clients:
    client.close()
"""


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_channels_are_unharmed(run_green: Callable[..., Any], tmp_path: Path, server: str) -> None:
    for module in ("channels", "wsproto", server):
        pytest.importorskip(module)
    (tmp_path / "settings.py").write_text(SETTINGS + CHANNELS_SETTINGS)
    (tmp_path / "chat.py").write_text(CHANNELS)
    port = free_port()
    argv = [sys.executable, "-m", "greening", "-m", server, "chat:application"]
    argv += {"daphne": ["-p", str(port)], "uvicorn": ["--port", str(port), "--ws", "wsproto"]}[server]
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "DJANGO_SETTINGS_MODULE": "settings"}
    with running(Server(argv, folder=tmp_path, port=port, env=environment)):
        run_green(CHANNELS_CLIENT, str(port))
