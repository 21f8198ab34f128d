"""Refuses the import of greening where it cannot work: in a second interpreter, or on top of another copy of itself.

Facts: greenlets, their stacks and the engine's state belong to one interpreter. The interpreters of a process share its
OS threads, and greenlet knows one main greenlet for each of those: a second interpreter runs the objects of the first,
and the process dies when one of them ends. A second copy of greening, imported after the first one has patched the
stdlib and was deleted from `sys.modules`, takes green functions for the originals.
Decision: only the main interpreter may import greening. The question is asked here, before greenlet is imported: an
extension module that was initialised once may be handed to the next interpreter without being asked.
"""

import sys


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
