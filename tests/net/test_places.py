"""A server's connections while they are idle: resumed with bytes, ended by time, by want of room and by a stop."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from greening._core.current import current, get_hub
from greening._core.greenthread import spawn
from greening.net import places, stream_server
from greening.net.convenience import connect
from greening.net.idle import Idle
from greening.net.stream_server import StreamServer
from greening.pool.greenpool import GreenPool
from greening.sync.event import Event
from greening.testing import fake_time, settle
from greening.timeout import Timeout

Keep = Callable[[Any], Any]
HERE = ("127.0.0.1", 0)
number: ContextVar[int] = ContextVar("number", default=0)


class Echo(Idle):
    """Answers each piece of data, and is idle in between."""

    def __init__(self, connection: Any, timeout: float | None, seen: list[Any]) -> None:
        super().__init__(timeout)
        self.connection = connection
        self.seen = seen

    def resume(self) -> "Echo | None":
        try:
            data = self.connection.recv(100)
        except OSError:
            data = b""
        if not data:
            return None
        self.seen.append((data, current(), number.get()))
        number.set(number.get() + 1)
        self.connection.sendall(data)
        if data == b"slow":
            self.connection.recv(1)
        return None if data == b"end" else self

    def dismiss(self, why: str) -> None:
        self.seen.append(why)
        self.connection.sendall(b"bye")


class Running:
    def __init__(self, timeout: float | None = None, **settings: Any) -> None:
        self.seen: list[Any] = []
        self.server = StreamServer(HERE, lambda connection, address: Echo(connection, timeout, self.seen), **settings)
        self.server.start()


@contextmanager
def running(*args: Any, **settings: Any) -> Iterator[Running]:
    one = Running(*args, **settings)
    try:
        yield one
    finally:
        with Timeout(10):
            one.server.stop(1)


def ask(client: Any, data: bytes) -> bytes:
    client.sendall(data)
    with Timeout(10):
        return client.recv(100)


def is_closed(client: Any) -> bool:
    with Timeout(60):
        try:
            while data := client.recv(100):
                assert data == b"bye"
        except ConnectionResetError:
            pass
    return True


@pytest.mark.parametrize("pooled", [False, True])
def test_each_piece_of_data_runs_in_a_green_thread_and_context_of_its_own(keep: Keep, pooled: bool) -> None:
    pool = GreenPool(10) if pooled else None
    with running(pool=pool) as one:
        client = keep(connect(one.server.address))
        for data in (b"a", b"b", b"c"):
            assert ask(client, data) == data
        settle()
        assert one.server.idle == 1
        assert pool is None or pool.running() == 0
        assert len({thread for _, thread, _ in one.seen}) == 3
        assert [value for _, _, value in one.seen] == [0, 0, 0], "what one step sets, the next one does not see"
        assert ask(client, b"end") == b"end"
        assert is_closed(client)
        settle()
        assert (one.server.idle, one.server.connections) == (0, [])


def test_idle_connections_hold_no_greenlet(keep: Keep) -> None:
    hub = get_hub()

    def at_work() -> int:
        return len(hub.runners) - len(hub.idle)

    with running() as one:
        settle()
        before = at_work()
        clients = [keep(connect(one.server.address)) for _ in range(20)]
        for client in clients:
            assert ask(client, b"x") == b"x"
        settle()
        assert one.server.idle == 20
        assert at_work() == before


def test_what_is_idle_for_too_long_is_ended_the_others_are_not(keep: Keep) -> None:
    with fake_time(patience=0.005), running(10) as one:
        first, second = keep(connect(one.server.address)), keep(connect(one.server.address))
        assert ask(first, b"x") == ask(second, b"x") == b"x"
        now = get_hub().now
        begun = now()
        _pause(7)
        assert ask(second, b"again") == b"again"
        assert is_closed(first)
        assert 9.9 <= now() - begun <= 10.1
        assert ask(second, b"still") == b"still"
        later = now()
        assert is_closed(second)
        assert 9.9 <= now() - later <= 10.1
        assert [why for why in one.seen if isinstance(why, str)] == ["idle for too long"] * 2


def _pause(seconds: float) -> None:
    with Timeout(seconds, False):
        Event().wait()


def test_the_longest_idle_goes_for_a_newcomer_and_a_woken_one_does_not(keep: Keep) -> None:
    with running(concurrency=2) as one:
        first, second = keep(connect(one.server.address)), keep(connect(one.server.address))
        assert ask(first, b"1") == b"1"
        assert ask(second, b"2") == b"2"
        assert ask(first, b"again") == b"again"
        third = keep(connect(one.server.address))
        assert is_closed(second)
        assert ask(third, b"3") == b"3"
        assert ask(first, b"on") == b"on"
        assert one.server.dismissed == 1


def test_one_that_waits_for_its_client_goes_when_none_is_idle(keep: Keep) -> None:
    with running(concurrency=2) as one:
        clients = [keep(connect(one.server.address)) for _ in range(2)]
        assert [ask(client, b"slow") for client in clients] == [b"slow"] * 2
        settle()
        assert one.server.idle == 0
        third = keep(connect(one.server.address))
        assert ask(third, b"3") == b"3"
        assert one.server.dismissed == 1


def test_handlers_that_never_were_idle_are_not_cut_off(keep: Keep) -> None:
    server = StreamServer(HERE, lambda connection, address: connection.sendall(connection.recv(10)), concurrency=1)
    server.start()
    first = keep(connect(server.address))
    settle()
    second = keep(connect(server.address))
    settle()
    assert server.dismissed == 0
    assert ask(first, b"1") == b"1"
    assert ask(second, b"2") == b"2"
    server.stop()


def test_stop_ends_idle_connections_at_once(keep: Keep) -> None:
    with running() as one:
        client = keep(connect(one.server.address))
        assert ask(client, b"x") == b"x"
        settle()
        with Timeout(5):
            one.server.stop()
        assert is_closed(client)
        assert one.seen[-1] == "the server stops"


def test_one_that_ends_by_itself_is_waited_for_and_killed_in_the_end(keep: Keep) -> None:
    class Stubborn(Echo):
        def shut_down(self) -> bool:
            self.connection.sendall(b"closing")
            return False

    server = StreamServer(HERE, lambda connection, address: Stubborn(connection, None, []))
    server.start()
    polite, rude = keep(connect(server.address)), keep(connect(server.address))
    assert ask(polite, b"x") == ask(rude, b"x") == b"x"
    stopping = spawn(server.stop, 0.05)
    with Timeout(5):
        assert polite.recv(100) == b"closing"
        assert ask(polite, b"end") == b"end"
        assert is_closed(polite)
        stopping.wait()
        assert rude.recv(100) == b"closing"
        assert rude.recv(100) == b""


def test_a_connection_that_is_closed_while_it_is_idle_is_over(keep: Keep) -> None:
    kept: list[Any] = []
    server = StreamServer(HERE, lambda connection, address: kept.append(connection) or Echo(connection, None, []))
    server.start()
    client = keep(connect(server.address))
    assert ask(client, b"x") == b"x"
    settle()
    kept[0].close()
    assert is_closed(client)
    with Timeout(5):
        server.stop()
    assert server.connections == []


def test_a_goodbye_that_fails_is_reported_and_the_place_is_free(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(places, "report_unhandled", lambda error, thread: reported.append(error))

    class Rude(Echo):
        def dismiss(self, why: str) -> None:
            raise OSError("no goodbye")

    server = StreamServer(HERE, lambda connection, address: Rude(connection, None, []), concurrency=1)
    server.start()
    first = keep(connect(server.address))
    assert ask(first, b"x") == b"x"
    second = keep(connect(server.address))
    assert is_closed(first)
    assert ask(second, b"y") == b"y"
    server.stop()
    assert [str(error) for error in reported] == ["no goodbye"] * 2


def test_one_that_is_killed_while_it_waits_for_the_pool_is_over(keep: Keep) -> None:
    pool = GreenPool(1)
    server = StreamServer(HERE, lambda connection, address: Echo(connection, None, []), pool=pool)
    server.start()
    client = keep(connect(server.address))
    assert ask(client, b"x") == b"x"
    settle()
    other = pool.spawn(Event().wait)
    client.sendall(b"waits for the pool")
    settle()
    with Timeout(5):
        server.stop(0)
    assert is_closed(client)
    other.kill()


class Waiting(Echo):
    """Waits for its client in a green thread, and says since when."""

    def resume(self) -> "Echo | None":
        self.since = get_hub().now()
        data = self.connection.recv(100)
        self.since = None
        if not data:
            return None
        self.connection.sendall(data)
        return self.resume()


def test_one_that_is_idle_in_its_green_thread_goes_before_a_newer_idle_one(keep: Keep) -> None:
    kinds = [Waiting, Echo, Echo]
    server = StreamServer(HERE, lambda connection, address: kinds.pop(0)(connection, None, []), concurrency=2)
    server.start()
    regular, newcomer = keep(connect(server.address)), keep(connect(server.address))
    assert ask(regular, b"r") == b"r"
    assert ask(newcomer, b"n") == b"n"
    settle()
    third = keep(connect(server.address))
    assert is_closed(regular)
    assert ask(newcomer, b"n") == b"n"
    assert ask(third, b"3") == b"3"
    server.stop(0)


def test_stop_serves_a_request_that_is_in_the_system_s_hands(keep: Keep) -> None:
    """It would be read, executed, and its answer thrown away."""
    seen: list[Any] = []
    server = StreamServer(HERE, lambda connection, address: Echo(connection, None, seen))
    server.start()
    client = keep(connect(server.address))
    assert ask(client, b"x") == b"x"
    settle()
    client.sendall(b"pay")
    with Timeout(5):
        server.stop()
    assert client.recv(100) == b"pay"
    assert is_closed(client)


def test_a_newcomer_gets_in_when_another_begins_to_wait_for_its_client(keep: Keep) -> None:
    go_on = Event()

    class Busy(Echo):
        def resume(self) -> "Echo | None":
            data = self.connection.recv(100)
            if data == b"busy":
                go_on.wait()
                self.connection.recv(100)  # and now it waits for its client, which is no event
                return None
            self.connection.sendall(data)
            return self

    server = StreamServer(HERE, lambda connection, address: Busy(connection, None, []), concurrency=1)
    server.start()
    first = keep(connect(server.address))
    first.sendall(b"busy")
    settle()
    second = keep(connect(server.address))
    settle()
    go_on.send()
    assert ask(second, b"2") == b"2"
    assert is_closed(first)
    server.stop(0)


@pytest.mark.parametrize("pause", [0.5, 2.0])
def test_descriptors_that_run_out_are_taken_from_what_is_idle_for_a_while(
    keep: Keep, monkeypatch: pytest.MonkeyPatch, pause: float
) -> None:
    with fake_time(patience=0.005), running() as one:
        first = keep(connect(one.server.address))
        assert ask(first, b"1") == b"1"
        _pause(pause)
        failures = [OSError(errno.EMFILE, "Too many open files") for _ in range(3)]
        accept = type(one.server.listener).accept

        def scarce(listener: Any) -> Any:
            if failures:
                raise failures.pop()
            return accept(listener)

        second = keep(connect(one.server.address))
        assert ask(second, b"2") == b"2"
        monkeypatch.setattr(type(one.server.listener), "accept", scarce)
        third, fourth = keep(connect(one.server.address)), keep(connect(one.server.address))
        assert ask(third, b"3") == b"3"
        assert ask(fourth, b"4") == b"4"
        assert ask(second, b"still") == b"still"
        assert one.server.dismissed == (1 if pause > 1 else 0)


def test_a_pool_that_fails_once_costs_one_connection(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(stream_server, "report_unhandled", lambda error, thread: reported.append(error))
    failures = [MemoryError("full")]

    class Pool(GreenPool):
        def spawn(self, *args: Any, **kwargs: Any) -> Any:
            if failures:
                raise failures.pop()
            return super().spawn(*args, **kwargs)

    with running(pool=Pool(5)) as one:
        first = keep(connect(one.server.address))
        assert is_closed(first)
        second = keep(connect(one.server.address))
        assert ask(second, b"2") == b"2"
    assert [str(error) for error in reported] == ["full"]


def test_an_idle_that_is_over_is_closed(keep: Keep) -> None:
    class Over(Echo):
        def resume(self) -> "Echo | None":
            self.over = True
            return super().resume()

    server = StreamServer(HERE, lambda connection, address: Over(connection, None, []))
    server.start()
    client = keep(connect(server.address))
    assert ask(client, b"x") == b"x"
    assert is_closed(client)
    server.stop()
