"""The child processes of a program that runs as on eventlet do so, too, and no others."""

import pytest

from greening.compat import startup

pytestmark = pytest.mark.slow

CHILD = """
import os, subprocess, sys
child = "import sys; import eventlet; print(eventlet.__name__, 'greening.compat.alias' in sys.modules)"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
sys.stdout.flush()
os.execv(sys.executable, [sys.executable, "-c", child])
"""


def test_children_and_what_is_executed_in_its_place_know_it(run_program) -> None:
    done = run_program(CHILD, python_args=("-m", "greening", "--as-eventlet"))
    assert done.stdout.splitlines() == ["greening.compat.eventlet True"] * 2


UNUSED = """
import subprocess, sys
child = "import sys; m = sys.modules; print([name for name in m if name.startswith('greening')], 'sitecustomize' in m)"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
"""


def test_a_child_that_does_not_import_eventlet_loads_nothing(run_program) -> None:
    done = run_program(UNUSED, python_args=("-m", "greening", "--as-eventlet"))
    assert done.stdout.strip() == "[] True"


ORIGINAL = """
import subprocess, sys
child = "import __original_module_threading as t; print(t.Thread.__module__, 'found')"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
"""


def test_a_child_may_begin_with_an_original_module(run_program) -> None:
    done = run_program(ORIGINAL, python_args=("-m", "greening", "--as-eventlet"))
    assert done.stdout.strip() == "threading found"


def test_the_users_own_sitecustomize_runs_as_well(run_program, tmp_path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'ran'\n")
    program = """
import subprocess, sys
child = "import eventlet; print(mine, eventlet.__name__)"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
"""
    done = run_program(program, python_args=("-m", "greening", "--as-eventlet"), env={"PYTHONPATH": str(own)})
    assert done.stdout.strip() == "ran greening.compat.eventlet"


def test_by_hand_through_the_environment(run_program) -> None:
    environment = {"GREENING_AS_EVENTLET": "1", "PYTHONPATH": startup.FOLDER}
    done = run_program("import eventlet\nprint(eventlet.__name__)\n", env=environment)
    assert done.stdout.strip() == "greening.compat.eventlet"


def test_the_folder_alone_does_nothing(run_program) -> None:
    program = "import sys\nprint([f for f in sys.meta_path if getattr(f, '__module__', '') == 'sitecustomize'])\n"
    done = run_program(program, env={"PYTHONPATH": startup.FOLDER, "GREENING_AS_EVENTLET": ""})
    assert done.stdout.strip() == "[]"


def test_the_environment_is_added_to_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    monkeypatch.setenv(startup.VARIABLE, "")
    assert not startup.is_wanted()
    startup.hand_down()
    startup.hand_down()
    assert startup.is_wanted()
    assert startup.os.environ["PYTHONPATH"] == f"{startup.FOLDER}:/mine"
