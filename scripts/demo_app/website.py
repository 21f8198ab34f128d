"""The demo's web server, a process of its own: `python website.py PAGES`

Listens on loopback, prints the port that the kernel chose, and serves until its standard input ends: when the
process that started it closes the pipe, or ends. Ordinary asyncio, so that it shares nothing with what it is there to
show.
"""

import asyncio
import signal
import socket
import struct
import sys
from functools import partial

from pages import Kind, Page, plan

FILLER = b"<p>All work and no play makes Jack a dull boy.</p>\n" * 4000
STATUS = {Kind.MISSING: "404 Not Found", Kind.FAULTY: "500 Internal Server Error", Kind.MOVED: "302 Found"}
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


async def answer(page: Page, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Obey the page's plan. True where the connection is still good for another request."""
    if page.kind is Kind.SILENT:
        await reader.read()  # until the client has had enough
        return False
    await asyncio.sleep(page.delay)
    if page.kind is Kind.RESET:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        writer.transport.abort()
        return False
    head = f"HTTP/1.1 {STATUS.get(page.kind, '200 OK')}\r\nContent-Type: text/html\r\nContent-Length: {page.size}\r\n"
    if page.kind is Kind.MOVED:
        head += "Location: /0\r\n"
    whole = page.kind is not Kind.CUT
    writer.write(head.encode() + b"\r\n" + FILLER[: page.size if whole else page.size // 2])
    await writer.drain()
    return whole


async def converse(pages: list[Page], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, kept open for as long as the client likes."""
    try:
        again = True
        while again:
            request = (await reader.readuntil(b"\r\n\r\n")).lower()
            number = int(request.split(maxsplit=2)[1].removeprefix(b"/"))
            again = await answer(pages[number], reader, writer) and b"connection: close" not in request
    except (EOFError, ConnectionError):
        pass  # the client has left
    except (asyncio.LimitOverrunError, ValueError, IndexError):
        pass  # it asks for something that is not there
    finally:
        writer.close()


async def serve(pages: list[Page]) -> None:
    server = await asyncio.start_server(partial(converse, pages), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the crawler, which then closes the pipe
    asyncio.run(serve(plan(int(sys.argv[1]))))
