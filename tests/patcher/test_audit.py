"""`greening.debug.audit()`: what stayed blocking is named, with its place."""

import re
import sys

import pytest

from greening.debug import audit

LATE = """
import functools, time, threading, queue, _thread
from time import sleep
table = {"nap": time.sleep}
pair = (time.sleep,)
nap = functools.partial(time.sleep, 1)
def make():
    captured = time.sleep
    return lambda: captured(1)
closure = make()
held = threading.Lock()
held.acquire()
reentrant = threading.RLock()
class Slotted:
    __slots__ = ("lock", "how")
slotted = Slotted()
slotted.how = time.sleep
locks = (threading.Lock(),)
box = queue.SimpleQueue()
local = threading.local()
class Derived(threading.local): pass
class Particular(threading.local):
    def __setattr__(self, name, value): super().__setattr__(name, value)
frozen = frozenset([threading.local()])
import socket
peer, other = socket.socketpair()
receive = peer.recv
read = functools.partial(peer.recv, 10)
import multiprocessing.managers
import collections, dataclasses
@dataclasses.dataclass
class Data:
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    nap: object = time.sleep
made_on_demand = collections.defaultdict(threading.Lock)
from selectors import PollSelector as TheSelector
"""


def test_nothing_is_patched_nothing_is_found() -> None:
    assert audit() == []


@pytest.mark.slow
def test_what_was_made_or_captured_before(run_program, tmp_path) -> None:
    (tmp_path / "late.py").write_text(LATE)
    run_program("""
import sys
sys.path.insert(0, ".")
import late
import greening
from greening.debug import Finding, audit
greening.monkey_patch()
found = audit()
assert all(isinstance(finding, Finding) and finding.remedy for finding in found)
places = {finding.where: finding for finding in found}
for where, finding in places.items():
    print(finding)
for where in ("late.table['nap']", "late.pair[0]", "late.slotted.how"):
    assert places[where].kind == "name" and "time.sleep" in places[where].what, places
assert any(where.startswith("late.nap") for where in places)
assert any(where.startswith("late.make.<locals>") and f.kind == "name" for where, f in places.items())
assert "late.sleep" not in places, "it has been rebound"
assert "late.local" not in places and "late.Derived" not in places, "they have been adopted"
assert places["late.Particular"].kind == "class"
(frozen,) = (finding for where, finding in places.items() if where.startswith("late.frozen"))
assert frozen.kind == "instance" and "threading.local" in frozen.what
assert "late.receive" not in places and "method recv of a socket" in places["late.read.func"].what
assert "the unpatched threading.Lock" in places["late.made_on_demand.default_factory"].what, "by its public name"
data = late.Data()
assert type(data.lock) is type(late.threading.Lock()) and data.nap is late.sleep
assert not any("Data" in where for where in places)
import selectors, subprocess
assert late.TheSelector is selectors.PollSelector is not subprocess._PopenSelector, "subprocess's is its own affair"
assert places["late.nap.func"].remedy.endswith("before late is imported")
assert not any(f.kind == "lock" or "Queue" in f.what for f in found), "real locks and queues have been exchanged"
ours = ("late.", "__main__.")
assert [where for where in places if not where.startswith(ours)] == [], places.keys()
greening.unpatch()
assert audit() == []
""")


@pytest.mark.slow
def test_a_program_that_patches_first_has_nothing_to_fear(run_program) -> None:
    run_program("""
import greening
greening.monkey_patch()
import threading, logging, queue, socket, ssl, subprocess, concurrent.futures.thread, http.client, asyncio
import urllib.request, multiprocessing, email, json, tempfile, logging.handlers
logging.getLogger("x").addHandler(logging.NullHandler())
from greening.debug import audit
found = audit()
assert found == [], "\\n".join(map(str, found))
""")


@pytest.mark.skipif("coverage" in sys.modules, reason="coverage brings modules and locks of its own")
@pytest.mark.parametrize("late", [False, True])
def test_on_the_command_line(run_program, tmp_path, late) -> None:
    (tmp_path / "late.py").write_text("import time\ntable = {'nap': time.sleep}\n")
    lines = ["import sys; sys.path.insert(0, '.')", "print('program')"]
    lines += ["import late, greening", "greening.monkey_patch()"] if late else ["import late"]
    arguments = ("-m", "greening", "--audit", *(["--no-patch"] if late else []))
    done = run_program("\n".join([*lines, ""]), python_args=arguments, check=not late)
    assert done.stdout == "program\n"
    if late:
        assert done.returncode == 3
        assert re.search(r"^greening: audit: \d left unpatched\n", done.stderr, re.MULTILINE)
        assert "  late.table['nap']: the unpatched time.sleep\n" in done.stderr
    elif sys.version_info < (3, 14):  # whose `warnings` has a real lock from the start
        assert done.stderr.startswith("greening: audit: nothing was found of what it looks for\n")
        assert "calculations" in done.stderr
    else:
        assert "late" not in done.stderr


def test_modules_that_wait_in_c_are_named(run_program) -> None:
    run_program("""
import greening
greening.monkey_patch()
import sqlite3, sys
from greening.debug import audit
(found,) = [finding for finding in audit() if finding.kind == "module"]
assert (found.where, "statement" in found.what, "tpool.execute" in found.remedy) == ("_sqlite3", True, True), found
greening.unpatch()
assert audit() == []
""")


@pytest.mark.slow
def test_standard_input_that_a_thread_reads_already_is_named(run_program) -> None:
    run_program("""
import os, sys, threading, time
reader, writer = os.pipe()
os.dup2(reader, 0)
real_thread = threading.Thread(target=sys.stdin.readline)
real_thread.start()
syscall = f"/proc/self/task/{real_thread.native_id}/syscall"
while open(syscall).read().split()[1:2] != ["0x0"]:
    time.sleep(0.001)
import greening
greening.monkey_patch()
from greening.debug import audit
assert [finding.where for finding in audit() if "was reading it" in finding.what] == ["sys.stdin"]
os.write(writer, b"line\\n")
real_thread.join()
""")
