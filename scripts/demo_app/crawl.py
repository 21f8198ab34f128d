"""Crawl many pages at once with ordinary blocking code: `python -m greening crawl.py [URL...]`

Everything that talks to the network here is urllib's and requests' own code; GreenPool is all that comes from greening.
"""

import argparse
import contextlib
import importlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fetchers import FETCHERS, Fetch, cause_of
from pages import plan, waits
from progress import Progress
from report import Tally, table

from greening import GreenPool

WEBSITE = Path(__file__).with_name("website.py")
NAMES = {"urllib": "urllib.request", "requests": "requests"}


def crawl(name: str, fetch: Fetch, urls: Sequence[str], concurrency: int, timeout: float) -> Tally:
    """Fetch all the pages, `concurrency` at once; `timeout`: seconds for each single wait."""
    tally = Tally(NAMES[name])
    progress = Progress(name, len(urls), sys.stderr)

    def visit(url: str) -> None:
        cause = None
        progress.start()
        began = time.monotonic()
        try:
            size = len(fetch(url, timeout))
            tally.fetched += 1
            tally.bytes += size
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with a page is a line of the table
            cause = cause_of(error)
            tally.failures[cause] += 1
        tally.durations += time.monotonic() - began
        progress.finish(failed=cause is not None)

    pool = GreenPool(concurrency)
    began, cpu_began = time.monotonic(), time.process_time()
    try:
        for url in urls:
            pool.spawn_n(visit, url)
        pool.waitall()
    finally:
        progress.close()
    tally.elapsed, tally.cpu = time.monotonic() - began, time.process_time() - cpu_began
    tally.most = progress.most
    return tally


@contextlib.contextmanager
def website(pages: int) -> Iterator[list[str]]:
    """The addresses of an embedded web site, which is there for as long as the block runs."""
    no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    os.environ["no_proxy"] = f"{no_proxy},127.0.0.1" if no_proxy not in ("", "*") else no_proxy or "127.0.0.1"
    command = [sys.executable, str(WEBSITE), str(pages)]
    # Leaving the block closes the pipes, which ends the server, and waits for it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        if not port:
            sys.exit("demo: the embedded web server did not start")
        yield [f"http://127.0.0.1:{port}/{number}" for number in range(pages)]


def raise_file_limit(concurrency: int) -> None:
    """Make room for one descriptor a page, where the system lets us; the web site inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * concurrency + 100
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def web_address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with http:// or https://")
    return text


def file_of_addresses(text: str) -> list[str]:
    try:
        lines = Path(text).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {text!r}: {error}") from None
    urls = [web_address(line.strip()) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not urls:
        raise argparse.ArgumentTypeError(f"{text!r} holds no URL")
    return urls


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above zero")
    return value


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Fetch many pages at once with unmodified urllib.request and requests. Without addresses of "
        "your own the pages come from an embedded web site on loopback: most are slow, some fail.",
    )
    parser.add_argument("urls", nargs="*", type=web_address, metavar="URL", help="pages of your own")
    parser.add_argument("--file", type=file_of_addresses, default=[], help="a file of URLs, one per line, # comments")
    parser.add_argument("--concurrency", type=positive, default=200, metavar="N", help="pages at once (default: 200)")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="seconds for each wait (default: 3; own URLs: 15)")
    parser.add_argument("--pass", choices=[*FETCHERS, "both"], default="both", dest="passes", help="default: both")
    parser.add_argument(
        "--pages", type=positive, default=1000, metavar="N", help="of the embedded site (default: 1000)"
    )
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="spread one crawl over N worker processes of Celery's instead"
    )
    parser.add_argument("--broker", metavar="URL", help="for --workers: redis://... or amqp://... (default: embedded)")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    own = options.urls + options.file
    timeout = options.timeout or (15.0 if own else 3.0)
    raise_file_limit(options.concurrency)
    with contextlib.nullcontext(own) if own else website(options.pages) as urls:
        if options.workers:
            # Imported by name: Celery is not in every environment.
            importlib.import_module("spread").crawl(urls, options.workers, options.broker, timeout)
            return
        print(f"{len(urls):,} pages, up to {options.concurrency:,} at once, {timeout:g} s for each wait\n", flush=True)
        chosen = FETCHERS if options.passes == "both" else [options.passes]
        tallies = [crawl(name, FETCHERS[name], urls, options.concurrency, timeout) for name in chosen]
    if not own:
        for tally in tallies:
            tally.waits = waits(plan(options.pages), timeout)
    print("\n" + table(tallies))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
