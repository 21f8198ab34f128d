"""What the audit finds beside names: modules that wait in C, OS threads, streams, other interpreters.

Nothing of it is seen by looking at who refers to an original. Each look here says what it can tell, and no more.
"""

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any

from greening._core import deadlock
from greening._core.current import hubs
from greening._originals import builtin_open, current_frames, get_ident
from greening.debug.findings import Finding, earlier
from greening.debug.frames import is_machinery, module_of, users_frame
from greening.debug.known import BLOCKERS, LIBRARIES, Blocker, plain
from greening.debug.numbers import place_of, thread_name
from greening.fdio.rawfile import GreenFileIO, comes_and_goes
from greening.fdio.stdin import would_block
from greening.patcher.introspect import is_kept, is_module, module_dict
from greening.patcher.ledger import LEDGER
from greening.patcher.plugins import VARIABLE, Plugin
from greening.patcher.references import holders

_interpreters: ModuleType | None = None
for _name in ("_interpreters", "_xxsubinterpreters"):  # from 3.13 on, and before
    with contextlib.suppress(ImportError):
        _interpreters = __import__(_name)
        break

# The class of the interpreter: in a patched process its name means another one.
_FileIO: Any = GreenFileIO.__base__

# Of the module whose frame is the outermost in each of greening's own OS threads.
_OURS = "greening."


# Modules


def modules() -> Iterator[Finding]:
    """Modules that are loaded and wait, or work, in C, unless a plug-in has changed that."""
    for blocker in (*BLOCKERS, *LIBRARIES):
        for name in blocker.modules:
            if name in sys.modules:
                yield from _module(blocker, name)


def _module(blocker: Blocker, name: str) -> Iterator[Finding]:
    version = version_of(name)
    title = f"{name} {version}" if version else name
    what = plain(f"{blocker.what} stops everything while {blocker.while_}")
    if not blocker.plugin:
        yield Finding("module", title, what, plain(blocker.remedy))
        return
    plugin = plugin_of(blocker)
    if plugin is not None and plugin.state == "active":
        return
    package = blocker.plugin.partition(".")[0]
    if plugin is None or plugin.state == "off":
        remedy = f"switch its plug-in on: it is off, by {VARIABLE} or a flag of monkey_patch(); or use tpool.execute"
    elif plugin.state == "failed":
        remedy = (
            f"its plug-in failed: {type(plugin.error).__name__}: {plugin.error}; use tpool.execute until that is mended"
        )
    else:
        remedy = f"its plug-in waits for the import of {blocker.plugin}: import {package} in the usual way"
    yield Finding("module", title, what, remedy)


def plugin_of(blocker: Blocker) -> Plugin | None:
    """The plug-in that has a library wait greenly: of several for one module, the one that is worst off."""
    of_it = [plugin for plugin in LEDGER.plugins or () if plugin.module == blocker.plugin]
    return min(of_it, key=lambda plugin: plugin.state == "active", default=None)


def plugins_at_work() -> list[str]:
    """The libraries that would wait in C, are loaded, and wait greenly by their plug-ins."""
    found = []
    for library in LIBRARIES:
        plugin = plugin_of(library) if library.plugin else None
        loaded = [name for name in library.modules if name in sys.modules]
        if loaded and plugin is not None and plugin.state == "active":
            found.append(library.what)
    return found


def version_of(name: str) -> str:
    """The version that a module, or its package, says it has; "": it does not say. No foreign code runs."""
    for module_name in (name.partition(".")[0], name.partition(".")[0].lstrip("_")):
        module = sys.modules.get(module_name)
        version = module_dict(module).get("__version__") if is_module(module) else None
        if type(version) is str:
            return version.split()[0] if version else ""
    return ""


# OS threads


def threads() -> Iterator[Finding]:
    """OS threads that run Python code, and are neither the main thread nor one of greening's own."""
    if "_thread" not in LEDGER.placed and "threading" not in LEDGER.placed:
        return
    for ident, frame in current_frames().items():
        if ident in (get_ident(), deadlock.first_thread):
            continue
        frame = _frame_of(ident, frame)
        if module_of(_outermost(frame)).startswith(_OURS) or _is_of_a_keeper(frame):
            continue
        place = place_of(frame) or "no line of the program"
        yield Finding(
            "thread",
            f"OS thread {thread_name(ident).removeprefix('OS thread ')}",
            f"no green thread: it was started before the patch, or past it; now at {place}",
            "start it after greening.monkey_patch(), if it is to be a green thread; it holds up no other",
        )


def _frame_of(ident: int, frame: FrameType) -> FrameType:
    """The frame of an OS thread; while its hub runs, that of its main greenlet, which waits."""
    hub = next((hub for hub in tuple(hubs) if hub.thread == ident), None)
    waiting = None if hub is None else hub.main.gr_frame
    return frame if waiting is None else waiting


def _is_of_a_keeper(frame: FrameType) -> bool:
    """True for a thread of a debugger, which has to run while everything else stands still."""
    theirs = users_frame(frame)
    return theirs is not None and not is_machinery(theirs) and is_kept(module_of(theirs))


def _outermost(frame: FrameType) -> FrameType:
    while frame.f_back is not None:
        frame = frame.f_back
    return frame


def foreign_threads() -> Counter[str]:
    """The names of the OS threads that C libraries have started and that run no Python code, with their number.

    The system has the names: those of libraries that give them none are all called as the process is. Which thread is
    whose is not told, so those that run Python code are subtracted where they have the commonest name.
    """
    names: Counter[str] = Counter()
    for tid in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), builtin_open(f"/proc/self/task/{tid}/comm", encoding="utf-8") as file:
            names[file.read().strip()] += 1
    own = len(current_frames())
    for name, count in names.most_common():
        taken = min(own, count)
        own -= taken
        names[name] -= taken
    return +names


# Streams


def streams() -> Iterator[Finding]:
    """Files on pipes, terminals and sockets that were opened before the patch; `sys.stdin`, if it stayed as it was.

    The interpreter's own streams are left out: they do not own their descriptors, and the patch has made them green.
    """
    if "io" not in LEDGER.placed:
        return
    if would_block():
        what = "waits in C; an OS thread was reading it when it was to be patched"
        yield Finding("instance", "sys.stdin", what, earlier("__main__"))
    places: dict[int, str] = {}  # by descriptor: where the file is, in the fewest letters
    for holder in holders(lambda file: True, (_FileIO,)):
        file: Any = holder.value
        if _FileIO.closed.__get__(file) or not _FileIO.closefd.__get__(file):
            continue
        number = _FileIO.fileno(file)
        if comes_and_goes(number):
            where = holder.where.removesuffix(" (inside)").removesuffix(".raw").removesuffix(".buffer")
            places[number] = min(places.get(number, where), where, key=len)
    for number, where in places.items():
        what = f"a file on {_kind_of(number)}, opened before the patch: it waits in C"
        yield Finding("stream", where, what, f"open it after patching: {earlier(where)}")


def _kind_of(number: int) -> str:
    """What a descriptor is: "a pipe (descriptor 5)"."""
    try:
        link = os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        link = "a descriptor"
    name = next((f"a {kind}" for kind in ("pipe", "socket") if link.startswith(f"{kind}:")), link)
    return f"{name} (descriptor {number})"


# Interpreters


def interpreters() -> Iterator[Finding]:
    """Other interpreters of this process: greening does not work in them."""
    if _interpreters is None:
        return
    for entry in _interpreters.list_all():
        number = entry[0] if isinstance(entry, tuple) else entry
        if int(number) != 0:  # the main one
            what = "what runs in it is not patched: it blocks its whole OS thread"
            remedy = "have it run in an OS thread of its own, as concurrent.interpreters does it in a patched process"
            yield Finding("interpreter", f"interpreter {int(number)}", what, remedy)
