"""`scripts/demo --workers N`: the demo's crawl, spread over worker processes of Celery's on this machine.

All of it is in scripts/examples/distributed_crawler.py; this file starts it and says what came of it.
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

import distributed_crawler

ELSEWHERE = """
On more machines: run a Redis or RabbitMQ that all of them reach, and on each, in {folder},
  CRAWL_BROKER=redis://broker.example/0 python -m greening.ext.celery -A distributed_crawler worker -c {at_once}
then  scripts/demo --workers 1 --broker redis://broker.example/0 URL...  on one of them."""


def crawl(urls: Sequence[str], number: int, broker: str | None, timeout: float) -> None:
    """Fetch all pages with `number` workers, and print what came of them.

    Args:
        broker: its address; None: an embedded server.
        timeout: seconds for each single wait.
    """
    at_once = distributed_crawler.AT_ONCE
    print(f"{len(urls):,} pages, {number} workers of up to {at_once} pages at once, {timeout:g} s for each wait\n")
    by_worker: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    size = 0
    with distributed_crawler.broker(broker) as address, distributed_crawler.workers(number, address):
        distributed_crawler.use(address)
        began = time.monotonic()
        for _, length, why, worker in distributed_crawler.crawl(urls, timeout, lambda _: None):
            by_worker[worker.partition("@")[0]] += 1
            size += length or 0
            if why is not None:
                causes[why] += 1
            if by_worker.total() * 4 // len(urls) > (by_worker.total() - 1) * 4 // len(urls):
                print(
                    f"{by_worker.total():,}/{len(urls):,} pages, {causes.total()} failed", file=sys.stderr, flush=True
                )
        elapsed = time.monotonic() - began
    rows = [("pages", f"{len(urls):,}"), ("  fetched", f"{len(urls) - causes.total():,}")]
    rows += [
        ("  failed", f"{causes.total():,}"),
        *((f"    {why[:40]}", f"{each:,}") for why, each in causes.most_common()),
    ]
    rows += [("bytes", f"{size:,}"), ("elapsed, with the workers' start", f"{elapsed:.1f} s")]
    rows += [(f"by {worker}", f"{pages:,}") for worker, pages in sorted(by_worker.items())]
    print("\n" + "\n".join(f"{title:46}{value:>12}" for title, value in rows))
    print(ELSEWHERE.format(folder=EXAMPLES, at_once=at_once))
