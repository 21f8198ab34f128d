"""Child processes are patched, or know `import eventlet`, where the program that started them does, and no others."""

import pytest

from greening import startup

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
    monkeypatch.setenv(startup.ALIAS, "")
    assert not startup.is_wanted()
    startup.hand_down_alias()
    startup.hand_down_alias()
    assert startup.is_wanted()
    assert startup.os.environ["PYTHONPATH"] == f"{startup.FOLDER}:/mine"


# A program that is run again: by a reloader, by itself, by multiprocessing.

AGAIN = """
import os, subprocess, sys

patched = "greening" in sys.modules and sys.modules["greening"].is_monkey_patched("time")
print(patched, os.environ.get("GREENING_PATCH"), *sys.argv[1:], flush=True)
if len(sys.argv) == 1:
    subprocess.run([sys.executable, *HOW, "child"], check=True)
    os.execv(sys.executable, [sys.executable, *HOW, "executed"])
"""


def test_a_script_that_runs_itself_again_is_patched_as_it_was(run_program) -> None:
    source = AGAIN.replace("*HOW", "os.path.relpath(__file__)")
    done = run_program(source, python_args=("-m", "greening", "--skip", "subprocess"))
    assert done.stdout.splitlines() == [
        "True -subprocess",
        "True -subprocess child",
        "True -subprocess executed",
    ]


@pytest.mark.parametrize(
    "how", ["'-m', 'again'", "'-magain'", "'-Bm', 'again'", "'-X', 'dev', '-m', 'again'", "os.path.relpath(__file__)"]
)
def test_a_module_that_runs_itself_again_is_patched(run_program, tmp_path, how: str) -> None:
    (tmp_path / "again.py").write_text(AGAIN.replace("*HOW", how))
    launcher = f"""
import os, subprocess, sys
os.chdir({str(tmp_path)!r})
subprocess.run([sys.executable, "-m", "greening", "-m", "again"], check=True)
"""
    done = run_program(launcher)
    assert done.stdout.splitlines() == ["True all", "True all child", "True all executed"]


def test_a_script_that_runs_itself_again_as_a_module_is_patched(run_program, tmp_path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__main__.py").write_text(AGAIN.replace("*HOW", "'-m', 'package'"))
    launcher = f"""
import os, subprocess, sys
os.chdir({str(tmp_path)!r})
subprocess.run([sys.executable, "-m", "greening", "package/__main__.py"], check=True)
"""
    done = run_program(launcher)
    assert done.stdout.splitlines() == ["True all", "True all child", "True all executed"]


OTHERS = """
import os, subprocess, sys
child = '''
import os, sys, multiprocessing
def probe():
    return "greening" in sys.modules
if __name__ == "__main__":
    print("greening" in sys.modules, {"GREENING_PATCH", "GREENING_PROGRAM"} & {*os.environ}, os.environ["PYTHONPATH"])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(probe))
'''
with open("other.py", "w") as file:
    file.write(child)
subprocess.run([sys.executable, "other.py"], check=True)
"""


def test_other_programs_are_not_patched_nor_are_their_children(run_program, tmp_path) -> None:
    launcher = f"import os\nos.chdir({str(tmp_path)!r})\n"
    done = run_program(launcher + OTHERS, python_args=("-m", "greening"), env={"PYTHONPATH": "/mine"})
    first, second = done.stdout.splitlines()
    assert first.startswith("False set() ")
    assert first.endswith(":/mine")
    assert "startup" not in first
    assert second == "False"


DECLINED = """
import os, subprocess, sys
print("greening" in sys.modules, flush=True)
if len(sys.argv) == 1:
    del os.environ["GREENING_PATCH"]
    subprocess.run([sys.executable, __file__, "child"], check=True)
"""


def test_a_program_may_want_its_children_unpatched(run_program) -> None:
    done = run_program(DECLINED, python_args=("-m", "greening"))
    assert done.stdout.splitlines() == ["True", "False"]


POOLS = """
import multiprocessing, sys
def probe():
    greening = sys.modules.get("greening")
    return greening is not None and greening.is_monkey_patched("time")
if __name__ == "__main__":
    for method in ("spawn", "forkserver", "fork"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(method, pool.apply(probe))
"""


def test_children_of_multiprocessing_are_patched_however_they_start(run_program) -> None:
    done = run_program(POOLS, python_args=("-m", "greening"))
    assert done.stdout.splitlines() == ["spawn True", "forkserver True", "fork True"]


def test_a_child_that_cannot_be_patched_says_so(run_program, tmp_path) -> None:
    """As in another environment than the program's, where what greening needs is not installed."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "greenlet.py").write_text("raise ImportError('none here')\n")
    program = f"""
import os, subprocess, sys
if len(sys.argv) == 1:
    os.environ["PYTHONPATH"] += {":" + str(other)!r}
    done = subprocess.run([sys.executable, __file__, "child"], stderr=subprocess.PIPE, text=True, check=True)
    print(done.stderr)
"""
    done = run_program(program, python_args=("-m", "greening"))
    assert "runs again unpatched" in done.stdout
    assert "none here" in done.stdout


def test_flags_are_written_as_they_are_read() -> None:
    for text, flags in [("all", {}), ("-os,-time", {"os": False, "time": False}), ("socket", {"socket": True})]:
        assert startup.flags_of(text) == flags
