"""How the child processes of a program under `python -m greening --as-eventlet` get their `import eventlet`.

Facts: a program that forks and execs starts a new interpreter, which knows nothing of an import hook. At its start an
interpreter imports `sitecustomize`, if it finds one on its path; PYTHONPATH is inherited.
Decision: the folder of this file, in which there is a `sitecustomize.py`, is put on PYTHONPATH, and the environment
variable GREENING_AS_EVENTLET is set to 1. No `.pth` file is installed anywhere, and a process outside that environment
is not concerned. Interpreters started with `-E`, `-I` or `-S` do not look, and neither do those in which greening is
not installed.

By hand: `export GREENING_AS_EVENTLET=1 PYTHONPATH=$(python -c "import greening.compat.startup as s; print(s.FOLDER)")`.
"""

import os

VARIABLE = "GREENING_AS_EVENTLET"
# What has to be on PYTHONPATH.
FOLDER = os.path.dirname(os.path.abspath(__file__))


def is_wanted() -> bool:
    """True if the environment says that `import eventlet` shall mean greening."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def hand_down() -> None:
    """Have the child processes of this one know what `import eventlet` means. Once more, it does nothing."""
    os.environ[VARIABLE] = "1"
    path = os.environ.get("PYTHONPATH", "")
    if FOLDER not in path.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (FOLDER, path)))
