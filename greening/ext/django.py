"""Django: a request that dies, and a green thread that ends, leave no database connection behind.

Facts:
- Django keeps connections by thread, and gives them back in the signal `request_finished`. A request that is killed, or
  that a Timeout from around the application ends, never sends it. With `OPTIONS={"pool": ...}` its place in the pool is
  lost for good.
- A server on green threads has a new thread for each client. With `CONN_MAX_AGE` the connections of those that have
  ended stay open until the cyclic garbage collector comes.
Decisions: an interruption that leaves the handler, or the end of a response, closes the connections of its thread.
Connections that outlive a request are closed when their green thread ends.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn
from greening._core.shield import shield
from greening.ext.classes import Method, after_error, patch_methods
from greening.monkey import patch_module
from greening.patcher.spec import Patch, Undo

_UID = "greening.ext.django"


def close_connections() -> None:
    """Close all database connections of this green thread, or give them back to their pool. A kill waits meanwhile."""
    database = sys.modules.get("django.db")
    if database is not None:
        with shield():
            database.connections.close_all()


@contextmanager
def connections_returned() -> Iterator[None]:
    """`with connections_returned():`, or a decorator: for green threads of the program's own that use Django's ORM.

    The end of the block closes the connections of the green thread, however it comes.
    """
    try:
        yield
    finally:
        close_connections()


def _closing(method: Method) -> Method:
    return after_error(method, lambda *_: close_connections())


def install_handler(module: ModuleType) -> None:
    """The plug-in of `django.core.handlers.wsgi`."""
    handler: Any = module
    patch_methods(module, {"WSGIHandler": {"__call__": _closing(handler.WSGIHandler.__call__)}})


def install_response(module: ModuleType) -> None:
    """The plug-in of `django.http.response`."""
    response: Any = module
    patch_methods(module, {"HttpResponseBase": {"close": _closing(response.HttpResponseBase.close)}})


def install_database(module: ModuleType) -> None:
    """The plug-in of `django.db`."""
    database: Any = module
    finished: Any = database.signals.request_finished

    def listen(undo: Undo) -> None:
        finished.connect(_after_request, dispatch_uid=_UID)
        undo.add(lambda: finished.disconnect(dispatch_uid=_UID))

    patch_module(Patch(module.__name__, "django", {}, after=listen), module)


def _after_request(**_: Any) -> None:
    """Whatever this green thread still has is closed when it ends."""
    thread = current()
    if not isinstance(thread, GreenThread):
        return
    ours = sys.modules["django.db"].connections.all(initialized_only=True)
    left = [one for one in ours if one.connection is not None]
    known = vars(thread).setdefault("django_connections", [])
    if not known and left:
        thread.link(_thread_ended, known)
    known += [one for one in left if one not in known]


def _thread_ended(thread: Any, connections: list[Any]) -> None:
    spawn(_close, connections)


def _close(connections: list[Any]) -> None:
    for one in connections:
        one.inc_thread_sharing()  # its own thread is gone
        try:
            one.close()
        finally:
            one.dec_thread_sharing()
