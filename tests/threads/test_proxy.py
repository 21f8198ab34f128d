"""`tpool.Proxy`: what goes to a native thread, what does not, and what comes back as a proxy."""

import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening import tpool
from greening._originals import get_ident
from greening.threads.proxy import Proxy

HERE = get_ident()


class Cursor:
    """Has results."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows

    def __iter__(self) -> "Cursor":
        return self

    def __next__(self) -> int:
        if not self.rows:
            raise StopIteration
        return self.rows.pop(0)


class Connection:
    """Notes in which OS thread it is used."""

    label = "connection"

    def __init__(self) -> None:
        self.used_in: list[int] = []
        self.items: dict[str, Any] = {"a": 1}
        self.cursor_kept = Cursor([1, 2])

    def _note(self) -> None:
        self.used_in.append(get_ident())

    def cursor(self, *rows: int) -> Cursor:
        """Make a cursor."""
        self._note()
        return Cursor(list(rows))

    def fail(self) -> None:
        self._note()
        raise KeyError("there")

    def __call__(self, value: Any) -> Any:
        self._note()
        return value

    def __getitem__(self, key: str) -> Any:
        self._note()
        return self.items[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._note()
        self.items[key] = value

    def __delitem__(self, key: str) -> None:
        self._note()
        del self.items[key]

    def __contains__(self, key: str) -> bool:
        self._note()
        return key in self.items

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return bool(self.items)

    def __iter__(self) -> Iterator[str]:
        self._note()
        return iter(self.items)

    def __enter__(self) -> "Connection":
        self._note()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self._note()
        return kind is ZeroDivisionError

    def __str__(self) -> str:
        return "a connection"

    def __repr__(self) -> str:
        return "Connection()"

    def used_elsewhere(self) -> bool:
        used, self.used_in = self.used_in, []
        return bool(used) and HERE not in used


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    tpool.killall()


def test_methods_run_in_a_native_thread(connection: Connection) -> None:
    result = Proxy(connection).cursor(1, 2)
    assert type(result) is Cursor
    assert result.rows == [1, 2]
    assert connection.used_elsewhere()


def test_exceptions_come_back(connection: Connection) -> None:
    with pytest.raises(KeyError, match="there"):
        Proxy(connection).fail()
    assert connection.used_elsewhere()


def test_nonblocking_calls_are_made_on_the_spot(connection: Connection) -> None:
    proxy = Proxy(connection, autowrap=Cursor)
    result = proxy.cursor(1, nonblocking=True)
    assert connection.used_in == [HERE]
    assert type(result) is Proxy
    assert proxy(5, nonblocking=True) == 5
    assert connection.used_in == [HERE, HERE]
    proxy.cursor(nonblocking=False)
    assert connection.used_in[2] != HERE


def test_attributes_are_the_objects(connection: Connection) -> None:
    proxy = Proxy(connection)
    assert proxy.label == "connection"
    assert type(proxy.cursor_kept) is Cursor
    proxy.label = "changed"
    assert connection.label == "changed"
    del proxy.label
    assert connection.label == "connection"
    assert not hasattr(proxy, "no_such_thing")
    assert "cursor" in dir(proxy)


def test_a_method_keeps_its_face(connection: Connection) -> None:
    method = Proxy(connection).cursor
    assert method.__name__ == "cursor"
    assert method.__doc__ == "Make a cursor."
    assert list(inspect.signature(method).parameters) == ["rows"]
    assert method.__self__ is connection
    assert repr(method) == repr(connection.cursor)


def test_it_passes_for_the_object(connection: Connection) -> None:
    proxy = Proxy(connection)
    assert isinstance(proxy, Connection)
    assert proxy.__wrapped__ is connection
    assert proxy == connection
    assert hash(proxy) == hash(connection)
    assert (str(proxy), repr(proxy), len(proxy), bool(proxy)) == ("a connection", "Connection()", 1, True)
    assert connection.used_in == []  # on the spot


def test_arithmetic_and_numbers() -> None:
    assert Proxy(3) + 4 == 7
    assert Proxy([1]) * 2 == [1, 1]
    assert not Proxy(())


def test_items(connection: Connection) -> None:
    proxy = Proxy(connection, autowrap=(Cursor,))
    assert proxy["a"] == 1
    assert connection.used_elsewhere()
    proxy["b"] = 2
    assert connection.used_elsewhere()
    del proxy["a"]
    assert connection.used_elsewhere()
    assert "b" in proxy
    assert connection.used_elsewhere()
    assert connection.items == {"b": 2}
    proxy["b"] = Cursor([])
    assert type(proxy["b"]) is Proxy


def test_calling_the_object_itself(connection: Connection) -> None:
    assert Proxy(connection)(5) == 5
    assert connection.used_elsewhere()
    assert type(Proxy(connection)(Cursor([]))) is Cursor
    assert type(Proxy(connection, autowrap=(Cursor,))(Cursor([]))) is Proxy
    assert type(Proxy(connection, autowrap_names=("__call__",))([])) is Proxy


def test_iteration(connection: Connection) -> None:
    assert list(Proxy(connection)) == ["a"]
    assert connection.used_elsewhere()
    cursor = Proxy(Cursor([1, 2, 3]))
    assert iter(cursor) is cursor
    assert next(cursor) == 1
    assert list(cursor) == [2, 3]


def test_with(connection: Connection) -> None:
    proxy = Proxy(connection)
    with proxy as entered:
        assert entered is proxy
        assert connection.used_elsewhere()
    assert connection.used_elsewhere()
    with proxy:
        raise ZeroDivisionError
    with pytest.raises(ValueError), proxy:
        raise ValueError


def test_results_of_given_types_are_proxies(connection: Connection) -> None:
    proxy = Proxy(connection, autowrap=[Cursor, dict])
    cursor = proxy.cursor(1)
    assert type(cursor) is Proxy
    assert type(proxy.cursor_kept) is Proxy
    assert type(proxy.items) is Proxy
    assert type(cursor.rows) is list
    assert cursor.__wrapped__.rows == [1]


def test_what_has_a_given_name_is_a_proxy(connection: Connection) -> None:
    proxy = Proxy(connection, autowrap_names=("cursor", "cursor_kept"))
    assert type(proxy.cursor()) is Proxy
    assert type(proxy.cursor_kept) is Proxy
    assert type(proxy.items) is dict


def test_nothing_is_wrapped_twice(connection: Connection) -> None:
    inner = Proxy(Cursor([]))
    connection.items["inner"] = inner
    assert Proxy(connection, autowrap=(Cursor,))["inner"] is inner


def test_copies_are_proxies_of_copies() -> None:
    original = [[1]]
    for make in (copy.copy, copy.deepcopy):
        twin: Any = make(Proxy(original))
        assert type(twin) is Proxy
        assert twin.__wrapped__ == original
        assert twin.__wrapped__ is not original


def test_a_module_and_a_function() -> None:
    import _thread

    assert Proxy(_thread).get_ident() != HERE
    assert Proxy(get_ident)() != HERE


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["", "patched"])
def test_wrapt_is_loaded_for_a_proxy_only(run_program: Callable[..., Any], argument: str) -> None:
    run_program("tpool_light.py", argument)


def test_the_face_of_tpool() -> None:
    assert tpool.Proxy is Proxy
    assert tpool.setup() is None  # type: ignore[func-returns-value]
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = tpool.no_such_name


def test_it_has_eventlets_names_for_the_object_and_for_the_next_item() -> None:
    cursor = Cursor([1, 2])
    proxy = Proxy(cursor)
    assert proxy._obj is cursor
    assert (proxy.next(), next(proxy)) == (1, 2)
    with pytest.raises(StopIteration):
        proxy.next()


def test_a_method_called_next_is_the_objects_own() -> None:
    class Linked:
        def next(self) -> str:
            return "mine"

    assert Proxy(Linked()).next() == "mine"
    with pytest.raises(AttributeError):
        Proxy([]).previous()
