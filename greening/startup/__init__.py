"""How the Python programs that a program starts come to know what `python -m greening` has done to it.

Facts: a program that forks and execs starts a new interpreter, which knows nothing of a patch or an import hook. At its
start an interpreter imports `sitecustomize`, if it finds one on its path; PYTHONPATH is inherited. Reloaders (Django's)
start a program anew by its own command line, without `-m greening`. The start methods "spawn" and "forkserver" of
multiprocessing (uvicorn's --reload and --workers) start an interpreter that imports the program's main module again.
Decision: the folder of this file, in which there is a `sitecustomize.py`, is put on PYTHONPATH, and environment
variables say what is wanted:

    GREENING_AS_EVENTLET=1     `import eventlet` means greening, in every Python program from here on
    GREENING_PATCH             what was patched: "all", "socket,time" (only these), "-os" (all but these)
    GREENING_PROGRAM           the program that was run: the path of its script; or "-m module", and on a second line
                               the path of that module

A child that runs that program again, or serves multiprocessing in it, is patched before its first line. Another one is
not: it takes the last two out of its environment, so that its own children are none of ours either. A program that
wants its children unpatched does the same: `del os.environ["GREENING_PATCH"]`.

No `.pth` file is installed anywhere, and a process outside that environment is not concerned. Interpreters started with
`-E`, `-I` or `-S` do not look, and neither do those in which greening and what it needs are not installed.

By hand: `export GREENING_AS_EVENTLET=1 PYTHONPATH=$(python -c "import greening.startup as s; print(s.FOLDER)")`.
"""

import os
from collections.abc import Mapping, Sequence

ALIAS = "GREENING_AS_EVENTLET"
PATCH = "GREENING_PATCH"
PROGRAM = "GREENING_PROGRAM"
# What has to be on PYTHONPATH.
FOLDER = os.path.dirname(os.path.abspath(__file__))


def is_wanted() -> bool:
    """True if the environment says that `import eventlet` shall mean greening."""
    return os.environ.get(ALIAS, "") not in ("", "0")


def hand_down_alias() -> None:
    """Have the child processes of this one know what `import eventlet` means. Once more, it does nothing."""
    os.environ[ALIAS] = "1"
    _add_folder()


def hand_down_patch(flags: Mapping[str, bool], program: Sequence[str]) -> None:
    """Have the child processes that run this program again be patched as it is.

    Args:
        flags: those of `monkey_patch`, all True or all False.
        program: the command line behind the options of `python -m greening`: a script, or -m and a module.
    """
    os.environ[PATCH] = ",".join(name if wanted else "-" + name for name, wanted in flags.items()) or "all"
    os.environ[PROGRAM] = _name_of(program)
    _add_folder()


def hand_down_file(path: str) -> None:
    """The module that is run has been found there: children may run it by its path, as `sys.argv` has it."""
    if PATCH in os.environ and os.environ.get(PROGRAM, "").startswith("-m "):
        os.environ[PROGRAM] = os.environ[PROGRAM].partition("\n")[0] + "\n" + os.path.realpath(path)


def flags_of(text: str) -> dict[str, bool]:
    """The flags of `monkey_patch` that a value of GREENING_PATCH stands for."""
    names = text.split(",") if text != "all" else []
    return {name.removeprefix("-"): not name.startswith("-") for name in names}


def _name_of(program: Sequence[str]) -> str:
    """What sitecustomize compares the child's command line with; "": it could not be run again by a name."""
    if not program or program[0] == "-" or program[0].startswith("-c"):
        return ""
    if program[0].startswith("-m"):
        return "-m " + (program[0][2:] or program[1])
    return os.path.realpath(program[0])


def _add_folder() -> None:
    path = os.environ.get("PYTHONPATH", "")
    if FOLDER not in path.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (FOLDER, path)))
