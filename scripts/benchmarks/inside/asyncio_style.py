"""Adapter for asyncio streams, on the stdlib's loop or on uvloop's. Loops on asyncio's own calls: `coroutines`."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections.abc import Awaitable, Callable

from benchmarks.inside.job import Job, pattern, pattern_file

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def patch(module: str) -> None:
    """Leave the stdlib as it is: streams are cooperative without."""
    del module


def serve(module: str, job: Job) -> None:
    """Serve until killed."""
    with asyncio.Runner(loop_factory=importlib.import_module(module).new_event_loop) as runner:
        runner.run(_serve(job))


async def _serve(job: Job) -> None:
    name = "echo_with_timeout" if job.timeout else job.name
    handle, context = HANDLERS[name](job), None
    if job.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(job.certificate)

    async def finished(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handle(reader, writer)
        writer.close()

    server = await asyncio.start_server(finished, "127.0.0.1", 0, backlog=1024, ssl=context)
    print(f'{{"port": {server.sockets[0].getsockname()[1]}}}', flush=True)
    await server.serve_forever()


def echo(job: Job) -> Handler:
    """Send back what comes."""
    del job

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()

    return handle


def echo_with_timeout(job: Job) -> Handler:
    """Send back what comes, with a time limit on each read."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(job.timeout):
                data = await reader.read(4096)
            if not data:
                break
            writer.write(data)
            await writer.drain()

    return handle


def receive(job: Job) -> Handler:
    """Read `size` bytes, answer with one byte. Streams have no receive into a buffer; `read` is what copies least."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = 0
        while data := await reader.read(job.size - got):
            got += len(data)
            if got == job.size:
                writer.write(b"!")
                await writer.drain()
                got = 0

    return handle


def send(job: Job) -> Handler:
    """For every byte, write `size` bytes."""
    message = pattern(job.size)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1):
            writer.write(message)
            await writer.drain()

    return handle


def sendfile(job: Job) -> Handler:
    """For every byte, `loop.sendfile` of a file of `size` bytes."""
    path = pattern_file(job.size)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with open(path, "rb") as file:
            while await reader.read(1):
                file.seek(0)
                await loop.sendfile(writer.transport, file)

    return handle


HANDLERS: dict[str, Callable[[Job], Handler]] = {
    make.__name__: make for make in (echo, echo_with_timeout, receive, send, sendfile)
}
