"""Engine.IO, and with it Socket.IO and Flask-SocketIO: an async mode of their own, `async_mode="greening"`.

Facts: a server of Engine.IO has a closed list of modes, and imports what a mode consists of by its name, as
`engineio.async_drivers.<mode>`. Without a wish for one it takes the first of the list that can be imported: eventlet or
gevent, if they are merely installed, and then no WebSocket works.
Decision: the mode "greening" is put in front of the list, and this file under the name that is imported. Threads,
queues and events are those of the patched stdlib. WebSockets are greening's own. They work in greening.wsgi, with the
worker `greening.ext.gunicorn.GreeningWorker`, and in Werkzeug's server; simple-websocket is not needed.
"""

import queue
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from greening._core.waiting import sleep
from greening.monkey import patch_module
from greening.patcher.spec import Patch, Undo
from greening.websocket.application import WebSocketWSGI

MODE = "greening"
_DRIVER = f"engineio.async_drivers.{MODE}"


def install(module: ModuleType) -> None:
    """The plug-in. `module`: engineio.base_server, just imported."""
    modes = module.BaseServer.async_modes

    def async_modes(self: Any) -> list[str]:
        """The modes of a server, in the order in which they are tried."""
        return [MODE, *modes(self)]

    def add_driver(undo: Undo) -> None:
        sys.modules[_DRIVER] = sys.modules[__name__]
        undo.add(lambda: sys.modules.pop(_DRIVER, None))

    methods = {"BaseServer": {"async_modes": async_modes}}
    patch_module(Patch(target=module.__name__, flag="socket", replaces={}, methods=methods, after=add_driver), module)


class BackgroundTask(threading.Thread):
    """What `start_background_task` returns, and what sends to a client. The process does not wait for it at its end."""

    def __init__(self, target: Callable[..., object], args: tuple[Any, ...] = (), kwargs: Any = None) -> None:
        super().__init__(target=target, args=args, kwargs=kwargs, daemon=True)


class WebSocketTransport(WebSocketWSGI):
    """The WebSocket of a client of Engine.IO: `handler(ws)` waits and sends, as with eventlet's.

    Args:
        server: the `engineio.Server`. A message may be as long as its `max_http_buffer_size`, in bytes.
    """

    def __init__(self, handler: Callable[[Any], object], server: Any) -> None:
        super().__init__(handler, max_frame_length=int(server.max_http_buffer_size))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """WSGI. Not a list: Engine.IO would take it for packets, and answer once more."""
        if "greening.upgrade" not in environ and "gunicorn.socket" in environ:
            # Engine.IO's own: a worker of gunicorn is not left as eventlet's server is.
            environ.pop("eventlet.input", None)
        return tuple(super().__call__(environ, start_response))


# What Engine.IO asks a driver for.
_async = {
    "thread": BackgroundTask,
    "queue": queue.Queue,
    "queue_empty": queue.Empty,
    "event": threading.Event,
    "websocket": WebSocketTransport,
    "sleep": sleep,
}
