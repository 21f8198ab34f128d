"""Forward a TCP port, with TLS on the side where you want it.

    python proxy.py --listen 127.0.0.1:8080 --to example.org:443 --tls-connect
    python proxy.py --listen 0.0.0.0:8443 --to 127.0.0.1:8000 --tls-listen cert.pem key.pem

Each connection has two green threads, one for each direction. When one end says that it has finished (a half-close),
the other end is told so and may go on answering; when one end breaks, the other is broken off too, so that half a
message is not taken for a whole one. Port 0 lets the system choose one.
"""

import argparse
import contextlib
import ssl
import struct
import sys
from collections.abc import Callable
from functools import partial

import greening as eventlet
from greening.green import socket

CHUNK = 65536
Address = tuple[str, int]
Wrap = Callable[[socket.socket], "Plain"]


class Plain:
    """One end of a forwarded connection: what the two copying green threads need of it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def recv(self) -> bytes:
        """The next bytes; b"" when the peer has finished."""
        return self.sock.recv(CHUNK)

    def sendall(self, data: bytes) -> None:
        self.sock.sendall(data)

    def finish(self) -> None:
        """Tell the peer that nothing more will be sent; it may still talk."""
        self.sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Break off: the peer sees a reset, and a green thread that waits for this socket an error."""
        with contextlib.suppress(OSError):  # gone already
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Tls(Plain):
    """The same through TLS.

    `ssl.SSLSocket` cannot finish one direction and go on reading: its `shutdown` drops TLS altogether and its `unwrap`
    fails on the data that is still coming. An `SSLObject` between two buffers can. Whatever has arrived is decrypted at
    once, so `finish` never finds unread data in the way, and only the green thread that sends takes from `_outgoing`.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str | None, sock: socket.socket) -> None:
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server_side = server_name is None
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side, server_name)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            finally:
                self._flush()  # the last words of a handshake, the reason why it was refused among them

    def recv(self) -> bytes:
        data = b""
        while not data:
            try:
                while record := self._tls.read(CHUNK):
                    data += record
                break
            except ssl.SSLWantReadError:
                if not data:
                    self._feed()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                break  # many servers close without TLS's own goodbye; ssl's sockets are as lenient
        return data

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        self._flush()

    def finish(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):  # our goodbye is in the buffer, the peer's has not come yet
            self._tls.unwrap()
        self._flush()

    def _feed(self) -> None:
        if data := self.sock.recv(CHUNK):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self.sock.sendall(data)


def copy(source: Plain, sink: Plain, errors: list[OSError]) -> None:
    """Everything from source to sink, the end included. An error breaks off both and is added to `errors`."""
    try:
        while data := source.recv():
            sink.sendall(data)
        sink.finish()
    except OSError as error:
        errors.append(error)
        source.abort()
        sink.abort()


def forward(to: Address, wrap_client: Wrap, wrap_server: Wrap, sock: socket.socket, address: Address) -> None:
    """One client, from its arrival until both directions have ended."""
    errors: list[OSError] = []
    try:
        client = wrap_client(sock)
        with socket.create_connection(to) as upstream:
            server = wrap_server(upstream)
            answers = eventlet.spawn(copy, server, client, errors)
            copy(client, server, errors)
            answers.wait()
    except OSError as refusal:
        errors.append(refusal)
        Plain(sock).abort()
    if errors:
        # The first is the cause; a second one only says that the other direction was broken off.
        print(f"{address[0]}:{address[1]}: {errors[0]}", file=sys.stderr, flush=True)


def host_and_port(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def main() -> None:
    parser = argparse.ArgumentParser(description="Forward a TCP port, with TLS on the side where you want it.")
    parser.add_argument("--listen", type=host_and_port, required=True, metavar="HOST:PORT")
    parser.add_argument("--to", type=host_and_port, required=True, metavar="HOST:PORT")
    parser.add_argument("--tls-listen", nargs=2, metavar=("CERTFILE", "KEYFILE"), help="clients speak TLS to us")
    parser.add_argument("--tls-connect", nargs="?", const="", metavar="CAFILE", help="we speak TLS to the server")
    options = parser.parse_args()
    wrap_client: Wrap = Plain
    wrap_server: Wrap = Plain
    try:
        if options.tls_listen:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*options.tls_listen)
            wrap_client = partial(Tls, context, None)
        if options.tls_connect is not None:
            context = ssl.create_default_context(cafile=options.tls_connect or None)
            wrap_server = partial(Tls, context, options.to[0])
    except OSError as error:
        parser.error(f"certificate or key: {error}")
    family = socket.AF_INET6 if ":" in options.listen[0] else socket.AF_INET
    listener = eventlet.listen(options.listen, family=family)
    print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    eventlet.serve(listener, partial(forward, options.to, wrap_client, wrap_server))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("stopped")
