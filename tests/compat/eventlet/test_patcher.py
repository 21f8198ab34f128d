"""eventlet.patcher: its flags, its originals, its copies. Patching is of the process: each in a fresh interpreter."""

import sys
import types
from pathlib import Path

import pytest

from greening.compat.eventlet import patcher

HEAD = "from greening.compat.eventlet import install\ninstall()\nimport eventlet\nfrom eventlet import patcher\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "on", "off"),
    [
        ("", "os select socket thread time subprocess threading ssl", "MySQLdb builtins"),
        ("all=False, socket=True, select=True", "socket select", "os thread time"),
        ("os=True, builtins=True", "os", "socket"),
        ("builtins=True", "os", "time"),
        ("time=False", "os socket thread", "time"),
        ("ssl=True, profile=True", "socket", "time os"),
        ("all=True, thread=False", "os socket", "thread"),
        ("psycopg=True", "", "os socket"),
        ("psycopg=False", "os socket", "psycopg"),
    ],
)
def test_flags(run_program, flags: str, on: str, off: str) -> None:
    run_program(
        f"{HEAD}eventlet.monkey_patch({flags})\n"
        f"wrong = [name for name in {on.split()} if not patcher.is_monkey_patched(name)]\n"
        f"wrong += [name for name in {off.split()} if patcher.is_monkey_patched(name)]\n"
        "assert not wrong, wrong\n"
    )


MODULES = (
    HEAD
    + """
import socket, select, time
eventlet.monkey_patch(socket=True)
assert patcher.is_monkey_patched(socket) and not patcher.is_monkey_patched(select)
assert patcher.already_patched == {"socket": True}
try:
    eventlet.monkey_patch(sockets=True)
except TypeError as error:
    assert "sockets" in str(error)
else:
    raise SystemExit("an unknown flag was taken")
"""
)

DRIVERS = (
    HEAD
    + """
import sys
from pathlib import Path
Path("psycopg2").mkdir()
Path("psycopg2/__init__.py").write_text("from psycopg2 import extensions\\n_connect = None\\n")
Path("psycopg2/extensions.py").write_text('''
callback = None
def get_wait_callback():
    return callback
def set_wait_callback(f):
    global callback
    callback = f
class cursor:
    pass
class connection:
    autocommit = isolation_level = readonly = deferrable = property()
''')
sys.path.insert(0, "")
eventlet.monkey_patch()
assert patcher.is_monkey_patched("psycopg") and not patcher.is_monkey_patched("MySQLdb")
import psycopg2
from eventlet.support import psycopg2_patcher
assert psycopg2.extensions.callback
assert callable(psycopg2_patcher.eventlet_wait_callback)
psycopg2.extensions.callback = None
psycopg2_patcher.make_psycopg_green()
assert psycopg2.extensions.callback
"""
)


@pytest.mark.slow
@pytest.mark.parametrize("program", [MODULES, DRIVERS], ids=["modules", "drivers"])
def test_program(run_program, program: str) -> None:
    run_program(program)


def test_modules_are_known_to_be_patched_as_well_as_flags(run_program) -> None:
    run_program(
        """
import greening.compat.eventlet
greening.compat.eventlet.install()
import eventlet, ssl, threading
patched = eventlet.patcher.is_monkey_patched
eventlet.monkey_patch(thread=True)
assert patched("thread") and patched("threading") and patched(threading) and patched("queue")
assert not (patched("socket") or patched("ssl") or patched(ssl))
eventlet.monkey_patch(socket=True)
assert patched("socket") and patched("ssl") and patched(ssl)
"""
    )


def test_inject_fills_a_namespace_with_a_green_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "injected.py").write_text("import greeting\nWORD = greeting.WORD\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    names: dict[str, object] = {}
    module = patcher.inject("injected", names, ("greeting", types.SimpleNamespace(WORD="hello")))  # type: ignore[arg-type]
    assert (module.WORD, names["WORD"]) == ("hello", "hello")
    assert "__file__" not in names
    assert "injected" not in sys.modules
    assert patcher.inject("injected", None, ("greeting", types.SimpleNamespace(WORD="bye"))).WORD == "bye"  # type: ignore[arg-type]


def test_patch_function_changes_imports_while_the_function_runs() -> None:
    fake = types.ModuleType("fractions")

    def imports() -> list[object]:
        return [__import__("fractions"), __import__("made_up_for_this")]

    made_up = types.ModuleType("made_up_for_this")
    green = patcher.patch_function(imports, ("fractions", fake), ("made_up_for_this", made_up))
    assert green() == [fake, made_up]
    assert __import__("fractions") is not fake
    assert "made_up_for_this" not in sys.modules


def test_patch_function_without_modules_takes_all_green_ones() -> None:
    before = sys.modules["time"]
    found = patcher.patch_function(lambda: __import__("time"))()
    assert found.sleep is not before.sleep
    assert sys.modules["time"] is before


def test_slurp_properties_copies_names() -> None:
    module = types.ModuleType("module")
    module.__all__ = ["a", "b", "__c"]  # type: ignore[attr-defined]
    module.a, module.b, module.d = 1, 2, 3  # type: ignore[attr-defined]
    into: dict[str, object] = {}
    patcher.slurp_properties(module, into, ignore=["b"])
    assert into == {"a": 1}
    patcher.slurp_properties(module, into, srckeys=["d"])
    assert into == {"a": 1, "d": 3}
