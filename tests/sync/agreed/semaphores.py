"""Semaphores, as eventlet has them. (A permit that is handed over may be taken by a passer-by in eventlet.)"""

from typing import Any

from tests.sync.agreed.registry import agreed, error_of


@agreed([[True, True, False], True, 0])
def permits_are_taken_until_none_is_left(lib: Any) -> object:
    semaphore = lib.Semaphore(2)
    taken = [semaphore.acquire(), semaphore.acquire(blocking=False), semaphore.acquire(False)]
    return [taken, semaphore.locked(), semaphore.counter]


@agreed([0, 1, 2, 3])
def waiters_are_served_in_order_of_arrival(lib: Any) -> object:
    semaphore, order = lib.Semaphore(0), []
    for number in range(4):
        lib.spawn(lambda number=number: (semaphore.acquire(), order.append(number), semaphore.release()))
    lib.settle()
    semaphore.release()
    lib.settle()
    return order


@agreed([True, [], ["waiter"]])
def release_never_yields_and_returns_true(lib: Any) -> object:
    semaphore, order = lib.Semaphore(0), []
    lib.spawn(lambda: (semaphore.acquire(), order.append("waiter")))
    lib.settle()
    released, at_once = semaphore.release(), list(order)
    lib.settle()
    return [released, at_once, order]


@agreed([1, 0, -2, 0])
def the_balance_is_permits_or_waiters(lib: Any) -> object:
    semaphore = lib.Semaphore(1)
    balances = [semaphore.balance]
    semaphore.acquire()
    balances.append(semaphore.balance)
    for _ in range(2):
        lib.spawn(semaphore.acquire)
    lib.settle()
    balances.append(semaphore.balance)
    for _ in range(2):
        semaphore.release()
    lib.settle()
    balances.append(semaphore.balance)
    return balances


@agreed([False, 0, True])
def acquire_gives_up_when_the_time_runs_out(lib: Any) -> object:
    semaphore = lib.Semaphore(0)
    gave_up, balance = semaphore.acquire(timeout=0.001), semaphore.balance
    lib.spawn_after(0.001, semaphore.release)
    return [gave_up, balance, semaphore.acquire(timeout=1)]


@agreed(["ValueError", "ValueError", "ValueError", "TypeError"])
def odd_arguments_are_refused(lib: Any) -> object:
    semaphore = lib.Semaphore(1)
    return [
        *(error_of(semaphore.acquire, False, 1), error_of(semaphore.acquire, True, -2)),
        *(error_of(lib.Semaphore, -1), error_of(lib.Semaphore, "many")),
    ]


@agreed([True, 1])
def minus_one_means_no_limit(lib: Any) -> object:
    semaphore = lib.Semaphore(0)
    lib.spawn_after(0.001, semaphore.release)
    taken = semaphore.acquire(True, -1)
    semaphore.release()
    return [taken, semaphore.counter]


@agreed([None, True, 1])
def with_takes_a_permit_and_gives_it_back(lib: Any) -> object:
    semaphore = lib.Semaphore(1)
    with semaphore as value:
        locked = semaphore.locked()
    return [value, locked, semaphore.counter]


@agreed([False, True, 2, "ValueError", 1])
def a_bounded_one_refuses_more_releases_than_acquires(lib: Any) -> object:
    plain, bounded = lib.Semaphore(1), lib.BoundedSemaphore(1)
    plain.release()
    bounded.acquire()
    return [plain.bounded(), bounded.release(), plain.counter, error_of(bounded.release), bounded.counter]


@agreed(["GreenletExit", True, 0])
def a_killed_waiter_loses_no_permit(lib: Any) -> object:
    semaphore = lib.Semaphore(0)
    victim, other = lib.spawn(semaphore.acquire), lib.spawn(semaphore.acquire)
    lib.settle()
    victim.kill()
    semaphore.release()
    return [error_of(victim.wait), other.wait(), semaphore.balance]


@agreed(["Timeout", 1])
def a_waiter_that_a_timeout_strikes_loses_no_permit(lib: Any) -> object:
    semaphore = lib.Semaphore(0)
    error = error_of(lib.with_timeout, 0.001, semaphore.acquire)
    semaphore.release()
    lib.settle()
    return [error, semaphore.balance]
