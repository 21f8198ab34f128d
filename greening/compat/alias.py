"""How `import eventlet` comes to mean greening: an import hook, and the entry in `sys.modules`.

Facts: a module is known to the import system by its name in `sys.modules`. A package that stood there under two names
would have its submodules loaded twice, once for each name, with two copies of every class.
Decision: a finder in front of all others answers for `eventlet` and everything below it. It imports the module by its
real name and puts that very object under the other name. Submodules of `eventlet.green` that have no file here are
those of `greening.green`.
"""

import importlib
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import Any

from greening._core.greenthread import GreenThread
from greening._core.thread_ops import ThreadOps
from greening._core.unhandled import REPORTS
from greening.compat.eventlet.green import real_name as real_green_name
from greening.compat.eventlet.http_heads import quicken
from greening.monkey import original
from greening.net.socket import further_members
from greening.patcher.introspect import ORIGINALS
from greening.patcher.ledger import LEDGER
from greening.patches.signal import SETTERS
from greening.pool.greenpool import GreenPool
from greening.threads.handle import abandon
from greening.timeout import Timeout

ALIAS = "eventlet"
REAL = "greening.compat.eventlet"
REAL_HTTP = "greening.green.http"


def real_name(alias: str) -> str | None:
    """The real name of what `alias` means; None: it is no name of the alias.

    "eventlet.hubs" is greening.compat.eventlet.hubs, "eventlet.green.socket" is greening.green.socket.
    """
    if alias == ALIAS:
        return REAL
    if not alias.startswith(ALIAS + "."):
        return None
    green = alias.removeprefix(ALIAS + ".green.")
    return REAL + alias.removeprefix(ALIAS) if green == alias else real_green_name(green)


class Finder:
    """Finds `eventlet`, its submodules, and `__original_module_x`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`. None: the name is none of ours."""
        if name.startswith(ORIGINALS):
            return ModuleSpec(name, Loader)  # type: ignore[arg-type]  # a class with the two methods will do
        real = real_name(name)
        if real is None or (real.startswith(REAL + ".") and not _has_file(real)):
            return None
        return ModuleSpec(name, Loader, is_package=real == REAL)  # type: ignore[arg-type]  # as above


def _has_file(real: str) -> bool:
    parent = importlib.import_module(real.rpartition(".")[0])
    return PathFinder.find_spec(real, getattr(parent, "__path__", [])) is not None


class Loader:
    """Puts the real module where the import system looks for the module that it asked us to fill."""

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """None: the import system makes an empty module, which nobody sees."""
        return None

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Import the real module, and put it in the place of `module`."""
        alias = module.__name__
        if alias.startswith(ORIGINALS):
            sys.modules[alias] = original(alias.removeprefix(ORIGINALS))
            return
        real = real_name(alias)
        assert real is not None
        sys.modules[alias] = importlib.import_module(real)
        if real == REAL_HTTP or real.startswith(REAL_HTTP + "."):
            client = importlib.import_module(REAL_HTTP + ".client")
            undo = quicken(client)
            if sys.modules.get("http.client") is client:  # the process's own, in a process that is patched
                LEDGER.changes.steps.append(undo)
        if real == REAL:
            patcher = importlib.import_module(REAL + ".patcher")
            patcher.keep_originals()

    @staticmethod
    def get_code(name: str) -> CodeType | None:
        """The code of what `python -m eventlet.patcher` runs, say."""
        real = real_name(name)
        spec = None if real is None else find_spec(real)
        return None if spec is None or spec.loader is None else spec.loader.get_code(real)  # type: ignore[attr-defined]


def install() -> None:
    """Make `import eventlet`, and the import of all its submodules, mean `greening.compat.eventlet`.

    Call it before anything else imports eventlet. Once more, it does nothing. It patches nothing: the program calls
    `eventlet.monkey_patch()`, as before.

    Raises:
        ImportError: the real eventlet is imported already. Two engines in one process would each stop the other.
    Thread-safety: call it in any OS thread, while no other imports eventlet.
    """
    present = sys.modules.get(ALIAS)
    if present is not None and present.__name__ != REAL:
        where = getattr(present, "__file__", None) or "a place without a file"
        raise ImportError(
            f"greening cannot stand in for eventlet: the module eventlet of {where} is imported already. Call "
            "greening.compat.eventlet.install() before the first `import eventlet`, or run the program by "
            "`python -m greening --as-eventlet`",
            name=ALIAS,
        )
    prepare()
    importlib.import_module(ALIAS)


def prepare() -> None:
    """What `install` does, but for the import of eventlet itself: the next `import eventlet` is greening's."""
    further_members["fd"] = property(
        lambda self: self, doc="what has the descriptor: the socket itself (eventlet's name)"
    )
    SETTERS.all = True
    Timeout.takes_messages = GreenPool.takes_text = True
    # greening's own takes what `spawn` gives it, and nothing else.
    setattr(GreenThread, "__init__", _make_green_thread)  # noqa: B010  # mypy has no word for it
    REPORTS.to_stderr = True
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)
        # As concurrent.futures does; that has its turn before, so what was submitted to a pool is done.
        vars(threading)["_register_atexit"](abandon)


def _make_green_thread(self: GreenThread[Any], parent: Any, *rest: Any) -> None:
    """`GreenThread(parent)`, as in eventlet: it begins by `switch(function, args, kwargs)`."""
    if rest:
        ThreadOps.__init__(self, parent, *rest)
    else:
        self.await_switch(parent)
