"""`Budget`: what unfinished messages may take up together, and which one gives way."""

import pytest

from greening.websocket.budget import Budget


class Holder:
    def __init__(self, thread: int = 1) -> None:
        self.thread = thread
        self.gave_way = False

    def give_way(self) -> None:
        self.gave_way = True


def test_what_is_held_is_counted_once() -> None:
    budget, one, other = Budget(100), Holder(), Holder()
    budget.hold(one, 30)
    budget.hold(one, 40)
    budget.hold(other, 60)
    assert budget.used == 100
    budget.hold(one, 0)
    budget.hold(one, 0)
    assert budget.used == 60
    assert not one.gave_way
    assert not other.gave_way


def test_the_largest_gives_way_until_there_is_room() -> None:
    budget, large, middle, small = Budget(100), Holder(), Holder(), Holder()
    budget.hold(large, 60)
    budget.hold(middle, 40)
    budget.hold(small, 1)
    assert (large.gave_way, middle.gave_way, small.gave_way) == (True, False, False)
    assert budget.used == 41
    budget.limit = 10
    budget.hold(small, 2)
    assert (middle.gave_way, small.gave_way, budget.used) == (True, False, 2)


def test_what_asks_for_too_much_gives_way_itself() -> None:
    budget, one = Budget(100), Holder()
    budget.hold(one, 101)
    assert one.gave_way
    assert budget.used == 0


def test_connections_of_other_os_threads_are_counted_and_left_alone() -> None:
    budget, elsewhere, here = Budget(100), Holder(2), Holder(1)
    budget.hold(elsewhere, 90)
    budget.hold(here, 20)
    assert (elsewhere.gave_way, here.gave_way, budget.used) == (False, True, 90)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_budget_of_nothing_is_a_mistake(limit: int) -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        Budget(limit)
    budget = Budget()
    with pytest.raises(ValueError):
        budget.limit = limit
