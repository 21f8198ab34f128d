"""Send every line back to the client that sent it, one green thread a client: `python echo_server.py [HOST:PORT]`

Try it with several `nc 127.0.0.1 8000` at once. Port 0 lets the system choose one.
"""

import sys
from typing import TextIO

import greening as eventlet


def handle(text: TextIO) -> None:
    """Echo until the client has finished; a client that vanishes ends its own green thread only."""
    # The bytes below the text: before Python 3.13 writing text throws away the lines that were read ahead.
    lines = text.buffer
    try:
        with text:
            while line := lines.readline():
                lines.write(line)
                lines.flush()
    except ConnectionError as error:
        print("client lost:", error)


def main(address: tuple[str, int]) -> None:
    server = eventlet.listen(address)
    pool = eventlet.GreenPool()
    print("listening on {}:{}".format(*server.getsockname()), flush=True)
    while True:
        new_sock, address = server.accept()
        pool.spawn_n(handle, new_sock.makefile("rw"))
        new_sock.close()  # the file keeps the connection open until it is closed as well


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":") if len(sys.argv) > 1 else ("127.0.0.1", ":", "8000")
    try:
        main((host, int(port)))
    except KeyboardInterrupt:
        print("stopped")
