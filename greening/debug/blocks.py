"""A block: a green thread kept its OS thread, so that no other one ran. What is known of it, and what is told.

Decision: a place, which is the innermost line of the user's, is told in full once. After that it is counted, and the
count is told at the 10th block, the 100th and so on, and at the end.
"""

import linecache
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from greening._core.names import printable
from greening.debug.calls import Call
from greening.debug.frames import is_machinery_file
from greening.debug.samples import Line, Stack, users_line

# Of the places where the time went, so many are told.
PLACES_TOLD: Final = 5
# Part of the time on a processor from which on it is called computing, and up to which it is called waiting.
_COMPUTED, _WAITED = 0.6, 0.2


@dataclass(frozen=True, slots=True)
class Block:
    """A green thread kept its OS thread.

    Attributes:
        name: that of the green thread: "GreenThread-5 (parse)", "main greenlet"; "hub": a callback of the hub.
        seconds: how long, as far as it was seen.
        processor: seconds of that on a processor; None: the system does not tell.
        queued: seconds of that in which it could have run, and others had the processors.
        over: False: it went on when this was told.
        line: the innermost line that is neither greening's nor the stdlib's: the place that it is counted by.
        stack: the lines where most of the time went, the outermost first.
        places: the innermost lines, and the part of the time that went to each, the greatest first.
        call: the call that blocked, as the source has it; "": unknown.
        remedy: what to do.
        count: how many blocks there have been at this place, this one included.
        total: their seconds, all together.
        kept: what the others did not get: "its OS thread", or "the GIL", which all OS threads need.
    """

    name: str
    seconds: float
    processor: float | None
    queued: float
    over: bool
    line: Line
    stack: Stack
    places: tuple[tuple[Line, float], ...]
    call: str
    remedy: str
    count: int = 1
    total: float = 0.0
    kept: str = "its OS thread"

    @property
    def computed(self) -> bool | None:
        """True: it used the processor. False: it waited. None: both, or the system does not tell."""
        return computed(self.seconds - self.queued, self.processor)

    def __str__(self) -> str:
        """The report, in several lines."""
        return "\n".join(map(printable, self._lines()))

    def _lines(self) -> Iterator[str]:
        goes_on = "" if self.over else " so far"
        others = "no other green thread" if self.kept == "its OS thread" else "no green thread"
        yield f"{self.name} kept {self.kept} for {self.seconds:.2f} s{goes_on}; meanwhile {others} ran."
        if self.processor is not None:
            what = {True: "It computed", False: "It waited", None: "It computed and waited"}[self.computed]
            queued = f", {self.queued:.2f} s in the queue for one" if self.queued >= 0.01 else ""
            yield f"  {what}: {self.processor:.2f} s on a processor{queued}."
        yield from _source(self.stack)
        if len(self.places) > 1:
            yield "  The time went to:"
            yield from (f"    {part:4.0%}  {line}" for line, part in self.places[:PLACES_TOLD])
        if self.call:
            yield f"  The call: {self.call}"
        yield f"  What to do: {self.remedy}."


def computed(seconds: float, processor: float | None) -> bool | None:
    """Whether so many seconds, of which so many on a processor, were computing (True) or waiting (False)."""
    if processor is None or seconds <= 0:
        return None
    part = processor / seconds
    return True if part >= _COMPUTED else False if part <= _WAITED else None


def _source(stack: Stack) -> Iterator[str]:
    """Lines as a traceback shows them, each with its source. What the stdlib calls in itself is left out."""
    inner = len(stack) - 1
    while inner > 0 and is_machinery_file(stack[inner].file):
        inner -= 1
    for index, line in enumerate(stack):
        if inner + 1 < index < len(stack) - 1:
            if index == inner + 2:
                yield f"  ... {len(stack) - 1 - index} more of the stdlib ..."
            continue
        if not line.file:
            yield f"  {line}"
            continue
        yield f'  File "{line.file}", line {line.number}, in {line.function}'
        source = linecache.getline(line.file, line.number).strip()
        if source:
            yield f"    {source}"


class Samples:
    """What was seen of one block while it lasted: stacks, each with the seconds that it stands for."""

    __slots__ = ("_stacks", "call", "modules")

    def __init__(self) -> None:
        self._stacks: dict[Stack, float] = {}
        self.call = Call("")
        self.modules: list[str] = []

    def add(self, stack: Stack, seconds: float) -> None:
        """It was seen once more, and has gone on for so long since it was seen last."""
        self._stacks[stack] = self._stacks.get(stack, 0.0) + seconds

    def stack(self) -> Stack:
        """Where most of the time went."""
        return max(self._stacks, key=self._stacks.__getitem__)

    def places(self) -> tuple[tuple[Line, float], ...]:
        """The innermost lines, and the part of the time that went to each, the greatest first."""
        return self._by(lambda stack: stack[-1])

    def line(self) -> Line:
        """The user's line to which most of the time went."""
        return self._by(users_line)[0][0]

    def _by(self, line_of: Callable[[Stack], Line]) -> tuple[tuple[Line, float], ...]:
        seconds: dict[Line, float] = {}
        for stack, weight in self._stacks.items():
            line = line_of(stack)
            seconds[line] = seconds.get(line, 0.0) + weight
        whole = sum(seconds.values()) or 1.0
        return tuple((line, seconds[line] / whole) for line in sorted(seconds, key=lambda line: -seconds[line]))


class Book:
    """The blocks by place: how many, and how long. `blocks` has the last one of each."""

    __slots__ = ("_told", "blocks")

    def __init__(self) -> None:
        self.blocks: dict[Line, Block] = {}
        self._told: dict[Line, int] = {}

    def enter(self, block: Block, goes_on: bool = False) -> Block | None:
        """Count a block.

        Args:
            goes_on: it was entered before it was over; this is the end of it.
        Returns:
            The block with its count, if it is to be told; None: it is only counted.
        """
        before = self.blocks.get(block.line)
        count, total = (0, 0.0) if before is None else (before.count, before.total)
        if goes_on and before is not None:
            count, total = count - 1, total - before.seconds
        block = replace(block, count=count + 1, total=total + block.seconds)
        self.blocks[block.line] = block
        if not goes_on and not _is_round(block.count):
            return None
        self._told[block.line] = block.count
        return block

    def untold(self) -> Iterable[Block]:
        """Those whose count has grown since it was told."""
        return [block for line, block in self.blocks.items() if block.count > self._told.get(line, 0)]


def _is_round(number: int) -> bool:
    """True for 1, 10, 100, ..."""
    return number >= 1 and set(str(number)[1:]) <= {"0"} and str(number)[0] == "1"
