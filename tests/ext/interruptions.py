"""A storm of random Timeouts and kills, and whether a client still gives each question its own answer.

    report = storm([ask, ask, ...], 10_000)      # in a program of a test, after monkey_patch()
    report.check()

Each lane asks one question after the other, and is interrupted at a random moment of it. Each question has a tag, which
its answer has to repeat. After an interruption the next question may fail with an error, since the connection may be
gone, but it may not get another one's answer, and soon one has to succeed.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from time import monotonic
from typing import TypeVar

import greening

# Errors in a row after which a lane counts as dead.
PATIENCE = 20
# A question that is not interrupted takes no longer, in seconds.
LONGEST = 20.0

Ask = Callable[[int], object]


class Report:
    """What became of the questions.

    Attributes:
        interrupted: how often a Timeout or a kill came before the answer.
        answered: how many questions were answered in time.
        wrong: (tag, answer) of the first answers that belong to other questions.
        errors: how often which error was raised.
        failures: how many questions of a lane have failed since the last answer.
        dead: why lanes did not recover.
    """

    def __init__(self) -> None:
        self.interrupted = self.answered = 0
        self.wrong: list[tuple[int, object]] = []
        self.errors: Counter[str] = Counter()
        self.failures: Counter[Ask] = Counter()
        self.dead: list[str] = []

    def check(self) -> None:
        """Raise AssertionError unless every answer was right and every lane recovered."""
        assert not self.wrong, f"{len(self.wrong)} wrong answers, for example (asked, got) {self.wrong[:3]}; {self}"
        assert not self.dead, f"{self.dead[0]}; {self}"
        assert self.answered, str(self)

    def __str__(self) -> str:
        listed = ", ".join(f"{number} x {name}" for name, number in self.errors.most_common(4)) or "none"
        counts = f"{self.interrupted} interrupted, {self.answered} answered, {len(self.wrong)} wrong"
        return f"{counts}, errors: {listed}"


def storm(lanes: Sequence[Ask], interruptions: int, limit: float = LONGEST, seed: int = 1) -> Report:
    """Ask and interrupt until so many questions have been interrupted.

    Args:
        lanes: for each green thread the function that asks: it is given a tag, and returns it.
        limit: seconds in which a question that is not interrupted has to be answered.
    """
    report = Report()
    # Long enough that some answers come in time, though the lanes share a processor.
    longest = 2 * len(lanes) * _usual_time(lanes[0])

    def run(number: int, ask: Ask) -> None:
        chance = random.Random(seed + number)
        for tag in count(number + 1, len(lanes)):
            if report.interrupted >= interruptions or report.dead:
                return
            how = chance.choice((_by_timeout, _by_kill))
            # Now and then one is left alone: it has to be answered, if not at once.
            alone = bool(report.failures[ask]) or chance.random() < 0.05
            delay = limit if alone else chance.uniform(0, longest)
            _ask_once(ask, tag, how, delay, alone, report)

    for thread in [greening.spawn(run, number, ask) for number, ask in enumerate(lanes)]:
        thread.wait()
    return report


def _usual_time(ask: Ask) -> float:
    ask(-1)
    begin = monotonic()
    for tag in range(10):
        ask(-tag)
    return (monotonic() - begin) / 10


def _ask_once(
    ask: Ask, tag: int, how: Callable[[Ask, int, float], object], delay: float, alone: bool, report: Report
) -> None:
    failures = report.failures[ask]
    try:
        answer = how(ask, tag, delay)
    except Exception as error:  # what the library raises is its own affair
        report.errors[type(error).__name__] += 1
        report.failures[ask] += 1
        if failures >= PATIENCE:
            report.dead.append(f"{failures} errors in a row, the last one {error!r}")
        return
    if answer is _INTERRUPTED:
        report.interrupted += 1
        if alone:
            report.dead.append(f"no answer in {delay} s")
        return
    report.failures[ask] = 0
    report.answered += 1
    if answer != tag:
        report.wrong.append((tag, answer))


_INTERRUPTED = object()


def _by_timeout(ask: Ask, tag: int, delay: float) -> object:
    with greening.Timeout(delay, False):
        return ask(tag)
    return _INTERRUPTED


def _by_kill(ask: Ask, tag: int, delay: float) -> object:
    thread = greening.spawn(ask, tag)
    thread.quiet = True
    with greening.Timeout(delay, False):
        return thread.wait()
    thread.kill()
    try:
        return thread.wait()
    except greening.GreenletExit:
        return _INTERRUPTED


def interrupted(call: Callable[..., object], *args: object, after: float = 0.05) -> None:
    """Call it, and have a Timeout strike after so many seconds. Raises AssertionError if it has ended before."""
    try:
        with greening.Timeout(after):
            call(*args)
    except greening.Timeout:
        return
    raise AssertionError("it was not interrupted")


E = TypeVar("E", bound=BaseException)


def raised(kind: type[E], call: Callable[..., object], *args: object) -> E:
    """The error of that class that the call raises. Raises AssertionError if it does not."""
    try:
        call(*args)
    except kind as error:
        return error
    raise AssertionError("it did not raise")
