"""What eventlet's names for database drivers do: the callback for psycopg2, and MySQLdb in native threads.

Programs that patch need neither: the plug-ins in `greening.ext` come with `monkey_patch`.
"""

from types import ModuleType
from typing import Any

from greening._core.poller import IN, OUT
from greening._core.waiting import wait_fd
from greening.ext import psycopg2
from greening.threads.native import execute
from greening.threads.proxy import Proxy


def wait_for_libpq(connection: Any, timeout: float | None = None) -> None:
    """Park until the operation of a psycopg2 connection is complete. For `psycopg2.extensions.set_wait_callback`.

    Args:
        timeout: seconds for each wait, from its begin; None: no limit.
    Raises:
        TimeoutError: the time ran out. psycopg2.OperationalError: an unknown state.
    Source: psycopg2's documentation, "Support for coroutine libraries".
    """
    while (state := connection.poll()) != 0:  # POLL_OK
        if state not in (1, 2):  # POLL_READ, POLL_WRITE
            raise connection.OperationalError(f"psycopg2 reports an unknown state: {state!r}")
        if not wait_fd(connection.fileno(), IN if state == 1 else OUT, timeout):
            raise TimeoutError(f"the database has not answered within {timeout} seconds")


def make_psycopg_green(module: ModuleType) -> None:
    """Have every connection of psycopg2 wait cooperatively. `module`: psycopg2."""
    extensions: Any = module.extensions
    extensions.set_wait_callback(psycopg2.wait_for_libpq)


def connections_in_threads(module: Any) -> dict[str, Any]:
    """The names of MySQLdb that make connections, with replacements that make and use them in native threads."""
    make = module.connections.Connection

    def connect(*args: Any, **kwargs: Any) -> Any:
        """Connect in a native thread. The result is a `tpool.Proxy`; its cursors are, too."""
        return Proxy(execute(make, *args, **kwargs), autowrap_names=("cursor",))

    return dict.fromkeys(("Connection", "Connect", "connect"), connect)
