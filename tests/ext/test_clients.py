"""Clients that are green as they are: many slow requests at once take the time of one, beside a heartbeat."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow

# An HTTP server in the same process: /slow answers after 0.3 s, /never does not.
SERVER = """
import threading, time
from greening import wsgi
def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow": time.sleep(0.3)
    if environ["PATH_INFO"] == "/never": time.sleep(60)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode() + b"?" + environ["QUERY_STRING"].encode()]
listener = greening.listen(("127.0.0.1", 0))
port = listener.getsockname()[1]
server = greening.spawn(wsgi.server, listener, app, log_output=False)
url = f"http://127.0.0.1:{port}"

def at_once(function, number=20, limit=2.5):
    begin = time.monotonic()
    threads = [greening.spawn(function, n) for n in range(number)]
    results = [thread.wait() for thread in threads]
    took = time.monotonic() - begin
    assert took < limit, took
    return results

def stopped(function):
    '''The exception of a Timeout and of a kill in the middle of a request.'''
    try:
        with greening.Timeout(0.1):
            function()
    except greening.Timeout: pass
    else: raise AssertionError("no Timeout")
    thread = greening.spawn(function)
    greening.sleep(0.1)
    thread.kill()
"""

EXAMPLES = {
    "requests": """
import requests
session = requests.Session()
beat()
get = lambda path: session.get(url + path).text
""",
    "urllib3": """
import urllib3
pool = urllib3.PoolManager(maxsize=30, block=True)
beat()
get = lambda path: pool.request("GET", url + path).data.decode()
""",
    "httpx": """
import httpx
client = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=30))
beat()
get = lambda path: client.get(url + path).text
""",
    "aiohttp": """
import asyncio, aiohttp
def get(path):
    async def ask():
        async with aiohttp.ClientSession() as session:
            async with session.get(url + path) as response:
                return await response.text()
    return asyncio.run(ask())
beat()
""",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_http_clients(name: str, run_green: Callable[..., Any]) -> None:
    pytest.importorskip(name)
    run_green(
        SERVER + EXAMPLES[name] + "assert at_once(lambda n: get(f'/slow?{n}')) == [f'/slow?{n}' for n in range(20)]\n"
        "stopped(lambda: get('/never'))\n"
        "assert [get(f'/?{n}') for n in range(50)] == [f'/?{n}' for n in range(50)]\nserver.kill()\n",
        tolerance=0.5,  # aiohttp, httpx and requests import more at their first request
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_http_clients_that_were_imported_first(name: str, run_green: Callable[..., Any]) -> None:
    pytest.importorskip(name)
    lines = "at_once(lambda n: get(f'/slow?{n}'))\nserver.kill()\n"
    run_green(SERVER + EXAMPLES[name] + lines, before=f"import {name}", tolerance=0.5)


@pytest.mark.parametrize("name", ["requests", "urllib3", "httpx"])
def test_a_pool_of_two_connections_loses_none(name: str, run_green: Callable[..., Any]) -> None:
    pytest.importorskip(name)
    small = EXAMPLES[name].replace("maxsize=30", "maxsize=2").replace("max_connections=30", "max_connections=2")
    run_green(
        SERVER + small + "for _ in range(10): stopped(lambda: get('/never'))\n"
        "with greening.Timeout(20):\n    for n in range(10): assert get(f'/?{n}') == f'/?{n}'\nserver.kill()\n",
        tolerance=0.5,
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_server_that_restarts(name: str, run_green: Callable[..., Any]) -> None:
    """Its connections are closed meanwhile; the next request makes a new one."""
    pytest.importorskip(name)
    run_green(
        SERVER + EXAMPLES[name] + "assert get('/?a') == '/?a'\nserver.kill()\nlistener.close()\n"
        "try: get('/?b')\n"
        "except Exception as error: assert any(word in str(error) for word in ('refused', 'onnect')), error\n"
        "else: raise AssertionError('answered')\n"
        "listener = greening.listen(('127.0.0.1', port))\n"
        "server = greening.spawn(wsgi.server, listener, app, log_output=False)\n"
        "assert get('/?c') == '/?c'\nserver.kill()\n",
        tolerance=0.5,
    )


WEBSOCKETS = """
import time
from greening import websocket
@websocket.WebSocketWSGI
def echo(ws):
    while (message := ws.wait()) is not None:
        time.sleep(0.2)
        ws.send(message)
"""


def test_websocket_client(run_green: Callable[..., Any]) -> None:
    pytest.importorskip("websocket")
    pytest.importorskip("wsproto")
    run_green(
        WEBSOCKETS
        + SERVER.replace("wsgi.server, listener, app", "wsgi.server, listener, echo")
        + "import websocket as client\nbeat()\n"
        "def talk(n):\n    ws = client.create_connection(f'ws://127.0.0.1:{port}/')\n    ws.send(str(n))\n"
        "    answer = ws.recv()\n    ws.close()\n    return answer\n"
        "assert at_once(talk) == [str(n) for n in range(20)]\nserver.kill()\n",
        tolerance=0.5,
    )


def test_websockets(run_green: Callable[..., Any]) -> None:
    pytest.importorskip("websockets")
    pytest.importorskip("wsproto")
    run_green(
        WEBSOCKETS
        + SERVER.replace("wsgi.server, listener, app", "wsgi.server, listener, echo")
        + "from websockets.sync.client import connect\nbeat()\n"
        "def talk(n):\n    with connect(f'ws://127.0.0.1:{port}/') as ws:\n        ws.send(str(n))\n"
        "        return ws.recv()\n"
        "assert at_once(talk) == [str(n) for n in range(20)]\nserver.kill()\n",
        tolerance=0.5,
    )


@pytest.mark.parametrize("before", ["", "import boto3"], ids=["early", "late"])
def test_boto3(before: str, run_green: Callable[..., Any]) -> None:
    pytest.importorskip("boto3")
    pytest.importorskip("moto.server")
    run_green(
        "import threading, os\n"
        "os.environ.update(AWS_ACCESS_KEY_ID='a', AWS_SECRET_ACCESS_KEY='b', AWS_DEFAULT_REGION='us-east-1')\n"
        "import boto3\nfrom moto.server import ThreadedMotoServer\n"
        "server = ThreadedMotoServer('127.0.0.1', port=0, verbose=False)\nserver.start()\n"
        "host, port = server.get_host_and_port()\n"
        "s3 = boto3.client('s3', endpoint_url=f'http://127.0.0.1:{port}')\n"
        "s3.create_bucket(Bucket='bucket')\nbeat()\n"
        "def there_and_back(n):\n    body = bytes([n]) * 100_000\n"
        "    s3.put_object(Bucket='bucket', Key=str(n), Body=body)\n"
        "    assert s3.get_object(Bucket='bucket', Key=str(n))['Body'].read() == body\n"
        "threads = [greening.spawn(there_and_back, n) for n in range(20)]\n"
        "for thread in threads: thread.wait()\n"
        "for n in range(40):\n    with greening.Timeout(0.001 * n, False): there_and_back(n)\n"
        "thread = greening.spawn(there_and_back, 7)\ngreening.sleep(0)\nthread.kill()\n"
        "for n in range(20): there_and_back(n)\nserver.stop()\n",
        before=before,
        tolerance=1.5,  # the server computes in the same process, and imports as it goes
    )


SSH = """
import socket, threading, time
import paramiko
key = paramiko.RSAKey.generate(2048)
class Server(paramiko.ServerInterface):
    def check_auth_password(self, name, password): return paramiko.AUTH_SUCCESSFUL
    def get_allowed_auths(self, name): return "password"
    def check_channel_request(self, kind, number): return paramiko.OPEN_SUCCEEDED
    def check_channel_exec_request(self, channel, command):
        greening.spawn(answer, channel, command)
        return True
def answer(channel, command):
    time.sleep(0.3)
    channel.sendall(command)
    channel.send_exit_status(0)
    channel.close()
def handle(sock, address):
    transport = paramiko.Transport(sock)
    transport.add_server_key(key)
    transport.start_server(server=Server())
    transport.join()
listener = greening.listen(("127.0.0.1", 0))
server = greening.spawn(greening.serve, listener, handle)
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", port=listener.getsockname()[1], username="a", password="b", allow_agent=False,
               look_for_keys=False)
"""


@pytest.mark.parametrize("before", ["", "import paramiko"], ids=["early", "late"])
def test_paramiko(before: str, run_green: Callable[..., Any]) -> None:
    pytest.importorskip("paramiko")
    run_green(
        SSH + "beat()\nbegin = time.monotonic()\n"
        "threads = [greening.spawn(lambda n=n: client.exec_command(str(n))[1].read()) for n in range(8)]\n"
        "assert [thread.wait() for thread in threads] == [b'%d' % n for n in range(8)]\n"
        "assert time.monotonic() - begin < 2\n"
        "ask = lambda n: client.exec_command(str(n))[1].read()\n"
        "for seconds in (0.001, 0.01, 0.1, 0.2):\n    with greening.Timeout(seconds, False): ask(1)\n"
        "thread = greening.spawn(ask, 2)\ngreening.sleep(0.1)\nthread.kill()\n"
        "assert ask(3) == b'3'\nclient.close()\nserver.kill()\n",
        before=before,
        tolerance=1,  # ciphers are computed, at both ends
    )


def test_the_example_of_the_page(run_page: Callable[..., Any]) -> None:
    pytest.importorskip("requests")
    run_page("clients")
