"""`dagpool.DAGPool`, as eventlet has it. What depends on a green thread that was killed is greening's own."""

import pickle
from typing import Any

from tests.sync.agreed.registry import agreed, error_of


def _add(key: str, results: Any, more: int = 0) -> int:
    return sum(value for _, value in results) + more


def _fail(key: str, results: Any) -> None:
    raise ValueError(f"{key} is bad")


def _waiting(lib: Any) -> Any:
    """A pool in which "b" waits for "a" and "c", and "d" for "b"."""
    pool = lib.DAGPool()
    pool.spawn("b", ("a", "c"), _add, more=1)
    pool.spawn("d", ["b"], _add)
    lib.settle()
    return pool


@agreed([{"a": 1, "b": 2}, {"a": 1, "b": 2}, [], {"a": 1}, "default"])
def values_may_be_known_from_the_start(lib: Any) -> object:
    pairs = {"a": 1, "b": 2}
    pool = lib.DAGPool(pairs)
    pairs["z"] = 26
    return [
        pool.waitall(),
        lib.DAGPool((("a", 1), ("b", 2))).wait(),
        list(pool.wait_each([])),
        pool.wait(("a",)),
        pool.get("z", "default"),
    ]


@agreed([[2, 2, ["b", "d"]], {"b": ["a", "c"], "d": ["b"]}, {"b": ["c"], "d": ["b"]}, [0, 0, {}], 8])
def each_runs_as_soon_as_it_has_what_it_depends_on(lib: Any) -> object:
    pool = _waiting(lib)

    def waiting() -> object:
        return {key: sorted(keys) for key, keys in pool.waiting_for().items()}

    outcome: list[object] = [[pool.running(), pool.waiting(), sorted(pool.running_keys())], waiting()]
    pool.post("a", 5)
    lib.settle()
    outcome.append(waiting())
    pool.post("c", 2)
    value = pool["d"]
    lib.settle()
    return [*outcome, [pool.running(), pool.waiting(), waiting()], value]


@agreed([["b"], [], "KeyError", "KeyError"])
def waiting_for_one_key_needs_a_key_that_is_known(lib: Any) -> object:
    pool = _waiting(lib)
    pool.post("a", 1)
    return [
        sorted(pool.waiting_for("d")),
        sorted(pool.waiting_for("a")),
        error_of(pool.waiting_for, "nobody"),
        error_of(pool.kill, "nobody"),
    ]


@agreed([["first"], ["first", "started"], [["x", 1]]])
def a_function_starts_at_once_and_gets_results_in_the_order_of_their_coming(lib: Any) -> object:
    pool, order, got = lib.DAGPool(), ["first"], []

    def work(key: str, results: Any) -> None:
        order.append("started")
        got.extend(list(pair) for pair in results)

    pool.spawn("w", ["x", "y"], work)
    before = list(order)
    lib.settle()
    pool.post("x", 1)
    lib.settle()
    return [before, order, got]


@agreed([["x", 1], ["y", 2], "StopIteration"])
def wait_each_hands_over_what_there_is_before_it_waits(lib: Any) -> object:
    pool = lib.DAGPool({"x": 1})
    each = pool.wait_each(("y", "x"))
    first = next(each)
    lib.spawn(pool.post, "y", 2)
    return [list(first), list(next(each)), error_of(next, each)]


@agreed({"a": 1, "b": 1, "c": 2})
def many_are_spawned_from_a_table_of_dependencies(lib: Any) -> object:
    pool = lib.DAGPool({"a": 1})
    pool.spawn_many({"b": "a", "c": "ab"}, _add)
    return pool.wait()


@agreed(["Collision", "Collision", "Collision", "Collision", "d", 2, None])
def a_key_is_used_once(lib: Any) -> object:
    pool = _waiting(lib)
    pool.post("a", 1)
    try:
        pool.post("d", 1)
    except lib.Collision as error:
        said = str(error)
    outcome = [
        error_of(pool.spawn, "b", (), _add),
        error_of(pool.spawn, "a", (), _add),
        error_of(pool.spawn_many, {"d": ()}, _add),
        error_of(pool.post, "a", 2),
        said,
    ]
    pool.post("a", 2, replace=True)
    return [*outcome, pool["a"], pool.get("d")]


@agreed([{"own": "posted"}, ["Collision"]])
def a_function_may_post_its_own_value_and_not_anothers(lib: Any) -> object:
    pool, errors = lib.DAGPool(), []

    def work(key: str, results: Any) -> str:
        pool.post(key, "posted")
        errors.append(error_of(pool.post, "later", 1))
        return "returned"

    pool.spawn("own", (), work)
    pool.spawn("later", ["never"], _add)
    return [pool.wait(["own"]), errors]


@agreed(["PropagateError(a): ValueError: a is bad", "a", "ValueError", True, "PropagateError", "PropagateError"])
def a_failure_is_the_value_of_its_key(lib: Any) -> object:
    pool = lib.DAGPool()
    pool.spawn("a", (), _fail)
    outcome: list[object] = []
    try:
        pool["a"]
    except lib.PropagateError as error:
        copy = pickle.loads(pickle.dumps(error))
        outcome = [str(error), error.key, type(error.exc).__name__, str(copy) == str(error)]
    return [*outcome, error_of(pool.get, "a"), error_of(pool.items)]


@agreed(["c", "b", "a", "ValueError"])
def a_failure_goes_from_key_to_key(lib: Any) -> object:
    pool = lib.DAGPool()
    pool.spawn_many({"b": "a", "c": "b"}, _add)
    pool.spawn("a", (), _fail)
    chain: list[object] = []
    try:
        pool["c"]
    except lib.PropagateError as error:
        link: Any = error
        while isinstance(link, lib.PropagateError):
            chain.append(link.key)
            link = link.exc
        chain.append(type(link).__name__)
    return chain


@agreed([[["a", 1]], ["b"], [["a", 1]], ["a", "b"]])
def successes_and_failures_can_be_told_apart(lib: Any) -> object:
    pool = lib.DAGPool({"a": 1})
    pool.spawn("b", (), _fail)
    return [
        [list(pair) for pair in pool.wait_each_success()],
        [key for key, _ in pool.wait_each_exception()],
        [list(pair) for pair in pool.wait_each_success(["a"])],
        sorted(pool.keys()),
    ]


@agreed([["a"], None, 7, []])
def a_killed_key_has_no_value_and_can_be_posted(lib: Any) -> object:
    pool = lib.DAGPool()
    pool.spawn("a", (), _add)
    keys = list(pool.running_keys())
    pool.kill("a")
    value = pool.get("a")
    pool.post("a", 7)
    return [keys, value, pool["a"], list(pool.running_keys())]


@agreed([[["a", 1], ["b", 2]], {"b": 2}])
def a_value_of_none_and_a_key_of_none_are_as_good_as_others(lib: Any) -> object:
    pool = lib.DAGPool()
    pool.post(None, None)
    missing = pool.get(None, "default")
    pool = lib.DAGPool({"a": 1, "b": 2} if missing is None else {})
    return [[list(pair) for pair in pool.items()], pool.wait(["b"])]
