"""Django's database connections under greening, on a real PostgreSQL: a request that dies gives its own back."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.ext.servers import Server

pytest.importorskip("django")
pytest.importorskip("psycopg_pool")
pytestmark = pytest.mark.slow  # every one runs programs, and a server

Run = Callable[..., Any]


def database(postgres: Server, options: dict[str, object], age: int = 0) -> dict[str, object]:
    place = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": "127.0.0.1"}
    return {**place, "PORT": postgres.port, "OPTIONS": options, "CONN_MAX_AGE": age}


BEGIN = """
import logging, sys, time
from urllib.request import urlopen
import django
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from greening import GreenletExit, GreenPool, Timeout, sleep, spawn
import greening.wsgi

logging.disable(logging.CRITICAL)
DATABASES = {"default": eval(sys.argv[1])}
settings.configure(SECRET_KEY="x", ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], DATABASES=DATABASES)
django.setup()

def slow(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [float(request.GET["s"])])
    return HttpResponse("done")

def careful(request):
    with transaction.atomic():
        return slow(request)

def lines(request):
    def rows():
        for _ in range(3):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(%s)", [float(request.GET["s"])])
            yield "row"
    return StreamingHttpResponse(rows())

urlpatterns = [path("slow", slow), path("careful", careful), path("lines", lines)]
sys.modules["__main__"].urlpatterns = urlpatterns

from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
running = set()

def limited(environ, start_response):
    running.add(greening.getcurrent())
    with Timeout(0.1 if "limit" in environ["QUERY_STRING"] else None):
        return application(environ, start_response)

server = greening.wsgi.Server(greening.listen(("127.0.0.1", 0)), limited, log_output=False)
server.start()

def ask(target):
    try:
        with urlopen("http://%s:%s/%s" % (*server.address, target), timeout=30) as answer:
            return answer.read().decode()
    except OSError:
        return "failed"

def open_connections():
    import psycopg
    with psycopg.connect(**PLACE) as other:
        text = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()"
        return other.execute(text).fetchone()[0]

PLACE = {"host": "127.0.0.1", "port": settings.DATABASES["default"]["PORT"], "user": "postgres", "dbname": "postgres"}
assert ask("slow?s=0") == "done"
beat()
"""


def test_the_example_of_the_page(run_page: Run, postgres: Server) -> None:
    before = f"DATABASE = {database(postgres, {'pool': True})!r}"
    assert run_page("django", before).stdout == "from the database\n"


def test_requests_that_die_give_their_connections_back_to_the_pool(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
for round in range(3):
    for target in ("slow", "careful", "lines"):
        if target != "lines":  # whose Timeout would be over when they begin
            assert set(GreenPool().imap(ask, [f"{target}?s=30&limit"] * 3)) == {"failed"}
        running.clear()
        asked = [spawn(ask, f"{target}?s=30") for _ in range(3)]
        while len(running) < 3:
            sleep(0.01)
        sleep(0.05)
        for thread in list(running):
            thread.kill()
        for thread in asked:
            thread.wait()
assert list(GreenPool().imap(ask, ["slow?s=0.2"] * 6)) == ["done"] * 6
from django.db import connections
pool = connections["default"].pool
stats = pool.get_stats()
assert stats["requests_waiting"] == 0 and stats["pool_size"] == stats["pool_available"] <= 3, stats
server.stop()
pool.close()
""",
        repr(database(postgres, {"pool": {"min_size": 3, "max_size": 3, "timeout": 20}})),
        tolerance=0.5,  # Django and urllib, six at a time
    )


@pytest.mark.parametrize("age", [0, 60])
def test_connections_end_with_their_green_threads(run_green: Run, postgres: Server, age: int) -> None:
    run_green(
        BEGIN
        + """
import gc
gc.disable()
before = open_connections()
assert list(GreenPool().imap(ask, ["slow?s=0.05"] * 10)) == ["done"] * 10
GreenPool().waitall()
end = time.monotonic() + 20
while open_connections() > 1 and time.monotonic() < end:
    sleep(0.05)
assert open_connections() <= 1, open_connections()
server.stop()
""",
        repr(database(postgres, {}, age)),
        tolerance=0.5,  # Django and urllib, ten at a time
    )


def test_a_green_thread_of_ones_own_gives_back_what_it_has(run_green: Run, postgres: Server) -> None:
    run_green(
        BEGIN
        + """
from greening.ext.django import connections_returned
server.stop()

@connections_returned()
def job(n):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int", [n])
        return cursor.fetchone()[0]

assert [spawn(job, n).wait() for n in range(5)] == list(range(5))
from django.db import connections
stats = connections["default"].pool.get_stats()
assert stats["pool_size"] == stats["pool_available"] == 1, stats
connections["default"].pool.close()
""",
        repr(database(postgres, {"pool": {"min_size": 1, "max_size": 1, "timeout": 20}})),
    )


APPLICATION = """
import django, greening
from django.conf import settings
from django.db import connection, connections
from django.http import HttpResponse
from django.urls import path

settings.configure(SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], DATABASES={"default": PLACE})
django.setup()

def slow(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [float(request.GET["s"])])
    return HttpResponse("done")

def stats(request):
    stats = connections["default"].pool.get_stats()
    return HttpResponse(str(stats["pool_size"] == stats["pool_available"] == 3 and not stats["requests_waiting"]))

urlpatterns = [path("slow", slow), path("stats", stats)]

from django.core.wsgi import get_wsgi_application
inner = get_wsgi_application()

def app(environ, start_response):
    with greening.Timeout(0.1 if "limit" in environ["QUERY_STRING"] else None):
        return inner(environ, start_response)
"""

CLIENT = """
import subprocess, sys, time
from pathlib import Path
from urllib.request import urlopen
import greening
greening.monkey_patch()

Path("served.py").write_text(f"PLACE = {sys.argv[1]}\\n{sys.argv[2]}")
worker = ["-k", "greening.ext.gunicorn.GreeningWorker", "-b", "127.0.0.1:0", "served:app"]
server = subprocess.Popen([sys.executable, "-m", "gunicorn", *worker], stderr=subprocess.PIPE, text=True)
try:
    for line in server.stderr:
        if "Listening at" in line:
            address = line.partition("http://")[2].split()[0]
            break
    greening.spawn(server.stderr.read)

    def ask(target):
        try:
            with urlopen(f"http://{address}/{target}", timeout=30) as answer:
                return answer.read().decode()
        except OSError as error:
            return error.code

    assert ask("slow?s=0") == "done"
    for _ in range(3):
        assert set(greening.GreenPool().imap(ask, ["slow?s=30&limit"] * 6)) == {500}
    assert set(greening.GreenPool().imap(ask, ["slow?s=0.1"] * 6)) == {"done"}
    end = time.monotonic() + 20
    while ask("stats") != "True":  # the last answers are out before their connections are back
        assert time.monotonic() < end
        time.sleep(0.05)
finally:
    server.terminate()
    server.wait()
"""


def test_behind_gunicorn_too(run_program: Run, postgres: Server) -> None:
    pytest.importorskip("gunicorn")
    pool = {"min_size": 3, "max_size": 3, "timeout": 20}
    run_program(CLIENT, repr(database(postgres, {"pool": pool})), APPLICATION, timeout=90)
