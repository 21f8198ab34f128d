"""Adapter for asyncio streams, on the stdlib's loop or on uvloop's."""

from __future__ import annotations

import asyncio
import importlib


def serve_echo(module: str, timeout: float) -> None:
    """Echo until killed; `timeout` seconds per receive, 0 for none."""
    with asyncio.Runner(loop_factory=importlib.import_module(module).new_event_loop) as runner:
        runner.run(_serve(timeout))


async def _serve(timeout: float) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def handle_with_timeout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(timeout):
                data = await reader.read(4096)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle_with_timeout if timeout else handle, "127.0.0.1", 0, backlog=1024)
    print(f'{{"port": {server.sockets[0].getsockname()[1]}}}', flush=True)
    await server.serve_forever()
