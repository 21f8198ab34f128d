"""What is told of a block, and how often."""

import threading

import pytest

from greening.debug.blocks import Block, Book, Samples, computed
from greening.debug.samples import Line

OUTER, INNER, OTHER = Line("app.py", 1, "main"), Line("app.py", 2, "parse"), Line("app.py", 3, "check")


def block(line: Line = INNER, seconds: float = 0.5, over: bool = True, processor: float | None = 0.4) -> Block:
    return Block(
        "GreenThread-1 (main)", seconds, processor, 0.0, over, line, (OUTER, line), ((line, 1.0),), "f()", "do this"
    )


def test_the_report_says_who_and_where_and_what_to_do() -> None:
    text = str(block())
    assert text.splitlines() == [
        "GreenThread-1 (main) kept its OS thread for 0.50 s; meanwhile no other green thread ran.",
        "  It computed: 0.40 s on a processor.",
        '  File "app.py", line 1, in main',
        '  File "app.py", line 2, in parse',
        "  The call: f()",
        "  What to do: do this.",
    ]
    assert "so far" in str(block(over=False))
    assert "processor" not in str(block(processor=None))


def test_a_name_cannot_move_the_cursor() -> None:
    odd = Block("a\x1b[2Jb\nc", 1.0, None, 0.0, True, INNER, (INNER,), ((INNER, 1.0),), "", "")
    assert str(odd).startswith(r"a\x1b[2Jb\nc kept its OS thread")


@pytest.mark.parametrize(
    ("seconds", "processor", "expected"),
    [(1.0, 0.9, True), (1.0, 0.01, False), (1.0, 0.4, None), (1.0, None, None), (0.0, 0.0, None)],
)
def test_computing_is_told_from_waiting(seconds: float, processor: float | None, expected: bool | None) -> None:
    assert computed(seconds, processor) is expected


def test_time_in_the_queue_for_a_processor_is_no_waiting() -> None:
    contended = Block("x", 1.0, 0.3, 0.7, True, INNER, (INNER,), ((INNER, 1.0),), "", "")
    assert contended.computed is True
    assert "0.70 s in the queue for one" in str(contended)


def test_samples_show_where_the_time_went() -> None:
    samples = Samples()
    samples.add((OUTER, INNER), 0.1)
    samples.add((OUTER, OTHER), 0.3)
    samples.add((OUTER, INNER), 0.1)
    assert samples.stack() == (OUTER, OTHER)
    assert samples.places() == ((OTHER, pytest.approx(0.6)), (INNER, pytest.approx(0.4)))
    assert samples.line() == OTHER


def test_several_places_are_told_with_their_parts() -> None:
    several = Block("x", 1.0, None, 0.0, True, INNER, (INNER,), ((INNER, 0.75), (OTHER, 0.25)), "", "")
    assert "     75%  app.py:2 in parse" in str(several).splitlines()
    assert "     25%  app.py:3 in check" in str(several).splitlines()


def test_a_place_is_told_at_its_first_tenth_and_hundredth_block() -> None:
    book = Book()
    told = [found.count for _ in range(120) if (found := book.enter(block())) is not None]
    assert told == [1, 10, 100]
    assert [(left.count, left.total) for left in book.untold()] == [(120, pytest.approx(60.0))]
    assert book.enter(block(OTHER)) is not None, "another place"


def test_the_end_of_a_block_that_was_told_counts_once() -> None:
    book = Book()
    early = book.enter(block(seconds=1.0, over=False))
    assert early is not None
    late = book.enter(block(seconds=3.0), goes_on=True)
    assert late is not None
    assert (late.count, late.total) == (1, 3.0)
    assert not book.untold()


def test_what_the_stdlib_calls_in_itself_is_left_out() -> None:
    inside = [Line(threading.__file__, number, f"f{number}") for number in range(1, 7)]
    deep = Block("x", 1.0, None, 0.0, True, OUTER, (OUTER, *inside), ((inside[-1], 1.0),), "", "")
    shown = [text.rpartition(" ")[2] for text in str(deep).splitlines() if text.startswith(("  File", "  ..."))]
    assert shown == ["main", "f1", "...", "f6"]
    assert "  ... 4 more of the stdlib ..." in str(deep)
