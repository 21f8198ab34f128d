"""Refuses the import of greening where it cannot work: in a second interpreter, on top of another copy of itself, or in
a process that another runtime has patched.

Facts: greenlets, their stacks and the engine's state belong to one interpreter. The interpreters of a process share its
OS threads, and greenlet knows one main greenlet for each of those: a second interpreter runs the objects of the first,
and the process dies when one of them ends. A second copy of greening, imported after the first one has patched the
stdlib and was deleted from `sys.modules`, takes green functions for the originals. So does a first copy in a process
that eventlet or gevent has patched, where two hubs would each stop the other, too.
Decision: only the main interpreter may import greening. The question is asked here, before greenlet is imported: an
extension module that was initialised once may be handed to the next interpreter without being asked. `monkey_patch()`
asks once more who has patched the process: it may have happened since.
"""

import sys

# The module of another runtime that patches, its table of what it has patched, the call, and what to do instead.
_PEERS = (
    (
        "eventlet.patcher",
        "already_patched",
        "eventlet.monkey_patch()",
        "have `import eventlet` mean greening, by `python -m greening --as-eventlet`",
    ),
    (
        "gevent.monkey",
        "saved",
        "gevent.monkey.patch_all() or one of its kin",
        "call greening.monkey_patch() in its place",
    ),
)


def patched_by_another() -> str | None:
    """Who else has patched this process, what, and what to do about it; None: nobody. Imports nothing."""
    for name, table, call, remedy in _PEERS:
        module = sys.modules.get(name)
        # The alias puts a module of greening's under the name of eventlet's.
        if module is not None and module.__name__ == name and (patched := getattr(module, table, None)):
            runtime = name.partition(".")[0]
            version = getattr(sys.modules.get(runtime), "__version__", "of an unknown version")
            names = ", ".join(sorted(what for what in patched if not what.startswith("_")))
            return (
                f"{runtime} {version} has patched this process already, by {call} ({names}), and two runtimes in one "
                f"process stop each other. Take that call out, or {remedy}; or leave the process to {runtime}"
            )
    return None


def _is_at_work(finder: object) -> bool:
    """True for the import hook of a copy of greening that has patched something."""
    hook = vars(finder) if isinstance(finder, type) else {}
    return hook.get("__module__") == "greening.patcher.deferred" and hook["is_at_work"].__func__()


if "greening.patcher.deferred" not in sys.modules and any(map(_is_at_work, list(sys.meta_path))):
    raise ImportError(
        "greening has patched this process and was then deleted from sys.modules: a second copy would take the green "
        "functions for the original ones. Leave it in sys.modules, or call unpatch() first",
        name="greening",
    )

if _other := patched_by_another():
    raise ImportError(f"greening cannot be imported: {_other}", name="greening")

_NAME = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
_was_imported = _NAME in sys.modules

try:
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
    else:
        import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]  # not in typeshed
except ImportError:  # a Python that was built without it; the accelerator asks as well
    _is_main = True
else:
    _is_main = interpreters.get_current() == interpreters.get_main()
    del interpreters
    if not _was_imported:
        del sys.modules[_NAME]  # it is patched when a program imports it, and few do

if not _is_main:
    raise ImportError(
        "greening can be imported in the main interpreter of a process only: greenlets cannot be shared between "
        "interpreters. In mod_wsgi set `WSGIApplicationGroup %{GLOBAL}`, in uWSGI `single-interpreter = true`",
        name="greening",
    )
