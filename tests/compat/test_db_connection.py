"""What a pool of connections lends."""

import pytest

import greening
from greening.compat import db_connection
from greening.compat.db_connection import GenericConnectionWrapper, Opening, PooledConnectionWrapper


class Connection:
    autocommit = False

    def __enter__(self) -> str:
        return "entered"

    def __exit__(self, *exc_info: object) -> bool:
        return True

    def execute(self, text: str) -> str:
        return f"executed {text}"

    def __repr__(self) -> str:
        return "<a connection>"


class Pool:
    def __init__(self) -> None:
        self.back: list[object] = []

    def put(self, conn: PooledConnectionWrapper) -> None:
        self.back.append(conn)
        conn._destroy()


def test_public_attributes_are_read_from_and_set_on_the_connection() -> None:
    connection = Connection()
    wrapper = GenericConnectionWrapper(connection)
    wrapper.autocommit = True
    assert (connection.autocommit, wrapper.autocommit, wrapper.execute("it")) == (True, True, "executed it")
    assert repr(wrapper) == "<a connection>"
    with wrapper as entered:
        assert entered == "entered"
        raise ValueError("the connection swallows it")


def test_private_names_are_the_wrappers_own() -> None:
    wrapper = GenericConnectionWrapper(Connection())
    wrapper._note = 1
    assert not hasattr(wrapper._base, "_note")
    with pytest.raises(AttributeError, match="'GenericConnectionWrapper' object has no attribute '_other'"):
        _ = wrapper._other


def test_a_closed_one_is_false_and_says_why_it_cannot_be_used() -> None:
    pool = Pool()
    lent = PooledConnectionWrapper(Connection(), pool)
    assert lent
    lent.close()
    lent.close()
    assert (bool(lent), pool.back, repr(lent)) == (False, [lent], "None")
    with pytest.raises(AttributeError, match="'execute': this connection was given back to its pool"):
        lent.execute("it")


class Closable:
    def __init__(self) -> None:
        self.closed = greening.Event()

    def close(self) -> None:
        self.closed.send()


def test_an_opening_that_is_given_up_closes_what_is_opened_later() -> None:
    connection = Closable()
    opening = Opening(lambda: connection)
    opening.give_up()
    assert opening.run() is connection
    assert connection.closed.ready()


def test_an_opening_that_is_given_up_after_its_end_closes_what_was_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    closing = []
    monkeypatch.setattr(db_connection, "spawn_n", lambda *call: closing.append(greening.spawn(*call)))
    connection = Closable()
    opening = Opening(lambda: connection)
    assert opening.run() is connection
    assert not connection.closed.ready()
    opening.give_up()
    closing[0].wait()
    assert connection.closed.ready()
