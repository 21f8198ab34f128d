"""`pools`: what it does that eventlet's does not. What both do is in tests/sync/agreed/resources.py."""

import threading
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greening
from greening.compat.eventlet.pools import Pool, TokenPool

STEPS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=40)


def settle() -> None:
    for _ in range(3):
        greening.sleep(0)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 3), st.booleans())
def test_no_item_and_no_place_is_lost_under_kills_failures_and_resizes(steps, size, as_stack) -> None:
    numbers = count()
    discarded = []

    class Numbers(Pool):
        def create(self) -> int:
            greening.sleep(0)
            number = next(numbers)
            if number % 5 == 4:
                raise ValueError("every fifth cannot be made")
            return number

        def discard(self, item: int) -> None:
            discarded.append(item)

    pool, threads, lent = Numbers(max_size=size, order_as_stack=as_stack), [], []

    def borrow(turns: int) -> None:
        try:
            with pool.item() as item:
                assert item not in lent, "an item is lent twice"
                lent.append(item)
                try:
                    for _ in range(turns):
                        greening.sleep(0)
                finally:
                    lent.remove(item)
        except ValueError:
            pass

    for what, which in steps:
        if what <= 1:
            threads.append(greening.spawn(borrow, which % 4))
        elif what == 2 and threads:
            threads[which % len(threads)].kill()
        elif what == 3:
            pool.resize(1 + which % 3)
        else:
            greening.sleep(0)
    for thread in threads:
        thread.kill()
    assert (pool.waiting(), lent) == (0, [])
    assert pool.current_size == len(pool.free_items) <= 3
    assert not set(pool.free_items) & set(discarded)


def test_waiters_are_served_in_order_of_arrival() -> None:
    pool, order = TokenPool(max_size=1), []
    token = pool.get()

    def borrow(number: int) -> None:
        with pool.item():
            order.append(number)

    threads = [greening.spawn(borrow, number) for number in range(4)]
    settle()
    pool.put(token)
    for thread in threads:
        thread.wait()
    assert order == [0, 1, 2, 3]


def test_a_waiter_that_is_killed_after_it_was_given_an_item_passes_it_on() -> None:
    pool, got = TokenPool(max_size=1), []
    token = pool.get()
    first = greening.spawn(pool.get)
    second = greening.spawn(lambda: got.append(pool.get()))
    settle()
    greening.spawn(first.kill)  # its turn comes before that of `first`
    pool.put(token)
    second.wait()
    assert (first.dead, got, pool.waiting()) == (True, [token], 0)

    third = greening.spawn(pool.get)
    settle()
    greening.spawn(third.kill)
    pool.put(token)
    assert (list(pool.free_items), pool.free()) == ([token], 1)


def test_the_one_that_gets_an_item_has_its_turn_before_put_returns() -> None:
    pool, order = TokenPool(max_size=1), []
    token = pool.get()
    greening.spawn(lambda: order.append(pool.get()))
    settle()
    pool.put(token)
    assert order == [token]
    greening.spawn(order.append, "other")
    pool.put(token)  # nobody waits
    assert order == [token]


def test_a_kill_that_comes_while_an_item_is_given_back_does_not_keep_put_from_returning() -> None:
    pool, order = TokenPool(max_size=1), []
    token = pool.get()

    def give_back() -> None:
        try:
            pool.put(token)
            order.append("put")
            greening.sleep(5)
        finally:
            order.append("end")

    greening.spawn(lambda: (order.append(pool.get()), giver.kill()))
    giver = greening.spawn(give_back)
    settle()
    assert order == [token, "put", "end"]


def test_a_larger_size_lets_waiters_make_items() -> None:
    pool, got = TokenPool(max_size=1), []
    token = pool.get()
    threads = [greening.spawn(lambda: got.append(pool.get())) for _ in range(3)]
    settle()
    pool.resize(3)
    settle()
    assert (len(got), pool.waiting(), pool.current_size) == (2, 1, 3)
    pool.put(token)
    threads[-1].wait()


def test_an_item_that_could_not_be_made_lets_the_next_waiter_try() -> None:
    outcomes = iter([greening.Event(), "made"])

    def create() -> object:
        outcome = next(outcomes)
        if isinstance(outcome, greening.Event):
            outcome.wait()
        return outcome

    pool, got = Pool(max_size=1, create=create), []
    first = greening.spawn(pool.get)
    settle()
    greening.spawn(lambda: got.append(pool.get()))
    settle()
    assert pool.waiting() == 1
    first.kill()
    settle()
    assert (got, pool.current_size) == (["made"], 1)


def test_an_item_above_the_size_is_discarded() -> None:
    discarded = []

    class Tokens(TokenPool):
        def discard(self, item: object) -> None:
            discarded.append(item)

    pool = Tokens(max_size=2)
    tokens = [pool.get(), pool.get()]
    pool.resize(1)
    pool.put(tokens[0])
    pool.put(tokens[1])
    assert (discarded, list(pool.free_items)) == ([tokens[0]], [tokens[1]])


def test_os_threads_can_share_a_pool() -> None:
    pool, got = TokenPool(max_size=1), []
    token = pool.get()
    waits = threading.Event()

    def borrow() -> None:
        greening.spawn(waits.set)
        got.append(pool.get())

    thread = threading.Thread(target=borrow)
    thread.start()
    waits.wait(10)
    pool.put(token)
    thread.join(10)
    assert got == [token]


def test_a_pool_that_cannot_make_items_says_what_to_do() -> None:
    with pytest.raises(NotImplementedError, match="Pool: pass create=, or override the method create"):
        Pool().get()
