"""Nothing is lost: queues, semaphores, conditions and pools under random kills and timeouts."""

from hypothesis import given, settings
from hypothesis import strategies as st

import greening

STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=40)
QUICK = settings(max_examples=40, deadline=None)


@QUICK
@given(STEPS, st.sampled_from([None, 0, 1, 3]))
def test_every_item_is_got_once_or_still_in_a_threads_hand(steps, size) -> None:
    queue, got, put = greening.LightQueue(size), [], []
    threads = []

    def getter() -> None:
        got.append(queue.get())

    def putter(item: int) -> None:
        queue.put(item)
        put.append(item)

    for number, (what, which) in enumerate(steps):
        if what == 0:
            threads.append(greening.spawn(putter, number))
        elif what == 1:
            threads.append(greening.spawn(getter))
        elif what == 2 and threads:
            threads[which % len(threads)].kill()
        else:
            greening.sleep(0)
    greening.sleep(0)
    while queue.qsize() or queue.putting():
        got.append(queue.get(timeout=5))
        greening.sleep(0)
    for thread in threads:
        thread.kill()
    while queue.qsize():  # what a killed getter had been given goes back
        got.append(queue.get(False))
    assert len(got) == len(set(got)), "an item was got twice"
    # A putter that was killed after its item had been taken does not know it: `put` is what is certain.
    assert set(put) <= set(got), "an item was lost"


@QUICK
@given(STEPS, st.integers(1, 3))
def test_every_permit_comes_back(steps, permits) -> None:
    semaphore, threads = greening.Semaphore(permits), []

    def use(turns: int) -> None:
        with semaphore:
            for _ in range(turns):
                greening.sleep(0)

    for what, which in steps:
        if what <= 1:
            threads.append(greening.spawn(use, which % 4))
        elif what == 2 and threads:
            threads[which % len(threads)].kill()
        else:
            greening.sleep(0)
    for thread in threads:
        thread.kill()
    assert semaphore.counter == permits
    assert semaphore.balance == permits


@QUICK
@given(STEPS)
def test_a_condition_leaves_its_lock_free_and_loses_no_notification(steps) -> None:
    condition, tokens, taken, threads = greening.Condition(), [], [], []

    def take() -> None:
        with condition:
            while not tokens:
                condition.wait()
            taken.append(tokens.pop())

    given_out = 0
    for what, which in steps:
        if what == 0:
            threads.append(greening.spawn(take))
        elif what == 1:
            with condition:
                tokens.append(given_out)
                given_out += 1
                condition.notify()
        elif what == 2 and threads:
            threads[which % len(threads)].kill()
        else:
            greening.sleep(0)
    for _ in range(3):
        greening.sleep(0)
    waiting = [thread for thread in threads if thread]
    assert not (waiting and tokens), "a thread waits although there is a token"
    for thread in threads:
        thread.kill()
    assert condition.acquire(False)
    condition.release()
    assert len(taken) + len(tokens) == given_out


@QUICK
@given(STEPS, st.integers(1, 4))
def test_a_pool_never_exceeds_its_size_and_gets_every_place_back(steps, size) -> None:
    pool, threads, most = greening.GreenPool(size), [], 0

    def work(turns: int) -> None:
        nonlocal most
        most = max(most, pool.running())
        for _ in range(turns):
            greening.sleep(0)

    for what, which in steps:
        if what <= 1:
            threads.append(pool.spawn(work, which % 4))
        elif what == 2 and threads:
            threads[which % len(threads)].kill()
        else:
            with greening.Timeout(0, False):
                pool.spawn_n(work, 1)
    pool.waitall()
    assert most <= size
    assert (pool.running(), pool.free(), pool.waiting()) == (0, size, 0)
