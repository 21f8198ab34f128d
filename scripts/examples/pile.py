"""Fetch pages over raw sockets and lay the answers beside their addresses: `python pile.py URL...`

Plain http only: what travels over the socket is written out here by hand.
"""

import sys
from urllib.parse import urlsplit

import greening as eventlet
from greening.green import socket

DEFAULT_URLS = ["http://example.com/", "http://example.org/", "http://www.python.org/"]


def fetch(url: str) -> bytes:
    """The whole answer to one GET, status line and headers included."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path or "/"
    if parts.query:
        path += "?" + parts.query
    with socket.socket() as connection:
        connection.connect((socket.gethostbyname(host), parts.port or 80))
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def main(urls: list[str]) -> None:
    pile = eventlet.GreenPile()
    for url in urls:
        pile.spawn(fetch, url)
    # A pile gives its results in the order in which they were asked for.
    for url, answer in zip(urls, pile, strict=False):
        status = answer.partition(b"\r\n")[0].decode("latin-1")
        print(f"{url}: {status}, {len(answer)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:] or DEFAULT_URLS)
