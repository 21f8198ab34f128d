"""Flask-SocketIO: `socketio.run(app)` serves by greening.wsgi, when the async mode is greening's (see `engineio.py`).

Facts: `SocketIO.run` knows one server for each mode of Engine.IO, and returns without a word in another mode.
Decision: in the mode "greening" it is `greening.wsgi.Server`. It takes the arguments that `run` takes for eventlet:
`keyfile`, `certfile` and the others of `greening.wrap_ssl`, and the settings of the server.
"""

import socket
from importlib import import_module
from types import ModuleType
from typing import Any

from werkzeug._reloader import run_with_reloader
from werkzeug.debug import DebuggedApplication

from greening.ext.classes import patch_methods
from greening.ext.engineio import MODE
from greening.net.convenience import listen
from greening.net.wrap_ssl import wrap_ssl
from greening.sync.event import Event

# Seconds in which requests and connections may come to their end, when the server is stopped.
GRACE = 5.0
_TLS = "keyfile certfile cert_reqs ssl_version ca_certs do_handshake_on_connect suppress_ragged_eofs ciphers".split()


def install(module: ModuleType) -> None:
    """The plug-in. `module`: flask_socketio, just imported."""
    base: Any = module
    run_otherwise, stop_otherwise = base.SocketIO.run, base.SocketIO.stop

    def run(self: Any, app: Any, host: str | None = None, port: int | None = None, **kwargs: Any) -> Any:
        """Run the application: as Flask-SocketIO's, and by `greening.wsgi.Server` in the async mode "greening".

        Args:
            host, port: default: 127.0.0.1, and the port of SERVER_NAME or 5000.
            kwargs: `debug`, `use_reloader`, `reloader_options`, `extra_files`, `log_output`: as Flask-SocketIO's.
                `ssl_context`, or `certfile`, `keyfile` and others of `wrap_ssl`: TLS. Others: settings of the server.
        """
        if self.server.eio.async_mode != MODE:
            return run_otherwise(self, app, host, port, **kwargs)
        return _run(self, app, host or "127.0.0.1", _port_of(app) if port is None else port, kwargs)

    def stop(self: Any) -> Any:
        """Stop the server that `run` started; call it in any handler. `run` returns."""
        if self.server.eio.async_mode != MODE:
            return stop_otherwise(self)
        self.wsgi_server.stopped.send()
        return None

    patch_methods(module, {"SocketIO": {"run": run, "stop": stop}})


def _port_of(app: Any) -> int:
    name = app.config["SERVER_NAME"]
    return int(name.rsplit(":", 1)[1]) if name and ":" in name else 5000


def _run(socketio: Any, app: Any, host: str, port: int, options: dict[str, Any]) -> None:
    app.debug = debug = options.pop("debug", app.debug)
    options.setdefault("log_output", debug)
    use_reloader = options.pop("use_reloader", debug)
    extra_files = options.pop("extra_files", None)
    reloader_options = options.pop("reloader_options", {})
    options.pop("allow_unsafe_werkzeug", None)  # it is not Werkzeug's
    if extra_files:
        reloader_options["extra_files"] = extra_files
    if debug:
        # Around the Flask application, not around the middleware: a WebSocket has no page to show an error on.
        socketio.sockio_mw.wsgi_app = DebuggedApplication(socketio.sockio_mw.wsgi_app, evalex=True)

    def serve() -> None:
        socketio.wsgi_server = Running(host, port, app, options)
        socketio.wsgi_server.serve()

    if use_reloader:
        run_with_reloader(serve, **reloader_options)
    else:
        serve()


class Running:
    """A server until it is stopped.

    Attributes:
        stopped: the event that ends `serve`. server: the `greening.wsgi.Server`.
    """

    def __init__(self, host: str, port: int, app: Any, options: dict[str, Any]) -> None:
        server = import_module("greening.wsgi.server").Server  # raises ImportError without the extra `wsgi`
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = listen(address, family)
        tls = {name: options.pop(name) for name in _TLS if name in options}
        if tls := {name: value for name, value in tls.items() if value is not None}:
            listener = wrap_ssl(listener, server_side=True, **tls)
        self.stopped = Event()
        self.server: Any = server(listener, app, **options)

    def serve(self) -> None:
        """Serve until `stopped` is sent, or an exception comes (Ctrl-C)."""
        self.server.start()
        try:
            self.stopped.wait()
        finally:
            self.server.stop(GRACE)
