"""`pools.Pool` and `TokenPool`, as eventlet has them."""

from itertools import count
from typing import Any

from tests.sync.agreed.registry import agreed, error_of


def _numbers(lib: Any, **how: Any) -> Any:
    numbers = count(1)
    return lib.Pool(create=lambda: next(numbers), **how)


@agreed([[1, 2, 3, 4], 0, 4])
def a_pool_makes_items_as_they_are_needed(lib: Any) -> object:
    pool = _numbers(lib)
    got = [pool.get() for _ in range(4)]
    return [got, pool.free(), pool.current_size]


@agreed([[1, 2], 4, 2])
def the_first_items_can_be_made_at_once(lib: Any) -> object:
    pool = _numbers(lib, min_size=2)
    return [list(pool.free_items), pool.free(), pool.current_size]


@agreed([[1, 2, 1], [1, 2, 2]])
def items_are_lent_in_turn_or_the_last_one_first(lib: Any) -> object:
    outcome = []
    for as_stack in (False, True):
        pool = _numbers(lib, order_as_stack=as_stack)
        first, second = pool.get(), pool.get()
        pool.put(first)
        pool.put(second)
        outcome.append([first, second, pool.get()])
    return outcome


@agreed([[0, 1], ["Timeout", 0, 0], [7, 0]])
def a_borrower_waits_until_an_item_comes_back(lib: Any) -> object:
    pool, got = _numbers(lib, max_size=1), []
    item = pool.get()
    lib.spawn(lambda: got.append(pool.get()))
    lib.settle()
    states: list[object] = [[pool.free(), pool.waiting()]]
    pool.put(item)
    lib.settle()
    states.append([error_of(lib.with_timeout, 0.001, pool.get), pool.free(), pool.waiting()])
    pool.put(7)
    return [*states, [pool.get(), pool.free()]]


@agreed([["slept"] * 10, 4])
def a_create_that_waits_makes_no_more_than_the_size(lib: Any) -> object:
    made, used = [], []

    def create() -> str:
        made.append(1)
        lib.sleep(0)
        return "slept"

    pool = lib.Pool(max_size=4, create=create)

    def use() -> None:
        with pool.item() as item:
            used.append(item)

    for _ in range(10):
        lib.spawn(use)
    lib.settle()
    return [used, len(made)]


@agreed(["ZeroDivisionError", 1, 0])
def a_create_that_fails_leaves_the_place_free(lib: Any) -> object:
    pool = lib.Pool(max_size=1, create=lambda: 1 // 0)
    return [error_of(pool.get), pool.free(), pool.current_size]


@agreed([-1, 1, 1, 1])
def items_above_a_smaller_size_are_dropped_when_they_come_back(lib: Any) -> object:
    pool = _numbers(lib, max_size=2)
    first, second = pool.get(), pool.get()
    pool.resize(1)
    free = pool.free()
    pool.put(first)
    pool.put(second)
    return [free, len(pool.free_items), pool.current_size, pool.free()]


@agreed([2, 3, "NotImplementedError"])
def a_subclass_says_how_an_item_is_made(lib: Any) -> object:
    class Threes(lib.Pool):  # type: ignore[misc,name-defined]  # a class of either library
        def create(self) -> int:
            return 3

    return [Threes(max_size=2).free(), Threes().get(), error_of(lib.Pool().get)]


@agreed([4, 3, True, 4])
def tokens_are_different_objects_with_one_class(lib: Any) -> object:
    pool = lib.TokenPool(max_size=4)
    free = [pool.free()]
    with pool.item() as token:
        free.append(pool.free())
        other = pool.get()
        different = token is not other and type(token) is type(other)
        pool.put(other)
    return [*free, different, pool.free()]
