"""KeyedSemaphore and RateLimiter: limits that lose nothing when a waiter is interrupted."""

from collections.abc import Callable

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.sync.limits import KeyedSemaphore, RateLimiter
from greening.testing import Fake, settle
from greening.timeout import Timeout

# -- KeyedSemaphore ----------------------------------------------------------------------------------------------------


def test_each_key_has_permits_of_its_own(fake: Fake) -> None:
    hosts, now, most = KeyedSemaphore(2), dict[str, int](), dict[str, int]()

    def fetch(host: str) -> None:
        with hosts(host):
            now[host] = now.get(host, 0) + 1
            most[host] = max(most.get(host, 0), now[host])
            sleep(1)
            now[host] -= 1

    start = fake.hub.now()
    for thread in [spawn(fetch, host) for host in "aababaab"]:
        thread.wait()
    assert most == {"a": 2, "b": 2}
    assert fake.hub.now() - start == 3
    assert len(hosts) == 0


def test_a_key_is_forgotten_when_nobody_holds_or_wants_it(fake: Fake) -> None:
    limit = KeyedSemaphore()
    assert limit.acquire("a")
    assert not limit.acquire("a", timeout=1)
    assert not limit.acquire("a", blocking=False)
    waiter = spawn(limit.acquire, "a")
    settle()
    assert (len(limit), limit.locked("a"), limit.locked("b"), bool(limit)) == (1, True, False, True)
    waiter.kill()
    limit.release("a")
    assert (len(limit), limit.locked("a")) == (0, False)


def test_a_waiter_that_is_interrupted_takes_nothing_with_it(fake: Fake) -> None:
    limit = KeyedSemaphore()
    limit.acquire("a")
    with Timeout(1, False), limit("a"):
        pytest.fail("there is no permit")
    victim, other = spawn(limit.acquire, "a"), spawn(limit.acquire, "a")
    settle()
    limit.release("a")  # the victim is given the permit, and killed before it runs
    victim.kill()
    assert other.wait()
    limit.release("a")
    assert len(limit) == 0


def test_a_release_too_many_is_an_error(fake: Fake) -> None:
    limit = KeyedSemaphore(2)
    with pytest.raises(ValueError, match="'a' was released more often than acquired"):
        limit.release("a")
    limit.acquire("a")
    limit.release("a")
    with pytest.raises(ValueError, match="'a' was released"):
        limit.release("a")


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("2", TypeError), (None, TypeError)])
def test_the_number_of_permits_is_checked(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=repr(value)):
        KeyedSemaphore(value)  # type: ignore[arg-type]  # on purpose


def test_its_repr_says_how_many_keys_there_are(fake: Fake) -> None:
    limit = KeyedSemaphore(3)
    with limit("a"), limit("b"):
        assert repr(limit).endswith(" value=3 keys=2>")


# -- RateLimiter -------------------------------------------------------------------------------------------------------


def times(fake: Fake, limiter: RateLimiter, number: int) -> list[float]:
    start, seen = fake.hub.now(), list[float]()
    for _ in range(number):
        with limiter:
            seen.append(round(fake.hub.now() - start, 6))
    return seen


def test_they_go_at_an_even_pace(fake: Fake) -> None:
    assert times(fake, RateLimiter(2), 4) == [0, 0.5, 1, 1.5]
    assert times(fake, RateLimiter(6, per=60), 3) == [0, 10, 20]


def test_a_burst_goes_at_once_and_is_there_again_after_a_pause(fake: Fake) -> None:
    limiter = RateLimiter(1, burst=3)
    assert times(fake, limiter, 5) == [0, 0, 0, 1, 2]
    sleep(2)
    assert times(fake, limiter, 3) == [0, 0, 1]
    sleep(100)
    assert times(fake, limiter, 4) == [0, 0, 0, 1]


def test_waiters_go_in_order_of_arrival_and_one_that_is_killed_uses_nothing_up(fake: Fake) -> None:
    limiter, seen, start = RateLimiter(1), list[tuple[int, float]](), fake.hub.now()

    def work(number: int) -> None:
        with limiter:
            seen.append((number, fake.hub.now() - start))

    threads = [spawn(work, number) for number in range(4)]
    sleep(0.5)
    threads[1].kill()
    for thread in threads[2:]:
        thread.wait()
    assert seen == [(0, 0), (2, 1), (3, 2)]


def test_one_that_cannot_wait_so_long_is_refused_and_uses_nothing_up(fake: Fake) -> None:
    limiter = RateLimiter(1)
    assert limiter.acquire()
    assert not limiter.acquire(blocking=False)
    assert not limiter.acquire(timeout=0.5)
    waiter = spawn(limiter.acquire)
    settle()
    assert not limiter.acquire(timeout=0.5)
    assert limiter.acquire(timeout=5)
    assert waiter.wait()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RateLimiter(0), "rate must be above 0, not 0"),
        (lambda: RateLimiter("5"), "rate must be a number, not '5'"),
        (lambda: RateLimiter(1, per=-1), "per must be above 0, not -1"),
        (lambda: RateLimiter(1, burst=1.5), "burst must be a number, a whole one, not 1.5"),
        (lambda: RateLimiter(float("nan")), "rate must be above 0, not nan"),
    ],
)
def test_what_makes_no_rate_is_an_error_that_names_it(make: Callable[[], object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_its_repr_says_what_it_allows() -> None:
    assert repr(RateLimiter(5, 60, 2)).endswith(" rate=5 per=60 burst=2>")
