"""asyncio's TLS, which goes through memory, is what it was, beside green TLS in the same thread.

Arguments: the authority's certificate, the server's certificate and key.
"""

import sys

import greening

greening.monkey_patch()

import asyncio
import socket
import ssl

authority, certificate = sys.argv[1:]
client_context = ssl.create_default_context(cafile=authority)
server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.load_cert_chain(certificate)


async def echo(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def main():
    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_context) as server:
        address = server.sockets[0].getsockname()

        def ask():
            raw = socket.create_connection(address)
            with client_context.wrap_socket(raw, server_hostname="localhost") as sock:
                sock.sendall(b"green\n")
                return sock.recv(100)

        asking = greening.spawn(ask)
        reader, writer = await asyncio.open_connection(*address, ssl=client_context, server_hostname="localhost")
        writer.write(b"asyncio\n")
        assert await reader.readline() == b"asyncio\n"
        writer.close()
        await writer.wait_closed()
        while not asking.dead:
            await asyncio.sleep(0.001)
        assert asking.wait() == b"green\n"


asyncio.run(main())
