"""debugpy, and the debugger pydevd inside it: breakpoints in green threads, whichever was there first.

Facts: pydevd stops a thread by having it wait for an event inside the callback of `sys.monitoring` or `sys.settrace`.
CPython calls no second callback in an OS thread while one runs. pydevd's own threads talk to the editor meanwhile.
Consequence: if that wait let other green threads run, they would run past their breakpoints unseen; and if pydevd's own
threads were green, nobody could tell the stopped one to go on.
Decision: pydevd waits natively, and its threads are native. While one green thread is stopped, so are all others of its
OS thread.
But for pydevd each green thread is a thread, with an ident and thread-locals of its own. It asks for that thread at the
first frame that it sees. Without the accelerator that is one of the engine's, and `threading` does not know the thread
yet: the answer is that nobody is there. `threading` does not list what `spawn` made; pydevd would not find it again.

This needs `sys.monitoring`, CPython 3.12. Before, pydevd has trace functions, and misses breakpoints; it is said once.

If the debugger comes second (`import debugpy` in a patched program), it gets the primitives of the stdlib as they were
before patching. If it comes first (`debugpy -m greening`, as editors do it), it has taken names already.

`unpatch()` leaves this as it is: it is right for a debugger in an unpatched program.
"""

import _thread
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any

from greening._core.greenthread import GreenThread
from greening._core.running import known_task
from greening._originals import get_ident, real_local
from greening.ext.native_start import in_one_turn, start_natively
from greening.monkey import original
from greening.threads import tracing
from greening.threads.adopt_local import AdoptedLocal, adopt_local

# What pydevd uses in its own threads, and to stop others. Not `threading`, which says who is who.
NATIVE = "_thread time socket queue select xmlrpc.client xmlrpc.server http.server socketserver".split()

PACKAGES = frozenset("pydevd pydevd_tracing _pydevd_bundle _pydev_bundle _pydevd_sys_monitoring".split())
# Where no frame is the program's.
OURS = "greening"
ENGINE = PACKAGES | {OURS, "threading"}
TOO_OLD = (
    "greening: before Python 3.12 debugpy misses breakpoints in green threads, and may hang. Debug with a newer one, "
    "or set GEVENT_SUPPORT=True and start the debugger first: python -m debugpy ... -m greening PROGRAM\n"
)
THREADS = "_pydevd_bundle.pydevd_daemon_thread"
MONITORING = "_pydevd_sys_monitoring"


def native_primitives(saved: ModuleType) -> None:
    """`_pydev_bundle._pydev_saved_modules`, from which pydevd takes the stdlib, has been imported."""
    if THREADS not in sys.modules:
        _replace(saved)
    elif vars(saved).get("threading") is threading:  # else it has copies of its own: GEVENT_SUPPORT
        _adapt()


def stop_natively(pydevd: ModuleType) -> None:
    """`pydevd` has been imported."""
    if sys.version_info < (3, 12):
        sys.stderr.write(TOO_OLD)
    holder = getattr(sys.modules.get("pydevd_tracing"), "TracingFunctionHolder", None)
    tracing.settrace = getattr(holder, "_original_tracing", None) or tracing.settrace
    threads = sys.modules[THREADS].PyDBDaemonThread
    if issubclass(threads, threading.Thread):
        threads.start = start_natively
        pydevd.PyDB.set_suspend = in_one_turn(pydevd.PyDB.set_suspend)
        pydevd.PyDB.do_wait_suspend = in_one_turn(pydevd.PyDB.do_wait_suspend)
        for module in _modules():
            if module.__name__.startswith(MONITORING) and vars(module).get("threading") is threading:
                vars(module)["threading"] = _of_program_frames()


def _listed(thread: threading.Thread) -> threading.Thread:
    """Have `threading.enumerate` list it, by which pydevd finds the thread that shall go on, until it has ended."""
    task, active = known_task(), vars(threading)["_active"]
    if isinstance(task, GreenThread) and task.ident not in active:
        active[task.ident] = thread
        task.link(_ended, active, task.ident)
    return thread


def _ended(_: object, active: dict[int, threading.Thread], ident: int) -> None:
    active.pop(ident, None)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _of_program_frames() -> ModuleType:
    """`threading`, with a `current_thread` that makes no dummy for what is about to be a thread of `threading`."""

    def current_thread() -> threading.Thread | None:
        stack = [_package(frame) for frame in _outwards(sys._getframe(1))]
        while stack and stack[0] == MONITORING:  # where it is not compiled
            del stack[0]
        begins = (
            not stack or stack[0] in ENGINE or not ENGINE.isdisjoint(package for package in stack if package != OURS)
        )
        return None if begins else _listed(threading.current_thread())

    mixed = ModuleType("threading")
    vars(mixed).update({name: value for name, value in vars(threading).items() if not name.startswith("__")})
    vars(mixed)["current_thread"] = current_thread
    return mixed


def _replace(saved: ModuleType) -> None:
    """Nobody has taken anything out of it yet."""
    names = {id(sys.modules[name]): name for name in NATIVE if name in sys.modules}
    for attribute, value in list(vars(saved).items()):
        if isinstance(value, ModuleType) and id(value) in names:
            setattr(saved, attribute, original(names[id(value)]))
    vars(saved).update(ThreadingEvent=original("threading").Event, ThreadingLock=original("threading").Lock)


def _adapt() -> None:
    """The debugger runs already."""
    event: type = original("threading").Event
    for module in _modules():
        for name, value in list(vars(module).items()):
            if name == "ThreadingEvent":
                setattr(module, name, event)
            else:
                _identify(module, name, value)
    find: Any = getattr(sys.modules.get("_pydevd_bundle.pydevd_constants"), "get_global_debugger", None)
    debugger = find and find()
    if debugger is None:
        return
    for name, value in list(vars(debugger).items()):
        _identify(debugger, name, value)
    for name, kind in (("_thread_events", event), ("_cmd_queue", original("queue").Queue)):
        by_thread = getattr(debugger, name, None)
        if isinstance(by_thread, defaultdict):
            by_thread.default_factory = kind
            if kind is event:  # nobody waits for one: the thread that they belong to is here
                by_thread.update((thread, event()) for thread in list(by_thread))


def _modules() -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PACKAGES and isinstance(module, ModuleType):
            yield module


def _identify(holder: object, name: str, value: object) -> None:
    """Have a place that tells OS threads apart tell green threads apart."""
    if value is get_ident:
        setattr(holder, name, _thread.get_ident)
    elif type(value) is real_local:
        setattr(holder, name, adopt_local(AdoptedLocal, value))
