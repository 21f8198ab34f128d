"""Fetch pages two hundred at a time with nothing but urllib: `python crawler.py URL...`"""

import sys

import greening as eventlet
from greening.green.urllib import request

DEFAULT_URLS = ["https://www.python.org/", "https://docs.python.org/3/", "https://peps.python.org/"]


def fetch(url: str) -> bytes:
    print("opening", url)
    return request.urlopen(url).read()


def main(urls: list[str]) -> None:
    pool = eventlet.GreenPool(200)
    # The bodies come in the order of the addresses, whichever arrives first.
    for body in pool.imap(fetch, urls):
        print("got", len(body), "bytes")


if __name__ == "__main__":
    main(sys.argv[1:] or DEFAULT_URLS)
