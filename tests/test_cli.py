"""`python -m greening` says and does what `python` says and does."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import greening
from greening.patches import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent

SHOW = """\
import sys
print({k: type(v) if k == "__builtins__" else v for k, v in globals().items()})
print(sys.argv, sys.path[0], sys.modules["__main__"].__dict__ is globals())
"""

FILES = {
    "show.py": SHOW,
    "pkg/__init__.py": "",
    "pkg/mod.py": SHOW,
    "pkg/__main__.py": SHOW,
    "folder/__main__.py": SHOW,
    "empty/readme.txt": "",
    "sub/show.py": SHOW,
    "boom.py": "def f():\n    1 / 0\nf()\n",
    "syntax.py": "def f(:\n  x\n",
    "bad_import.py": "import syntax\n",
    "boom_import.py": "import boom\n",
    "latin.py": b"# -*- coding: latin-1 -*-\nprint(len('\xe4'))\n",
    "exit3.py": "import sys\nsys.exit(3)\n",
    "exit_none.py": "import sys\nsys.exit()\n",
    "exit_text.py": "import sys\nsys.exit('bye')\n",
    "at_exit.py": "import atexit\natexit.register(print, 'at exit')\n1 / 0\n",
    "interrupted.py": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n",
    "raises_interrupt.py": "raise KeyboardInterrupt\n",
    "context.py": "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('x') from e\n",
    "group.py": "raise ExceptionGroup('g', [ValueError(1), TypeError(2)])\n",
    "hook.py": "import sys\nsys.excepthook = lambda t, v, tb: print(t, tb.tb_lineno, tb.tb_frame.f_code)\n1 / 0\n",
    "last.py": (
        "import atexit, sys\n"
        "atexit.register(lambda: print(sys.last_traceback.tb_frame.f_code, sys.excepthook is sys.__excepthook__))\n"
        "1 / 0\n"
    ),
    "future.py": "def f(x: undefined): pass\n",
    "pickles.py": (
        "import pickle\nclass A: pass\nprint(pickle.dumps(A()))\nassert type(pickle.loads(pickle.dumps(A()))) is A\n"
    ),
    "reads.py": "print(input())\n",
    "threads.py": (
        "import threading\nthreading.excepthook = lambda args: print('hook', args.exc_type)\n"
        "t = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\n"
    ),
    "not_daemon.py": (
        "import threading, time\nthreading.Thread(target=lambda: time.sleep(.05) or print('late')).start()\nprint(1)\n"
    ),
}

PROGRAMS = [
    ["show.py", "a", "b"],
    ["./show.py"],
    ["sub/../show.py"],
    ["sub/show.py", "-m", "--only", "x", "-c"],
    ["link.py"],
    ["-m", "pkg.mod", "x"],
    ["-mpkg.mod", "x"],
    ["-m", "pkg", "-h"],
    ["folder", "x"],
    ["archive.zip", "x"],
    ["-c", SHOW, "1", "2"],
    ["-c" + SHOW, "1"],
    ["boom.py"],
    ["-c", "def f():\n    1 / 0\nf()"],
    ["syntax.py"],
    ["-c", "def f(:"],
    ["bad_import.py"],
    ["boom_import.py"],
    ["latin.py"],
    ["compiled.pyc"],
    ["exit3.py"],
    ["exit_none.py"],
    ["exit_text.py"],
    ["at_exit.py"],
    ["interrupted.py"],
    ["raises_interrupt.py"],
    ["-c", "raise KeyboardInterrupt"],
    ["context.py"],
    ["group.py"],
    ["hook.py"],
    ["last.py"],
    ["future.py"],
    ["pickles.py"],
    ["threads.py"],
    ["not_daemon.py"],
    ["no_such_script.py"],
    ["no/such/script.py"],
    ["empty"],
    ["-m", "no_such_module"],
    ["-m", "pkg.no_such_module"],
    ["-m", "show.sub"],
    ["-m", "empty"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    for name, source in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
    (folder / "link.py").symlink_to("sub/show.py")
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", SHOW)
    command = "import py_compile; py_compile.compile('exit3.py', 'compiled.pyc')"
    subprocess.run([sys.executable, "-c", command], cwd=folder, check=True)
    return folder


def run(folder: Path, *command: str, text: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **env}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def picture(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, *(re.sub("0x[0-9a-f]+", "0x...", text) for text in (done.stdout, done.stderr))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: " ".join(program).partition("\n")[0])
def test_as_python_does(folder, program) -> None:
    assert picture(run(folder, "-m", "greening", *program)) == picture(run(folder, *program))


@pytest.mark.parametrize("program", [["-", "x"], []], ids=["dash", "nothing"])
@pytest.mark.parametrize("source", [SHOW, FILES["boom.py"], "x = (", ""], ids=["show", "boom", "syntax", "empty"])
def test_from_standard_input(folder, program, source) -> None:
    green = run(folder, "-m", "greening", *program, text=source)
    assert picture(green) == picture(run(folder, *program, text=source))


@pytest.mark.parametrize("flags", [("-P",), ("-I",), ("-O", "-W", "error"), ("-u", "-X", "dev")], ids=" ".join)
def test_with_options_of_the_interpreter(folder, flags) -> None:
    source = SHOW + "print(sys.flags, __debug__)\n"
    if "-I" in flags:  # PYTHONPATH is ignored
        source = SHOW
        boot = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[:] = ['-m', 'show.py', 'x']"
        green = run(folder, *flags, "-c", f"{boot}; from greening._cli import main; main()")
        plain = run(folder, *flags, "show.py", "x")
        assert green.returncode == plain.returncode == 0
        assert str(folder) not in green.stdout.splitlines()[1]
        return
    assert picture(run(folder, *flags, "-m", "greening", "-c", source)) == picture(run(folder, *flags, "-c", source))


def test_modules_show_their_own_frames_only(folder) -> None:
    """`python -m` shows runpy's frames before the module's; from there on the tracebacks are the same."""
    for name in ("boom", "raises_interrupt"):
        green, plain = run(folder, "-m", "greening", "-m", name), run(folder, "-m", name)
        assert green.returncode == plain.returncode
        assert "runpy" not in green.stderr
        assert plain.stderr.endswith(green.stderr.partition("\n")[2])
    assert run(folder, "-m", "greening", "-m", "syntax").stderr == run(folder, "syntax.py").stderr


def test_the_program_reads_what_is_left_of_standard_input(folder) -> None:
    assert run(folder, "-m", "greening", "reads.py", text="a line\n").stdout == "a line\n"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize("as_module", [False, True])
def test_multiprocessing_finds_the_main_module(folder, method, as_module) -> None:
    (folder / f"process_{method}.py").write_text(f"""
import multiprocessing

class Number:
    def __init__(self, value): self.value = value

def show(number): print("child", number.value, flush=True)

if __name__ == "__main__":
    process = multiprocessing.get_context({method!r}).Process(target=show, args=(Number(5),))
    process.start()
    process.join()
    print(process.exitcode)
""")
    program = ["-m", f"process_{method}"] if as_module else [f"process_{method}.py"]
    done = run(folder, "-W", "ignore", "-m", "greening", *program)
    assert (done.returncode, done.stdout) == (0, "child 5\n0\n"), done.stderr


# What is patched

REPORT = "import greening; print(*(f for f in {flags!r} if greening.is_monkey_patched(f)))"
FLAGS = tuple(dict.fromkeys(entry.flag for entry in CATALOGUE))


@pytest.mark.parametrize(
    ("options", "patched"),
    [
        ([], set(FLAGS)),
        (["--only", "time,thread"], {"time", "thread"}),
        (["--only=time, socket"], {"time", "socket"}),
        (["--skip", "time"], set(FLAGS) - {"time"}),
        (["--skip=time", "--skip", "select"], set(FLAGS) - {"time", "select"}),
        (["--no-patch"], set()),
    ],
)
def test_what_is_patched(folder, options, patched) -> None:
    done = run(folder, "-m", "greening", *options, "-c", REPORT.format(flags=FLAGS))
    assert set(done.stdout.split()) == patched, done.stderr


def test_patched_before_the_first_line(folder) -> None:
    source = "from time import sleep\nimport greening\nt = []\ngreening.spawn(t.append, 1)\nsleep(0.01)\nassert t"
    run(folder, "-m", "greening", "-c", source).check_returncode()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "tyme", "show.py"], "--only: unknown flag tyme; the flags are: time, "),
        (["--skip", "time,a,b", "show.py"], "--skip: unknown flag a, b; the flags are"),
        (["--only", "", "show.py"], "--only: no flag; the flags are"),
        (["--only"], "--only needs a list of flags: time, "),
        (["--skip", "time", "--only", "os", "show.py"], "--only and --skip exclude each other"),
        (["--frobnicate", "show.py"], "unknown option --frobnicate"),
        (["-x", "show.py"], "unknown option -x"),
        (["-m"], "argument expected for the -m option"),
        (["-c"], "argument expected for the -c option"),
    ],
)
def test_command_lines_that_make_no_sense(folder, options, message) -> None:
    done = run(folder, "-m", "greening", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"greening: {message}")
    assert "python -m greening --help" in done.stderr


def test_version_and_help(folder) -> None:
    version = run(folder, "-m", "greening", "--version")
    assert version.stdout.startswith(f"greening {greening.__version__} (Python 3.")
    usage = run(folder, "-m", "greening", "--help")
    assert (version.returncode, usage.returncode) == (0, 0)
    assert all(
        word in usage.stdout
        for word in ("--only", "--skip", "--no-patch", "--as-eventlet", "--audit", "--info", *FLAGS)
    )
