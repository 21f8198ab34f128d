"""Flask-SocketIO with `async_mode="eventlet"`: a client that polls, and one with a WebSocket; text, 100 kB of bytes."""

import os
import sys

PORT = os.environ.get("SOCKETIO_PORT")


def serve() -> None:
    """The server."""
    import checks
    import eventlet

    eventlet.monkey_patch()
    from flask import Flask
    from flask_socketio import SocketIO

    app = Flask(__name__)
    server = SocketIO(app, async_mode="eventlet")

    @server.on("echo")
    def echo(data: object) -> object:
        return data

    @server.on("engines")
    def engines() -> object:
        return checks.engines()

    server.run(app, port=int(PORT))


def main() -> None:
    """The checks, with clients that know nothing of eventlet."""
    import socketio
    from checks import CHECKS, expected_engines, free_port, run, running, wait_for_port

    def talk(transport: str) -> None:
        client = socketio.Client()
        client.connect(f"http://127.0.0.1:{port}", transports=[transport], wait_timeout=20)
        try:
            assert client.transport() == transport
            assert client.call("engines", timeout=20) == expected_engines()
            for data in ("text", {"a": [1, "ä"]}, os.urandom(100_000)):
                assert client.call("echo", data, timeout=20) == data
        finally:
            client.disconnect()

    CHECKS.update({name: (lambda name=name: talk(name)) for name in ("polling", "websocket")})
    port = free_port()
    with running(__file__, SOCKETIO_PORT=str(port)) as server:
        wait_for_port(port, server)
        run()


if __name__ == "__main__":
    sys.exit(serve() if PORT else main())
