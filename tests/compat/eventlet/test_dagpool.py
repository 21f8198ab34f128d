"""`dagpool`: what it does that eventlet's does not. What both do is in tests/sync/agreed/dags.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greening
from greening.compat.eventlet.dagpool import Collision, DAGPool, PropagateError

KEYS = 8
# Whether each key waits a turn, fails or is killed; and which keys it depends on: only earlier ones.
NODES = st.lists(
    st.tuples(st.sampled_from(["value", "turn", "fail", "kill"]), st.sets(st.integers(0, KEYS), max_size=3)),
    min_size=1,
    max_size=KEYS,
)


def settle() -> None:
    for _ in range(3):
        greening.sleep(0)


def total(key: object, results: object) -> int:
    return sum(value for _, value in results)


@settings(max_examples=60, deadline=None)
@given(NODES, st.randoms(use_true_random=False))
def test_every_key_ends_and_fails_only_with_what_it_depends_on(nodes, random) -> None:
    pool, threads = DAGPool(), {}
    depends = {key: {other for other in others if other < key} for key, (_, others) in enumerate(nodes)}

    def work(key: int, results: object) -> int:
        threads[key] = greening.getcurrent()
        if nodes[key][0] == "kill":
            greening.Event().wait()
        if nodes[key][0] != "value":
            greening.sleep(0)
        if nodes[key][0] == "fail":
            raise ValueError(key)
        return 1 + sum(value for _, value in results)

    order = list(depends)
    random.shuffle(order)
    for key in order:
        pool.spawn(key, depends[key], work)
    greening.sleep(0)
    for key, (what, _) in enumerate(nodes):
        if what == "kill":
            threads[key].kill()

    def fails(key: int) -> bool:
        return nodes[key][0] in ("fail", "kill") or any(map(fails, depends[key]))

    with greening.Timeout(10):
        failed = {key for key, _ in pool.wait_each_exception()}
    assert failed == {key for key in depends if fails(key)}
    assert (pool.running(), pool.waiting_for()) == (0, {})


@pytest.mark.parametrize("started", [False, True])
def test_a_green_thread_that_was_killed_from_outside_has_failed(started: bool) -> None:
    pool, threads = DAGPool(), []

    def work(key: str, results: object) -> None:
        threads.append(greening.getcurrent())
        greening.sleep(60)

    pool.spawn("a", (), work)
    pool.spawn("b", ["a"], total)
    if started:
        settle()
    else:
        threads.append(pool._running["a"].thread)
    threads[0].kill()
    with greening.Timeout(10), pytest.raises(PropagateError) as caught:
        pool.waitall()
    assert caught.value.key in ("a", "b")
    with pytest.raises(PropagateError, match="GreenletExit") as caught:
        pool["a"]
    assert isinstance(caught.value.exc, greening.GreenletExit)


def test_kill_ends_a_green_thread_that_has_started_and_its_key_is_free() -> None:
    pool, ended = DAGPool(), []

    def work(key: str, results: object) -> None:
        try:
            dict(results)
        finally:
            ended.append(key)

    pool.spawn("a", ["never"], work)
    settle()
    pool.kill("a")
    assert (ended, pool.running(), pool.keys()) == (["a"], 0, ())
    pool.spawn("a", (), lambda key, results: 1)
    assert pool["a"] == 1


def test_what_a_killed_green_thread_returns_is_nobodys_value() -> None:
    pool = DAGPool()

    def work(key: str, results: object) -> str:
        try:
            greening.sleep(60)
        except greening.GreenletExit:
            return "late"
        raise AssertionError

    pool.spawn("a", (), work)
    settle()
    pool.kill("a")
    pool.post("a", "posted")
    settle()
    assert pool["a"] == "posted"


def test_a_consumer_that_is_interrupted_gets_the_rest_later() -> None:
    pool = DAGPool({"a": 1})
    each = pool.wait_each("ab")
    assert next(each) == ("a", 1)
    with pytest.raises(greening.Timeout), greening.Timeout(0):
        pool["b"]
    pool.post("b", 2)
    assert list(each) == [("b", 2)]


def test_a_collision_names_the_key() -> None:
    pool = DAGPool({("a", 1): None})
    with pytest.raises(Collision, match=r"\('a', 1\)"):
        pool.post(("a", 1), None)
