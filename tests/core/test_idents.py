"""Idents: unique, aligned as pthread_t is, and never equal to that of an OS thread."""

import errno
from itertools import islice

import pytest

from greening._core import idents as module
from greening._core.idents import FIRST, LARGEST, RECORD, STEP, Idents, idents
from greening._core.task import Task
from greening._originals import get_ident


def take(supply: Idents, count: int) -> list[int]:
    return list(islice(iter(supply.new, None), count))


@pytest.fixture
def reserved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes that were asked for. No memory is reserved: the reservations begin at 1 GB, 2 GB ..."""
    sizes: list[int] = []

    def reserve(size: int) -> int:
        sizes.append(size)
        return len(sizes) << 30

    monkeypatch.setattr(module, "_reserve", reserve)
    return sizes


def test_idents_are_addresses_inside_a_reservation(reserved: list[int]) -> None:
    got = take(Idents(), 3)
    assert got == [1 << 30, (1 << 30) + STEP, (1 << 30) + 2 * STEP]
    assert reserved == [FIRST]


def test_a_whole_record_lies_behind_the_last_ident_of_a_reservation(reserved: list[int]) -> None:
    supply = Idents()
    got = take(supply, (FIRST - RECORD) // STEP + 1)
    assert got[-2] + RECORD <= (1 << 30) + FIRST
    assert got[-1] == 2 << 30
    assert len(set(got)) == len(got)


def test_reservations_grow_up_to_a_limit(reserved: list[int]) -> None:
    supply = Idents()
    for _ in range(9):
        supply.new()
        supply._left = iter(())
    assert reserved[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert reserved[-2:] == [LARGEST, LARGEST]


def test_where_memory_is_refused_idents_are_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(size: int) -> int:
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(module, "_reserve", refuse)
    supply = Idents()
    assert take(supply, 3) == [1, 3, 5]
    assert supply.has_given(5) and not supply.has_given(6)


def test_an_ident_is_known_as_a_green_threads(reserved: list[int]) -> None:
    supply = Idents()
    first = supply.new()
    assert supply.has_given(first)
    assert not any(supply.has_given(other) for other in (0, first - STEP, first + 1, get_ident(), "x", None))


def test_memory_is_reserved_once_for_thousands_of_threads() -> None:
    first = idents.new()
    assert all(idents.has_given(ident) for ident in take(idents, 1000))
    assert len(idents.runs) == 1 and first % STEP == 0


def test_tasks_have_names_that_can_be_read() -> None:
    names = [Task(hub=None).name for _ in range(3)]  # type: ignore[arg-type]  # none is needed for a name
    assert len(set(names)) == 3 and all(len(name) < 20 for name in names)


def test_an_ident_that_a_finaliser_asks_for_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(None)  # type: ignore[arg-type]  # it needs none here
    told: list[int] = []

    class Interrupted(Idents):
        def new(self) -> int:
            ident = super().new()
            if not told:
                told.append(0)
                told[0] = task.ident
            return ident

    monkeypatch.setattr("greening._core.task.idents", Interrupted())
    assert task.ident == told[0]
    assert task.ident == told[0]
