"""The measured WebSocket server: PEER APP. Prints its port, and ends with the benchmark that started it.

Messages are echoed by a handler that waits for them (APP "echo"), or by a function that is called ("callbacks"). A peer
that calls no functions waits in both. The client asks for no compression, and no ping is due while the other peers have
their turn. All else is as the libraries have it.
"""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.inside.listening import ROOM, Servers, announce, run

PING_INTERVAL = 600  # seconds


def echo(ws: Any) -> None:
    """Send back what comes, in the style of eventlet."""
    while (message := ws.wait()) is not None:
        ws.send(message)


def answer(ws: Any, message: str | bytes) -> None:
    """Send back one message."""
    ws.send(message)


async def echo_async(ws: Any) -> None:
    """Send back what comes, in the style of websockets."""
    async for message in ws:
        await ws.send(message)


def greening(app: str) -> None:
    """`greening.websocket` on `greening.wsgi`."""
    importlib.import_module("greening").monkey_patch()
    listener = announce()
    kind = importlib.import_module("greening.websocket").WebSocketWSGI
    make = kind.callbacks if app == "callbacks" else kind
    application = make(answer if app == "callbacks" else echo, ping_interval=PING_INTERVAL)
    importlib.import_module("greening.wsgi").server(listener, application, log_output=False, max_size=ROOM)


def eventlet(app: str) -> None:
    """`eventlet.websocket` on `eventlet.wsgi`. It sends no pings."""
    del app
    importlib.import_module("eventlet").monkey_patch()
    listener = announce()
    application = importlib.import_module("eventlet.websocket").WebSocketWSGI(echo)
    importlib.import_module("eventlet.wsgi").server(listener, application, log_output=False, max_size=ROOM)


def websockets(app: str) -> None:
    """The library of that name, on asyncio."""
    del app
    listener = announce()
    library = importlib.import_module("websockets.asyncio.server")

    async def serve() -> None:
        async with library.serve(echo_async, sock=listener, ping_interval=PING_INTERVAL) as server:
            await server.serve_forever()

    importlib.import_module("asyncio").run(serve())


SERVERS: Servers = {"greening": greening, "eventlet": eventlet, "websockets": websockets}

if __name__ == "__main__":
    run(SERVERS)
