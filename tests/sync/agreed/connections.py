"""`db_pool`, as eventlet has it, with a database module that only notes what is done."""

from contextlib import redirect_stdout
from io import StringIO
from types import SimpleNamespace
from typing import Any

from tests.sync.agreed.registry import agreed, error_of


class _Connection:
    def __init__(self, log: list[str], **how: Any) -> None:
        self.log = log
        self.how = how

    def rollback(self) -> None:
        self.log.append("rollback")

    def cursor(self) -> str:
        return "cursor"

    def close(self) -> None:
        self.log.append("close")


def _pool(lib: Any, log: list[str], **how: Any) -> Any:
    module = SimpleNamespace(connect=lambda **more: _Connection(log, **more))
    return lib.RawConnectionPool(module, **how)


@agreed([[3, True, "cursor"], [4, False, "AttributeError"], ["rollback"], True])
def a_connection_that_is_closed_goes_back(lib: Any) -> object:
    log: list[str] = []
    pool = _pool(lib, log)
    lent = pool.get()
    base = lent._base
    outcome: list[object] = [[pool.free(), bool(lent), lent.cursor()]]
    lent.close()
    outcome.append([pool.free(), bool(lent), error_of(lambda: lent.cursor())])
    return [*outcome, log, pool.get()._base is base]


@agreed([["ping"], ["ping"]])
def what_cleans_a_connection_can_be_chosen_for_the_pool_and_for_a_call(lib: Any) -> object:
    log: list[str] = []
    pool = _pool(lib, log, cleanup=lambda connection: log.append("ping"))
    with pool.item():
        pass
    before = list(log)
    with pool.item(cleanup=None):
        pass
    return [before, log]


@agreed([0, 1, 0])
def a_connection_that_cannot_be_cleaned_is_not_lent_again(lib: Any) -> object:
    pool = _pool(lib, [], max_size=1, cleanup=lambda connection: 1 // 0)
    lent = pool.get()
    free = pool.free()
    with redirect_stdout(StringIO()):  # eventlet prints a warning
        pool.put(lent)
    return [free, pool.free(), len(pool.free_items)]


@agreed([["close"], 0, 4])
def a_pool_without_age_closes_what_comes_back(lib: Any) -> object:
    log: list[str] = []
    pool = _pool(lib, log, max_age=0)
    pool.put(pool.get())
    return [log, len(pool.free_items), pool.free()]


@agreed([[0, 1], True, [0, 0]])
def a_borrower_that_waits_makes_the_connection_that_another_has_used_up(lib: Any) -> object:
    pool, got = _pool(lib, [], max_size=1, max_age=0), []
    lent = pool.get()
    lib.spawn(lambda: got.append(pool.get()))
    lib.settle()
    states = [[pool.free(), pool.waiting()]]
    pool.put(lent)
    lib.settle()
    return [*states, bool(got), [pool.free(), pool.waiting()]]


@agreed([["rollback", "close"], 0, 4])
def clear_closes_what_is_not_lent(lib: Any) -> object:
    log: list[str] = []
    pool = _pool(lib, log)
    pool.put(pool.get())
    pool.clear()
    return [log, len(pool.free_items), pool.free()]


@agreed(["ConnectTimeout", 4, "ZeroDivisionError", 4])
def a_connect_that_fails_or_takes_too_long_leaves_the_place_free(lib: Any) -> object:
    outcome: list[object] = []
    for connect in (lambda: lib.sleep(9), lambda: 1 // 0):
        pool = lib.RawConnectionPool(SimpleNamespace(connect=connect), connect_timeout=0.001)
        outcome += [error_of(pool.get), pool.free()]
    return outcome


@agreed([[{"db": "d", "host": "h", "user": "u"}, {"db": "d", "host": "i", "user": "v"}], True, False])
def a_connector_has_a_pool_for_each_host_and_database(lib: Any) -> object:
    log: list[str] = []
    module = SimpleNamespace(connect=lambda **how: _Connection(log, **how))
    credentials = {"h": {"user": "u"}, "default": {"user": "v"}}
    connector = lib.DatabaseConnector(module, credentials, lib.RawConnectionPool)
    pools = [connector.get("h", "d"), connector.get("i", "d")]
    arguments = [pool.get()._base.how for pool in pools]
    return [arguments, connector.get("h", "d") is pools[0], connector.get("h", "e") is pools[0]]
