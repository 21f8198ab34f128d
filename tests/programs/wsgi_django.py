"""A Django project in one file: synchronous and asynchronous views, forms, streams."""

import greening

greening.monkey_patch()

import asyncio
import http.client
import time

import django
from django.conf import settings
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

import greening.wsgi

settings.configure(DEBUG=False, SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[
    "django.middleware.common.CommonMiddleware",
])  # fmt: skip
django.setup()


def plain(request):
    time.sleep(0.02)
    return HttpResponse(f"hello {request.GET.get('name')}")


async def later(request):
    await asyncio.sleep(0.02)
    return JsonResponse({"later": request.POST.get("x"), "task": asyncio.current_task() is not None})


def stream(request):
    return StreamingHttpResponse(str(number) for number in range(5))


def broken(request):
    raise ValueError("broken view")


urlpatterns = [path("plain", plain), path("later", later), path("stream", stream), path("broken", broken)]

from django.core.wsgi import get_wsgi_application

server = greening.wsgi.Server(greening.listen(("127.0.0.1", 0)), get_wsgi_application(), log_output=False)
server.start()


def ask(method, target, body=None, headers={}):  # noqa: B006  # it is never changed
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def everything(number):
    assert ask("GET", f"/plain?name={number}") == (200, f"hello {number}".encode())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask("POST", "/later", f"x={number}", form) == (200, b'{"later": "%d", "task": true}' % number)
    assert ask("GET", "/stream") == (200, b"01234")
    assert ask("GET", "/nothing")[0] == 404
    status, content = ask("GET", "/broken")
    assert status == 500 and b"broken view" not in content


began = time.monotonic()
for _ in greening.GreenPool(20).imap(everything, range(20)):
    pass
assert time.monotonic() - began < 10
server.stop(5)
