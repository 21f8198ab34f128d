"""A night's work in all the ways that there are to do it: `python -m greening batch.py FILE...`

Of each file: its checksum from a child process, its number of lines from a thread, its most frequent word from a
process of a pool, and its size from an event loop in a thread. Nothing in this program knows of greening:
`python batch.py` prints the same.
"""

import asyncio
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from queue import Queue


def checksum(path: str) -> str:
    with subprocess.Popen(["cksum"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        out, _ = child.communicate(Path(path).read_bytes())
    return out.split()[0].decode()


def count_lines(path: str) -> int:
    return Path(path).read_bytes().count(b"\n")


def favourite(path: str) -> str:
    """The most frequent word; of several the first in the alphabet."""
    counts = Counter(Path(path).read_text(encoding="utf-8", errors="replace").split())
    return min(counts, key=lambda word: (-counts[word], word), default="-")


async def fetch(path: str) -> int:
    """The bytes that a child sends, as a server far away would."""
    child = await asyncio.create_subprocess_exec("cat", path, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(child.communicate(), 60)
    return len(out)


def fetch_all(paths: Sequence[str], sizes: "Queue[tuple[str, int]]") -> None:
    """In a thread that has an event loop of its own."""

    async def main() -> None:
        for path, size in zip(paths, await asyncio.gather(*map(fetch, paths)), strict=True):
            sizes.put((path, size))

    asyncio.run(main())


def main(paths: Sequence[str]) -> None:
    sizes: Queue[tuple[str, int]] = Queue()
    loops = [threading.Thread(target=fetch_all, args=(paths[number::2], sizes)) for number in range(2)]
    for loop in loops:
        loop.start()
    with ThreadPoolExecutor(20) as threads, get_context("spawn").Pool(2) as processes:
        words = processes.map_async(favourite, paths)
        checksums = threads.map(checksum, paths)
        lines = threads.map(count_lines, paths)
        table = list(zip(paths, checksums, lines, words.get(60), strict=True))
    for loop in loops:
        loop.join()
    size_of = dict(sizes.get() for _ in paths)
    for path, check, count, word in table:
        print(f"{Path(path).name}: {size_of[path]} bytes, {count} lines, checksum {check}, most often {word!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
