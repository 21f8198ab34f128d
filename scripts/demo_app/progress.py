"""A progress bar in plain text: redrawn on a terminal, a line now and then everywhere else."""

import shutil
import time
from typing import TextIO

REDRAW = 0.05  # seconds between two drawings on a terminal
QUARTERS = 4  # lines elsewhere


class Progress:
    """Counts pages; `most` remembers how many were being fetched at once.

    Green threads switch only where a call blocks, so counting needs no lock.
    """

    def __init__(self, label: str, total: int, stream: TextIO) -> None:
        self.label, self.total, self.stream = label, total, stream
        self.done = self.failed = self.running = self.most = 0
        self._terminal = stream.isatty()
        self._began = time.monotonic()
        self._drawn = 0.0
        self._width = 0

    def start(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)

    def finish(self, *, failed: bool) -> None:
        self.running -= 1
        self.done += 1
        self.failed += failed
        now = time.monotonic()
        if self._terminal:
            if now - self._drawn >= REDRAW or self.done == self.total:
                self._drawn = now
                self._redraw(now - self._began)
        elif self.done * QUARTERS // self.total > (self.done - 1) * QUARTERS // self.total:
            print(f"{self.label}: {self._figures(now - self._began)}", file=self.stream, flush=True)

    def close(self) -> None:
        """Leave the terminal's line, finished or not."""
        if self._terminal and self._width:
            print(file=self.stream, flush=True)

    def _figures(self, elapsed: float) -> str:
        return f"{self.done:,}/{self.total:,} pages, {self.failed} failed, {self.running} at once, {elapsed:.1f} s"

    def _redraw(self, elapsed: float) -> None:
        label, figures = f"{self.label:9}", self._figures(elapsed)
        columns = shutil.get_terminal_size().columns - 1
        room = max(0, min(40, columns - len(label) - len(figures) - 4))
        full = room * self.done // self.total
        line = f"{label} [{'#' * full}{'.' * (room - full)}] {figures}"[:columns]
        self.stream.write("\r" + line.ljust(self._width))
        self.stream.flush()
        self._width = len(line)
