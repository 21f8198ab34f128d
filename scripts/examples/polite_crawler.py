"""Fetch pages politely, and keep what was fetched whatever happens: `python polite_crawler.py RESULTS URL...`

Fifty at once, two at once from each host, a hundred a second. RESULTS gets a line of JSON for each page, in the order
in which they come. A page that cannot be had costs a line, and nothing else. Ctrl-C ends the pages that are under way,
and what was fetched is in the file.
"""

import json
import sys
from collections.abc import Iterable
from http.client import HTTPException
from typing import Any, TextIO
from urllib.parse import urlsplit

import greening

greening.monkey_patch()

from urllib.request import urlopen

hosts = greening.KeyedSemaphore(2)
limiter = greening.RateLimiter(100, burst=10)


def fetch(url: str) -> dict[str, Any]:
    """What is known of a page then: its size, or what went wrong."""
    try:
        with hosts(urlsplit(url).hostname), limiter, urlopen(url, timeout=10) as page:
            return {"url": url, "status": page.status, "size": len(page.read())}
    except (OSError, ValueError, HTTPException) as error:  # no connection, no such page, no URL, nonsense
        return {"url": url, "error": str(error)}


def crawl(urls: Iterable[str], results: TextIO) -> int:
    """Fetch and write; return how many are in the file, also after Ctrl-C."""
    count = 0
    try:
        with greening.GreenPool(50) as pool:
            for result in pool.imap_unordered(fetch, urls):
                results.write(json.dumps(result) + "\n")
                results.flush()
                count += 1
    except KeyboardInterrupt:
        print("interrupted", end="; ")
    return count


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as results:
        count = crawl(sys.argv[2:], results)
    print(f"{count} of {len(sys.argv) - 2} pages")
