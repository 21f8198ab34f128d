"""Accounts, and workers that move money between them: `python -m greening ledger.py [TRANSFERS]`

The workers take transfers from a queue. Another thread writes statements now and then. SIGTERM and Ctrl-C end it in
good order: what was begun is finished.
"""

import queue
import signal
import sys
import threading
import time

Transfers = queue.Queue[tuple[str, str, int]]


class Ledger:
    """Who has how much, and what has happened to it."""

    def __init__(self, names: list[str]) -> None:
        self.balances = dict.fromkeys(names, 100)
        self.history: list[str] = []
        self.balances_lock = threading.Lock()
        self.history_lock = threading.Lock()

    def transfer(self, source: str, target: str, amount: int) -> None:
        with self.balances_lock:
            self.balances[source] -= amount
            self.balances[target] += amount
            self.record(f"{source} -> {target}: {amount}")

    def record(self, line: str) -> None:
        time.sleep(0.001)  # the disk
        with self.history_lock:
            self.history.append(line)

    def statement(self) -> str:
        with self.history_lock:
            return f"{len(self.history)} transfers; {self.totals()} in all"

    def totals(self) -> int:
        time.sleep(0.001)  # the disk
        with self.balances_lock:
            return sum(self.balances.values())


def work(ledger: Ledger, transfers: Transfers) -> None:
    while True:
        ledger.transfer(*transfers.get())
        transfers.task_done()


def report(ledger: Ledger, stop: threading.Event) -> None:
    while not stop.is_set():
        print(ledger.statement(), flush=True)
        stop.wait(0.05)


def main(count: int) -> None:
    ledger, transfers, stop = Ledger(["ann", "bob", "eve"]), Transfers(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    for _ in range(2):
        threading.Thread(target=work, args=(ledger, transfers), daemon=True).start()
    reporter = threading.Thread(target=report, args=(ledger, stop))
    reporter.start()
    for number in range(count):
        transfers.put((("ann", "bob"), ("bob", "eve"), ("eve", "ann"))[number % 3] + (number % 10,))
    transfers.join()
    stop.set()
    reporter.join()
    print("done:", ledger.statement())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
