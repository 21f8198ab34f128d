"""The OS thread without a hub that kept the GIL."""

from collections.abc import Iterator
from typing import Any

import pytest

import greening
from greening import tpool
from greening._core.current import get_hub
from greening._originals import allocate_lock, monotonic, thread_time
from greening.debug import gil_watch
from greening.debug.gil_watch import GilWatch
from greening.debug.periodic import Periodic
from greening.debug.samples import Use

THRESHOLD = 0.02


class Burner:
    """A native thread that uses the processor when it is told to."""

    def __init__(self) -> None:
        self.end = False
        self.used = 0.0
        self.go = allocate_lock()
        self.go.acquire()

    def burn(self) -> None:
        self.go.acquire()
        while not self.end:
            self.used = thread_time()


@pytest.fixture
def burner() -> Iterator[Burner]:
    get_hub()
    made = Burner()
    native = greening.spawn(tpool.execute, made.burn)
    greening.sleep(0)
    yield made
    made.end = True
    if made.go.locked():
        made.go.release()
    native.wait()


@pytest.fixture
def mine() -> Iterator[Periodic]:
    """In the place of the watchdog's OS thread; it only waits."""
    made = Periodic(lambda: 10.0, 10.0, lambda: None, lambda: None, lambda: False)
    made.begin()
    yield made
    made.end()


def burnt(burner: Burner, seconds: float) -> None:
    burner.go.release()
    before, latest = burner.used, monotonic() + 10
    while burner.used < before + seconds and monotonic() < latest:
        pass


def test_what_has_used_the_processor_is_told(burner: Burner, mine: Periodic) -> None:
    watch = GilWatch(THRESHOLD)
    assert watch.look(0.0, mine) is None
    burnt(burner, 0.06)
    block = watch.look(0.05, mine)
    assert block is not None
    assert watch.confirmed(block, mine)
    assert block.name == "An OS thread (burn)"
    assert (block.kept, block.seconds) == ("the GIL", 0.05)
    assert str(block).startswith("An OS thread (burn) kept the GIL for 0.05 s; meanwhile no green thread ran.")
    assert "another process" in block.remedy


def test_a_look_in_time_finds_nobody(burner: Burner, mine: Periodic) -> None:
    watch = GilWatch(THRESHOLD)
    watch.look(0.0, mine)
    burnt(burner, 0.03)
    assert watch.look(THRESHOLD / 2, mine) is None


def test_a_thread_that_did_nothing_is_not_to_blame(burner: Burner, mine: Periodic) -> None:
    watch = GilWatch(THRESHOLD)
    watch.look(0.0, mine)
    assert watch.look(1.0, mine) is None
    assert not watch.confirmed(None, mine)


def test_a_look_that_is_late_for_want_of_a_processor_blames_nobody(
    burner: Burner, mine: Periodic, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, uses = GilWatch(THRESHOLD), iter([Use(1.0, 1.0), Use(1.0, 1.04)])
    monkeypatch.setattr(gil_watch, "use_of", lambda native_id: next(uses))
    watch.look(0.0, mine)
    assert not watch.confirmed(None, mine)
    burnt(burner, 0.06)
    assert not watch.confirmed(watch.look(0.05, mine), mine)


@pytest.mark.slow  # a regular expression that takes its time
def test_a_regular_expression_in_a_native_call_is_told(run_program: Any) -> None:
    """And the green thread that waits for the GIL meanwhile is not."""
    done = run_program(
        "import re\n"
        "import greening\n"
        "from greening import tpool\n"
        "def heavy():\n"
        "    re.match(r'(a+)+$', 'a' * 24 + 'b')\n"
        "def short_turns():\n"
        "    while not call.dead:\n"
        "        sum(range(2000))\n"
        "        greening.sleep(0.001)\n"
        "greening.sleep(0.05)\n"
        "call = greening.spawn(tpool.execute, heavy)\n"
        "greening.spawn(short_turns).wait()\n",
        env={"GREENING_WATCH": "0.05"},
    )
    assert "kept the GIL" in done.stderr
    assert "(short_turns) kept" not in done.stderr
