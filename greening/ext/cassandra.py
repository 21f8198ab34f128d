"""cassandra-driver: its default event loop, libev, runs in a real OS thread, and does not stop the process.

Facts: the driver starts its event loop by `threading.Thread`. libev's loop waits in C and never returns: in a green
thread it would be the last thing that the OS thread does. What other threads give to it, and what it tells them, goes
through locks and events of `threading`, which work between OS threads.
Decision: this one module gets the thread of an unpatched `threading`. Queries wait for their events in the hub.

The event loop calls the callbacks of `execute_async`, in its own OS thread.
"""

from types import ModuleType

from greening.monkey import original, patch_module
from greening.patcher.spec import Patch


def libev(module: ModuleType) -> None:
    """The plug-in of cassandra.io.libevreactor.

    A loop that runs already, since the driver has connected before, goes on in the OS thread that it has.
    """
    replaces = {"Thread": original("threading").Thread}
    patch_module(Patch(target=module.__name__, flag="thread", replaces=replaces), module)
