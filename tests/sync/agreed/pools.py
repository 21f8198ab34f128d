"""GreenPool, its maps and GreenPile, as eventlet has them. How far a map reads ahead is greening's own."""

from typing import Any

from tests.sync.agreed.registry import agreed, error_of


@agreed([[], [0, 1, 2, 3, 4]])
def a_pool_runs_nothing_before_the_caller_yields_and_then_in_the_order_of_spawning(lib: Any) -> object:
    pool, order = lib.GreenPool(10), []
    for number in range(5):
        pool.spawn_n(order.append, number)
    before = list(order)
    pool.waitall()
    return [before, order]


@agreed([2, [0, 1, 2, 3, 4, 5], [0, 2, 0]])
def no_more_than_size_run_at_once_and_spawn_waits_for_a_place(lib: Any) -> object:
    pool, order = lib.GreenPool(2), []
    now = most = 0

    def work(number: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        order.append(number)
        lib.sleep(0)
        now -= 1

    for number in range(6):
        pool.spawn(work, number)
    pool.waitall()
    return [most, order, [pool.running(), pool.free(), pool.waiting()]]


@agreed([[0, 2, 0], [1, 1, 0], [2, 0, 0], [2, 0, 1], [0, 2, 0]])
def running_free_and_waiting_say_how_full_a_pool_is(lib: Any) -> object:
    pool, gate, states = lib.GreenPool(2), lib.Event(), []

    def note() -> None:
        lib.settle()
        states.append([pool.running(), pool.free(), pool.waiting()])

    note()
    for _ in range(3):
        lib.spawn(pool.spawn, gate.wait)
        note()
    gate.send()
    note()
    return states


@agreed([-1, 1])
def a_pool_that_was_made_smaller_than_what_runs_has_less_than_nothing_free(lib: Any) -> object:
    pool = lib.GreenPool(2)
    for _ in range(2):
        pool.spawn(lib.sleep, 0)
    pool.resize(1)
    free = pool.free()
    pool.waitall()
    return [free, pool.free()]


@agreed([["inner", "spawned"], "result"])
def a_worker_of_a_full_pool_runs_what_it_spawns_on_the_spot(lib: Any) -> object:
    pool, order = lib.GreenPool(1), []

    def inner() -> str:
        order.append("inner")
        return "result"

    def outer() -> Any:
        thread = pool.spawn(inner)
        order.append("spawned")
        return thread.wait()

    return [order, pool.spawn(outer).wait()]


@agreed(["ZeroDivisionError", "nothing"])
def what_fails_on_the_spot_fails_in_spawn_and_not_in_spawn_n(lib: Any) -> object:
    pool = lib.GreenPool(1)
    spawn = pool.spawn(lambda: error_of(pool.spawn, divmod, 1, 0)).wait()
    return [spawn, pool.spawn(lambda: error_of(pool.spawn_n, divmod, 1, 0)).wait()]


@agreed(["AssertionError", "nothing"])
def waitall_is_an_error_in_a_worker_only(lib: Any) -> object:
    pool = lib.GreenPool(2)
    return [pool.spawn(error_of, pool.waitall).wait(), error_of(pool.waitall)]


@agreed(["TypeError", "ValueError", 1000])
def a_size_is_a_number_and_not_negative(lib: Any) -> object:
    return [error_of(lib.GreenPool, "many"), error_of(lib.GreenPool, -1), lib.GreenPool().size]


@agreed([[3, 0, 2], [32, 9], [[1, "a"], [2, "b"]], [32, 9], []])
def maps_give_their_results_in_the_order_of_the_input(lib: Any) -> object:
    pool = lib.GreenPool(5)

    def after(passes: int) -> int:
        for _ in range(passes):
            lib.sleep(0)
        return passes

    return [
        list(pool.imap(after, [3, 0, 2])),
        list(pool.imap(pow, [2, 3, 4], [5, 2])),
        list(pool.imap(None, [1, 2], "ab")),
        list(pool.starmap(pow, [(2, 5), (3, 2)])),
        list(pool.imap(abs, [])),
    ]


@agreed([6, "ZeroDivisionError", 2])
def an_error_of_a_map_surfaces_at_its_position_and_iteration_goes_on(lib: Any) -> object:
    results = lib.GreenPool(2).imap(lambda number: 6 // number, [1, 0, 3])
    return [next(results), error_of(next, results), results.next()]


@agreed([[3, 0, 2], [], [1]])
def a_pile_gives_its_results_in_the_order_of_spawning_and_can_be_filled_again(lib: Any) -> object:
    pile = lib.GreenPile(5)

    def after(passes: int) -> int:
        for _ in range(passes):
            lib.sleep(0)
        return passes

    for passes in (3, 0, 2):
        pile.spawn(after, passes)
    first, second = list(pile), list(pile)
    pile.spawn(after, 1)
    return [first, second, list(pile)]


@agreed([6, "ZeroDivisionError", 2, "StopIteration"])
def an_error_of_a_pile_surfaces_at_its_position_and_iteration_goes_on(lib: Any) -> object:
    pile = lib.GreenPile(2)
    for number in (1, 0, 3):
        pile.spawn(lambda number=number: 6 // number)
    return [next(pile), error_of(next, pile), pile.next(), error_of(pile.next)]


@agreed([True, [0, 1], [10, 11]])
def piles_may_have_a_pool_in_common(lib: Any) -> object:
    pool = lib.GreenPool(2)
    one, other = lib.GreenPile(pool), lib.GreenPile(pool)
    for number in range(2):
        one.spawn(abs, number)
        other.spawn(abs, number + 10)
    return [one.pool is other.pool, list(one), list(other)]


@agreed(["GreenletExit", 1, 0])
def a_killed_worker_leaves_its_place(lib: Any) -> object:
    pool = lib.GreenPool(1)
    thread = pool.spawn(lib.sleep, 1)
    lib.settle()
    thread.kill()
    lib.settle()
    return [error_of(thread.wait), pool.free(), pool.running()]
