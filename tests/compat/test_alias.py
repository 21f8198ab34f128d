"""`install`: `import eventlet` means greening, in a fresh interpreter each time."""

import sys

import pytest

pytestmark = pytest.mark.slow

HEAD = "from greening.compat.eventlet import install\ninstall()\n"

SAME_OBJECTS = (
    HEAD
    + """
import eventlet, greening, sys
import eventlet.hubs.timer, eventlet.green.http.client
from eventlet.green import socket, urllib, Queue
from eventlet.green.urllib import request
import greening.compat.eventlet as real
import greening.green.socket, greening.green.http.client, greening.green.urllib.request, greening.green.queue
assert eventlet is real
assert eventlet.hubs is real.hubs and eventlet.hubs.timer is sys.modules["greening.compat.eventlet.hubs.timer"]
assert socket is greening.green.socket is eventlet.green.socket is sys.modules["eventlet.green.socket"]
assert eventlet.green.http.client is greening.green.http.client
assert request is greening.green.urllib.request and Queue is greening.green.queue
for name in "spawn spawn_n spawn_after kill GreenPool GreenPile Event Queue Timeout connect serve".split():
    assert getattr(eventlet, name) is getattr(greening, name), name
assert eventlet.sleep is eventlet.greenthread.sleep is greening._core.waiting.sleep_or_look
assert sum(name.startswith("eventlet") for name in sys.modules) < 20
"""
)

HTTP_HEADS = (
    HEAD
    + """
import http.client
stdlibs = http.client.parse_headers
import eventlet
from eventlet.green.http import client
assert client is not http.client and client.parse_headers.__module__ == "greening.compat.eventlet.http_heads"
assert http.client.parse_headers is stdlibs
"""
)

HTTP_HEADS_PATCHED = (
    HEAD
    + """
import eventlet, greening
eventlet.monkey_patch()
import http.client
stdlibs = http.client.parse_headers
from eventlet.green.http import client
assert client is http.client and client.parse_headers is not stdlibs
greening.unpatch()
assert http.client.parse_headers is stdlibs
"""
)

SUBMODULES = (
    HEAD
    + """
import eventlet
for name in ("greenthread greenpool event queue semaphore timeout tpool corolocal patcher greenio hubs green wsgi "
             "websocket backdoor debug convenience support asyncio lock coros").split():
    module = getattr(eventlet, name)
    assert module.__name__.startswith("greening."), module
assert eventlet.green.ssl.wrap_socket and eventlet.support.greenlets and eventlet.greenlet.GreenletExit
assert "hubs" in dir(eventlet) and "spawn" in dir(eventlet)
for nothing in ("nothing", "green.nothing", "hubs.nothing"):
    try:
        __import__("eventlet." + nothing)
    except ModuleNotFoundError:
        pass
    else:
        raise SystemExit(f"eventlet.{nothing} was found")
assert not hasattr(eventlet, "nothing") and not hasattr(eventlet.green, "nothing")
"""
)

ORIGINALS = (
    HEAD
    + """
import sys, time
import eventlet
assert "__original_module_threading" in sys.modules
eventlet.monkey_patch()
import __original_module_threading as threading, __original_module_queue as queue
import threading as green
assert threading is eventlet.patcher.original("threading") is sys.modules["__original_module_threading"]
assert queue is eventlet.patcher.original("queue")
import _thread
started = []
thread = threading.Thread(target=lambda: started.append(threading.get_native_id()))
thread.start(); thread.join()
assert started != [threading.get_native_id()]
assert threading._allocate_lock is not green._allocate_lock
assert eventlet.patcher.original("time").sleep is not time.sleep
sys.modules["__original_module_select"] = "mine"
assert eventlet.patcher.original("select") == "mine"
"""
)

COPIES = (
    HEAD
    + """
import sys
from pathlib import Path
Path("theirs.py").write_text("import eventlet, socket\\nfrom eventlet import hubs\\n")
sys.path.insert(0, "")
import eventlet
module = eventlet.import_patched("theirs")
assert module.eventlet is eventlet and module.hubs is eventlet.hubs
assert module.socket is eventlet.green.socket
"""
)

AGAIN = (
    HEAD
    + """
import sys, eventlet
install()
assert sum(getattr(finder, "__name__", "") == "Finder" for finder in sys.meta_path) == 1
del sys.modules["eventlet"]
import eventlet as other
assert other is eventlet
"""
)

SOCKETS = (
    HEAD
    + """
import eventlet, socket
from eventlet.green import socket as copy
eventlet.monkey_patch()
for kind in (socket.socket, copy.socket, eventlet.greenio.GreenSocket):
    with kind() as sock:
        assert sock.fd is sock, kind
eventlet.listen(("127.0.0.1", 0)).fd._real_close()
"""
)


SIGNALS = (
    HEAD
    + """
import eventlet
eventlet.monkey_patch()
import os, signal, threading
came = eventlet.Event()
eventlet.spawn(signal.signal, signal.SIGUSR1, lambda number, frame: came.send(number)).wait()
os.kill(os.getpid(), signal.SIGUSR1)
assert came.wait(5) == signal.SIGUSR1
def refused():
    try:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    except ValueError:
        return True
assert eventlet.tpool.execute(refused)
"""
)


GREEN_THREADS = (
    HEAD
    + """
import eventlet, greening
from eventlet import greenthread, hubs
hub = hubs.get_hub()
thread = greenthread.GreenThread(hub.greenlet)
hub.schedule_call_global(0, thread.switch, divmod, (7, 2), {})
assert thread.wait() == (3, 1) and isinstance(thread, greening.GreenThread)
class Mine(greenthread.GreenThread):
    def __init__(self):
        super().__init__(parent=hub.greenlet)
thread = Mine()
eventlet.kill(g=thread)
assert thread.dead
assert greening.spawn_after(0, dict, parent=1).wait() == {"parent": 1}
"""
)

ERRORS = (
    HEAD
    + """
import eventlet, io, sys, threading
told, sys.stderr = [], io.StringIO()
threading.excepthook = told.append
eventlet.spawn_n(divmod, 1, 0)
eventlet.sleep(0)
assert len(told) == sys.stderr.getvalue().count("ZeroDivisionError") == 1
eventlet.debug.hub_exceptions(False)
eventlet.spawn_n(divmod, 1, 0)
eventlet.sleep(0)
assert len(told) == sys.stderr.getvalue().count("ZeroDivisionError") == 1
"""
)


TIMEOUTS = (
    HEAD
    + """
import eventlet, greening
late = eventlet.Timeout(0, "too slow")
assert str(late) == "0 seconds (too slow)" and eventlet.is_timeout(late) and isinstance(late, greening.Timeout)
try:
    eventlet.sleep(1)
except greening.Timeout as error:
    assert error is late
"""
)


@pytest.mark.parametrize(
    "program",
    [
        SAME_OBJECTS,
        SUBMODULES,
        ORIGINALS,
        COPIES,
        AGAIN,
        SOCKETS,
        SIGNALS,
        ERRORS,
        TIMEOUTS,
        GREEN_THREADS,
        HTTP_HEADS,
        HTTP_HEADS_PATCHED,
    ],
    ids=[
        "same-objects",
        "submodules",
        "originals",
        "copies",
        "again",
        "sockets",
        "signals",
        "errors",
        "timeouts",
        "green-threads",
        "http-heads",
        "http-heads-patched",
    ],
)
def test_program(run_program, program: str) -> None:
    run_program(program)


REFUSED = """
import sys, types
real = sys.modules["eventlet"] = types.ModuleType("eventlet")
real.__file__ = "/somewhere/eventlet/__init__.py"
from greening.compat.eventlet import install
try:
    install()
except ImportError as error:
    assert "/somewhere/eventlet/__init__.py" in str(error) and "--as-eventlet" in str(error)
else:
    raise SystemExit("it did not refuse")
assert sys.modules["eventlet"] is real
assert "greening.compat.alias" not in [getattr(finder, "__module__", "") for finder in sys.meta_path]
"""


def test_it_refuses_to_stand_beside_the_real_one(run_program) -> None:
    run_program(REFUSED)


UNASKED = """
import sys
import greening, greening.debug, greening.wsgi, greening.green.socket
greening.monkey_patch()
assert not [name for name in sys.modules if name.startswith("eventlet") or "compat" in name.partition(".")[2]]
import greening.compat, greening.compat.eventlet.hubs
assert not [name for name in sys.modules if name.startswith(("eventlet", "__original_module_"))]
"""


def test_nothing_is_called_eventlet_unless_asked_for(run_program) -> None:
    run_program(UNASKED)


DOOR = """
import sys
import eventlet
from eventlet import patcher
print(eventlet.__name__, patcher.is_monkey_patched("socket"), patcher.is_monkey_patched("time"), sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("options", "socket", "time"),
    [(["--as-eventlet"], False, False), (["--as-eventlet", "--only", "time"], False, True)],
)
def test_the_command_line_door(run_program, options: list[str], socket: bool, time: bool) -> None:
    done = run_program(DOOR, "x", python_args=("-m", "greening", *options))
    assert done.stdout == f"greening.compat.eventlet {socket} {time} ['x']\n"


@pytest.mark.parametrize(("value", "name"), [("1", "greening.compat.eventlet"), ("0", "")])
def test_the_variable_opens_the_door_of_the_command(run_program, value: str, name: str) -> None:
    program = "import sys, greening\nprint(*[m.__name__ for m in [sys.modules.get('eventlet')] if m])\n"
    done = run_program(program, python_args=("-m", "greening"), env={"GREENING_AS_EVENTLET": value})
    assert done.stdout.strip() == name


def test_a_module_is_run_as_eventlet(run_program, tmp_path) -> None:
    (tmp_path / "mine.py").write_text("import eventlet\nprint(eventlet.__name__, __name__)\n")
    starter = "import subprocess, sys\nsys.exit(subprocess.call([sys.executable, '-m', 'greening', *sys.argv[1:]]))\n"
    done = run_program(starter, "--as-eventlet", "-m", "mine")
    assert done.stdout == "greening.compat.eventlet __main__\n"
    assert sys.modules.get("mine") is None


PATCHED = """
import sys, greening
print(__name__, sys.argv[1:], greening.is_monkey_patched("threading"))
import beside
"""


def test_the_patcher_runs_a_script(run_program, tmp_path) -> None:
    (tmp_path / "sub").mkdir()
    script = tmp_path / "sub" / "mine.py"
    script.write_text(PATCHED)
    (tmp_path / "sub" / "beside.py").write_text("print('found')\n")
    starter = "import subprocess, sys\nsys.exit(subprocess.call([sys.executable, '-m', 'greening', *sys.argv[1:]]))\n"
    run = ("--as-eventlet", "-m", "eventlet.patcher")
    assert run_program(starter, *run, str(script), "x").stdout == "__main__ ['x'] True\nfound\n"
    assert "usage: python -m eventlet.patcher" in run_program(starter, *run, check=False).stderr


ENDS = """
import {threading}
eventlet.sleep(0)
def go_on():
    print("begun", flush=True)
    while True: eventlet.sleep(0.01)
{threading}.Thread(target=go_on).start()
{more}
eventlet.sleep(0)
"""


@pytest.mark.parametrize("threading", ["threading", "eventlet.green.threading"])
def test_threads_that_go_on_do_not_hold_up_the_end_of_the_program(run_program, threading: str) -> None:
    patch = "eventlet.monkey_patch()\n" if threading == "threading" else ""
    done = run_program(HEAD + "import eventlet\n" + patch + ENDS.format(threading=threading, more=""))
    assert done.stdout == "begun\n"


def test_what_a_pool_has_taken_is_done_before_the_end(run_program) -> None:
    pool = (
        "import concurrent.futures as f; f.ThreadPoolExecutor(1).submit(lambda: (eventlet.sleep(0.05), print('done')))"
    )
    program = HEAD + "import eventlet\neventlet.monkey_patch()\n" + ENDS.format(threading="threading", more=pool)
    assert run_program(program).stdout == "begun\ndone\n"
