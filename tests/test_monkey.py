"""monkey_patch() and its kin on the real catalogue, each in a fresh interpreter."""

import sys

import pytest

import greening
from greening import monkey
from greening.patches import CATALOGUE


def test_nothing_is_patched_in_the_process_of_the_tests() -> None:
    assert not any(greening.is_monkey_patched(entry.flag) for entry in CATALOGUE)
    assert not greening.is_monkey_patched("no such thing")


def test_unknown_flags() -> None:
    with pytest.raises(TypeError, match=r"'sockets'.*the flags are: all, .*socket"):
        greening.monkey_patch(sockets=True)
    with pytest.raises(TypeError, match="'psycopg2', 'mysql'"):
        greening.monkey_patch(psycopg2=True, mysql=False)


@pytest.mark.parametrize(
    ("calls", "on", "off"),
    [
        ("greening.monkey_patch()", "psycopg MySQLdb os", ""),
        ("greening.monkey_patch(psycopg=False)", "MySQLdb os", "psycopg"),
        ("greening.monkey_patch(psycopg=True)", "psycopg", "MySQLdb os"),
        ("greening.monkey_patch(psycopg=True, time=True)", "psycopg MySQLdb time", "os"),
        ("greening.monkey_patch(MySQLdb=False, os=True)", "psycopg os", "MySQLdb time"),
        ("greening.monkey_patch(all=True, psycopg=True, MySQLdb=False)", "psycopg os", "MySQLdb"),
        ("greening.monkey_patch(MySQLdb=False); greening.monkey_patch(MySQLdb=True)", "psycopg MySQLdb os", ""),
        ("greening.monkey_patch(); greening.unpatch()", "", "psycopg MySQLdb os"),
    ],
)
def test_flags_of_database_drivers_are_as_in_eventlet(run_program, calls: str, on: str, off: str) -> None:
    run_program(
        f"import greening\n{calls}\n"
        f"assert all(map(greening.is_monkey_patched, {on.split()}))\n"
        f"assert not any(map(greening.is_monkey_patched, {off.split()}))\n"
    )


def test_everything_is_patched_and_restored(run_program) -> None:
    run_program("""
import importlib.util, sys
from greening.patches import CATALOGUE
CATALOGUE = [e for e in CATALOGUE if importlib.util.find_spec(e.target)]  # not every Python has all of them
modules = [__import__(e.target, fromlist=["x"]) for e in CATALOGUE]
import greening, json, concurrent.futures.thread, logging, http.client, multiprocessing.pool, tempfile
def picture():
    seen = {}
    for module in modules:
        seen[module.__name__] = {k: id(v) for k, v in vars(module).items() if not k.startswith("__")}
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == module.__name__:
                attributes = {k: id(v) for k, v in vars(value).items() if not k.startswith(("__", "_abc"))}
                seen[f"{module.__name__}.{name}"] = attributes
    return seen
before = picture()
assert greening.monkey_patch() is None
after = picture()
for entry in CATALOGUE:
    assert greening.is_monkey_patched(entry.target), entry
    assert greening.is_monkey_patched(sys.modules[entry.target]), entry
    assert greening.is_monkey_patched(entry.flag), entry
assert before != after
greening.monkey_patch()
assert picture() == after, "a second call changed something"
greening.unpatch()
now = picture()
for place in before.keys() | now.keys():
    old, new = before.get(place, {}), now.get(place, {})
    assert old == new, (place, {k for k in old.keys() | new.keys() if old.get(k) != new.get(k)})
assert not greening.is_monkey_patched("socket")
greening.unpatch()
greening.monkey_patch()
greening.unpatch()
assert picture() == before
import subprocess, threading, queue, time
assert subprocess.run(["true"]).returncode == 0
thread = threading.Thread(target=time.sleep, args=(0.01,))
thread.start()
thread.join()
""")


def test_modules_that_come_later(run_program) -> None:
    run_program("""
import sys
import greening
from greening.patches import CATALOGUE
greening.monkey_patch()
late = [e.target for e in CATALOGUE if e.target not in sys.modules]
assert "ssl" in late and "subprocess" in late, late
assert greening.is_monkey_patched("ssl")
import ssl, subprocess, socket
assert greening.is_monkey_patched(ssl)
assert "ssl" in greening.monkey.LEDGER.placed
blocking = greening.original("ssl")
assert blocking.SSLSocket.recv is not ssl.SSLSocket.recv
greening.unpatch()
assert not greening.is_monkey_patched("ssl")
""")


def test_flags(run_program) -> None:
    run_program("""
import greening, time, threading, socket, _thread
greening.monkey_patch(time=True)
assert greening.is_monkey_patched("time") and not greening.is_monkey_patched("thread")
sleep = time.sleep
greening.monkey_patch(thread=True)
assert greening.is_monkey_patched("time") and greening.is_monkey_patched("thread")
assert greening.is_monkey_patched("threading") and greening.is_monkey_patched(_thread)
assert not greening.is_monkey_patched(socket)
assert time.sleep is sleep
greening.unpatch()
greening.monkey_patch(all=False)
assert not greening.is_monkey_patched("time")
greening.monkey_patch(thread=False, subprocess=False)
assert greening.is_monkey_patched("socket") and greening.is_monkey_patched("ssl")
assert not greening.is_monkey_patched("threading")
""")


def test_late_patching_reaches_captured_names(run_program) -> None:
    run_program("""
import sys
from time import sleep
from socket import create_connection, getaddrinfo as resolve
from threading import Lock, get_ident
import time, socket, threading
def nap(seconds=0.05, how=time.sleep): how(seconds)
class Worker:
    pause = time.sleep
    lock = threading.Lock
originals = dict(sleep=sleep, Lock=Lock, get_ident=get_ident)
import greening
greening.monkey_patch()
assert sleep is time.sleep is not originals["sleep"]
assert Lock is threading.Lock and get_ident is threading.get_ident
assert resolve is socket.getaddrinfo
ticks = []
greening.spawn_after(0.01, ticks.append, 1)
nap()
assert ticks == [1]
greening.spawn_after(0.01, ticks.append, 2)
Worker().pause(0.05)
assert ticks == [1, 2]
assert type(Worker.lock()) is type(threading.Lock())
greening.unpatch()
assert (sleep, Lock, get_ident) == tuple(originals.values())
assert nap.__defaults__[1] is sleep and vars(Worker)["pause"] is sleep
""")


def test_originals_block(run_program) -> None:
    run_program("""
import greening, sys
before = {name: greening.original(name) for name in ("time", "threading", "queue", "socket", "select", "os", "_thread")}
greening.monkey_patch()
after = {name: greening.original(name) for name in before}
assert before == after
ticks = []
def ticker():
    while True:
        ticks.append(1)
        greening.sleep(0.001)
greening.spawn(ticker)
greening.sleep(0.01)

def blocks(call):
    seen = len(ticks)
    result = call()
    assert len(ticks) <= seen + 1, call  # others have a turn when a lock is taken after that long a slice
    return result

blocks(lambda: after["time"].sleep(0.05))
import _thread, threading, os, time, socket
ran = []
def native():
    ran.append((after["threading"].get_ident(), after["threading"].current_thread().name))
    after["time"].sleep(0.05)
thread = after["threading"].Thread(target=native, name="a real one")
thread.start()
blocks(thread.join)
assert ran[0][1] == "a real one" and ran[0][0] != greening.original("_thread").get_ident()
box = after["queue"].Queue()
thread = after["threading"].Thread(target=lambda: (after["time"].sleep(0.03), box.put(5)))
thread.start()
assert blocks(box.get) == 5
a, b = after["socket"].socketpair()
thread = after["threading"].Thread(target=lambda: (after["time"].sleep(0.03), b.send(b"x")))
thread.start()
assert blocks(lambda: a.recv(1)) == b"x"
assert after["socket"].timeout is socket.timeout and after["socket"].AF_UNIX is socket.AF_UNIX
assert after["os"].environ is os.environ
assert greening.original("json") is __import__("json")
try:
    greening.original("no_such_module")
except ModuleNotFoundError:
    pass
else:
    raise AssertionError
""")


def test_original_threads_are_waited_for_at_exit(run_program) -> None:
    done = run_program("""
import greening
greening.monkey_patch()
threading, time = greening.original("threading"), greening.original("time")
threading.Thread(target=lambda: (time.sleep(0.05), print("finished"))).start()
print("main is through")
""")
    assert done.stdout.splitlines() == ["main is through", "finished"]


def test_from_a_native_thread(run_program) -> None:
    run_program("""
import threading, time, sys
import greening
thread = threading.Thread(target=greening.monkey_patch)
thread.start()
thread.join()
assert greening.is_monkey_patched("thread")
ticks = []
greening.spawn_after(0.01, ticks.append, 1)
time.sleep(0.05)
assert ticks == [1]
""")


def test_third_party_hooks(run_program, tmp_path) -> None:
    (tmp_path / "driver.py").write_text("def query(): return 'blocking'\n")
    run_program("""
import sys
sys.path.insert(0, ".")
import greening
from greening.monkey import patch_module, when_imported
from greening.patcher.spec import Patch

def hook(module):
    patch_module(Patch(target="driver", flag="driver", replaces={"query": lambda: "green"}), module)
cancel = when_imported("driver", hook)
greening.monkey_patch()
from driver import query
assert query() == "green"
cancel()
greening.unpatch()
import driver
assert driver.query() == "blocking"
""")


PLUGIN = """\
[console_scripts]
something = else:main

[greening.patches]
# a comment
driver = my_plugin:patches.query [extra]
"""


def test_plugins(run_program, tmp_path) -> None:
    folder = tmp_path / "my_plugin-1.0.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text(PLUGIN)
    (tmp_path / "my_plugin.py").write_text("class patches:\n  def query(module): module.query = lambda: 'green'\n")
    (tmp_path / "driver.py").write_text("def query(): return 'blocking'\n")
    run_program("""
import sys
sys.path.insert(0, ".")
import greening
greening.monkey_patch()
assert "my_plugin" not in sys.modules
import driver
assert driver.query() == "green"
greening.unpatch()
del sys.modules["driver"]
import driver
assert driver.query() == "blocking"
greening.monkey_patch()
assert driver.query() == "green", "it was imported already"
""")
    (folder / "entry_points.txt").write_text("[greening.patches]\ndriver = my_plugin:missing\n")
    done = run_program(
        "import sys; sys.path.insert(0, '.')\nimport greening, driver\ngreening.monkey_patch()\nprint(driver.query())\n"
    )
    assert done.stdout == "blocking\n"
    assert "PatchWarning: the plug-in 'my_plugin:missing' for 'driver' failed: AttributeError: " in done.stderr


def test_a_plugin_that_is_on_the_path_twice_is_called_once(run_program, tmp_path) -> None:
    """The same folder under two names, and an older release behind it."""
    for folder, release in (("new", "My.Plugin-2.0.dist-info"), ("old", "my_plugin-1.0-py3.11.egg-info")):
        (tmp_path / folder / release).mkdir(parents=True)
        (tmp_path / folder / release / "entry_points.txt").write_text(f"[greening.patches]\ndriver = plugin:{folder}\n")
        (tmp_path / folder / "plugin.py").write_text(f"calls = []\ndef {folder}(module): calls.append('{folder}')\n")
    (tmp_path / "new" / "driver.py").touch()
    run_program("""
import sys
sys.path[:0] = ["new", "./new", "old"]
import greening
greening.monkey_patch()
import driver, plugin
assert plugin.calls == ["new"]
""")


WRAPT_HOOK = """
import wrapt

def hook(module):
    @wrapt.patch_function_wrapper(module, "Driver.query")
    def query(wrapped, instance, args, kwargs):
        return f"green after {wrapped(*args, **kwargs)} of {instance.name}"
"""


def test_a_hook_that_was_written_for_wrapt_is_a_plugin(run_program, tmp_path) -> None:
    folder = tmp_path / "my_plugin-1.0.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text("[greening.patches]\ndriver = my_plugin:hook\n")
    (tmp_path / "my_plugin.py").write_text(WRAPT_HOOK)
    (tmp_path / "driver.py").write_text("class Driver:\n  name = 'driver'\n  def query(self, n): return n\n")
    run_program("""
import sys
sys.path.insert(0, ".")
import greening
greening.monkey_patch()
assert "wrapt" not in sys.modules
import driver
assert driver.Driver().query(1) == "green after 1 of driver"
assert driver.Driver.query.__name__ == "query"
""")


@pytest.mark.skipif("coverage" in sys.modules, reason="coverage brings modules and locks of its own")
def test_the_start_is_quick(run_program) -> None:
    """An order of magnitude above what it takes: no heavy import slips in unseen."""
    done = run_program("""
import sys, time
start = time.perf_counter()
import greening
greening.monkey_patch()
print(time.perf_counter() - start)
assert not {"wrapt", "ssl", "subprocess", "asyncio", "logging", "inspect", "importlib.metadata"} & sys.modules.keys()
""")
    assert float(done.stdout) < 1.5


def test_every_public_function_is_documented() -> None:
    for function in (monkey.monkey_patch, monkey.unpatch, monkey.when_imported, monkey.patch_module, monkey.original):
        assert function.__doc__
