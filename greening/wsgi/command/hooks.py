"""Functions of the user that are called at certain moments in the life of the server's processes.

| option | process | when |
|---|---|---|
| `on-starting` | supervisor | the sockets are open; no worker has been forked |
| `post-fork` | worker | patched, as its user; the application is not loaded yet (with `--preload`, it is) |
| `worker-ready` | worker | the application is loaded; no request has been accepted |
| `worker-exit` | worker | its last request has been answered or cut off |
| `on-exit` | supervisor | the last worker has gone |

Each is called with the `Settings`. The supervisor is not patched. What a failing hook says is logged under its name;
that of `on-starting` ends the start, and that of `post-fork` the worker.
"""

from greening.wsgi.command.application import Unloadable, mistake, resolve
from greening.wsgi.command.config import Settings
from greening.wsgi.command.console import say


def call(name: str, settings: Settings) -> None:
    """Call a hook, if there is one. An error in it is only told.

    Args:
        name: of the field of `Settings`.
    """
    try:
        demand(name, settings)
    except Unloadable as error:
        say(str(error))


def demand(name: str, settings: Settings) -> None:
    """Call a hook, if there is one.

    Args:
        name: of the field of `Settings`.
    Raises:
        Unloadable: it cannot be loaded, or fails.
    """
    spec = getattr(settings, name)
    if spec is None:
        return
    title = f"the hook {name.replace('_', '-')}"
    try:
        hook = resolve(spec)
    except Unloadable as error:
        raise Unloadable(f"{title}: {error.problem}", error.trace, error.files) from None
    try:
        hook(settings)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is the user's
        raise mistake(f"{title}, {spec!r}, failed", error) from None
