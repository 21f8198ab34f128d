"""Tasks are named after what they run, and each kind is numbered without gaps."""

import errno
import socket
import sys
from functools import partial
from types import FrameType, FunctionType
from typing import Any

import pytest

from greening import GreenletExit, GreenPool, StreamServer, getcurrent, sleep, spawn, spawn_n
from greening._core import names
from greening._core.greenthread import LocalGreenThread
from greening._core.names import distinct, function_name, printable, program_frame
from greening.green import _thread as green_thread
from greening.green import threading as green_threading
from greening.net.socket import GreenSocket
from greening.sync.event import Event


@pytest.fixture(autouse=True)
def numbered_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_numbers", {})


def fetch(*args: Any) -> str:
    return getcurrent().name


def test_a_green_thread_is_named_after_its_function_and_its_kind_has_no_gaps() -> None:
    threads = [spawn(fetch), spawn_n(fetch), spawn(partial(partial(fetch, 1), 2))]
    foreign = LocalGreenThread(getcurrent().hub, fetch, (), {})
    assert [thread.name for thread in (threads[0], foreign, threads[1], threads[2])] == [
        "GreenThread-1 (fetch)",
        "LocalGreenThread-1 (fetch)",
        "GreenThread-2 (fetch)",
        "GreenThread-3 (fetch)",
    ]
    assert "'GreenThread-1 (fetch)' new" in repr(threads[0])
    assert threads[0].wait() == "GreenThread-1 (fetch)"
    assert threads[0].name == "GreenThread-1 (fetch)"  # it keeps its name


def test_a_name_that_was_given_stays() -> None:
    thread = spawn(fetch)
    thread.name = "mine"
    assert thread.wait() == "mine"


def test_one_that_has_ended_is_named_by_its_number_alone() -> None:
    thread = spawn(int)
    thread.wait()
    assert thread.name == "GreenThread-1"


def test_what_a_pool_runs_is_named_after_the_users_function() -> None:
    pool = GreenPool(2)
    assert pool.spawn(fetch).wait() == "GreenThread-1 (fetch)"
    assert sorted(pool.imap(fetch, "ab")) == ["GreenThread-2 (fetch)", "GreenThread-3 (fetch)"]


def test_a_connection_is_named_after_the_handler() -> None:
    told = Event()

    def handler(sock: Any, address: Any) -> None:
        told.send(getcurrent().name)

    server = StreamServer(("127.0.0.1", 0), handler)
    server.start()
    with socket.create_connection(server.address):
        assert told.wait(5) == "GreenThread-1 (handler)"
    server.stop(0)


def test_threads_of_threading_keep_their_own_names() -> None:
    told: list[str] = []
    thread = green_threading.Thread(target=lambda: told.append(getcurrent().name))
    thread.start()
    thread.join()
    assert told == [thread.name]
    green_thread.start_new_thread(lambda: told.append(getcurrent().name), ())
    sleep(0)
    assert told[1] == "StartedThread-1 (<lambda>)"


def test_a_killed_thread_says_who_killed_it_and_where() -> None:
    victim = spawn(sleep, 100)
    sleep(0)

    def killer() -> None:
        victim.kill()

    spawn(killer)
    with pytest.raises(GreenletExit) as caught:
        victim.wait()
    line = killer.__code__.co_firstlineno + 1
    assert str(caught.value) == f"killed by GreenThread-1 (killer), {__file__}:{line} in killer"


def test_a_cancelled_thread_says_who_cancelled_it_and_where() -> None:
    victim = spawn(sleep, 100)
    victim.cancel()
    with pytest.raises(GreenletExit, match=r"^killed by main greenlet, .*test_names\.py:\d+ in test_a_cancelled"):
        victim.wait()


def test_what_a_kill_is_given_is_not_changed() -> None:
    error = GreenletExit("mine")
    victim = spawn(sleep, 100)
    sleep(0)
    victim.kill(error)
    with pytest.raises(GreenletExit, match=r"^mine$"):
        victim.wait()


def test_a_reader_says_who_closed_its_socket_and_where() -> None:
    reader, other = GreenSocket(), GreenSocket()
    reader.bind(("127.0.0.1", 0))
    reader.listen()

    def closer() -> None:
        reader.close()

    spawn(closer)
    fd = reader.fileno()
    with pytest.raises(OSError, match="closed meanwhile") as caught:
        reader.accept()
    assert caught.value.errno == errno.EBADF
    place = f"{__file__}:{closer.__code__.co_firstlineno + 1} in closer"
    expected = f"Bad file descriptor: descriptor {fd} was closed meanwhile by GreenThread-1 (closer), {place}"
    assert caught.value.strerror == expected
    other.close()


class Callable_:
    def __call__(self) -> None: ...

    def method(self) -> None: ...


def test_whatever_is_called_has_a_name() -> None:
    thing = Callable_()
    calls: list[Any] = [thing.method, [].append, Callable_, thing, partial(thing)]
    named = {function_name(call) for call in calls}
    assert named == {"method", "append", "Callable_"}
    assert function_name(None) == ""
    loop: Any = partial(fetch)
    loop.__setstate__((loop, (), {}, {}))  # a partial of itself
    assert function_name(loop) == "partial"


def test_what_would_move_the_cursor_is_escaped() -> None:
    assert printable("Ünïcode (fetch)") == "Ünïcode (fetch)"
    assert printable("a\nb\x1b[31m\udcff") == r"a\nb\x1b[31m\udcff"


def test_a_program_is_where_it_calls_what_waits_for_it() -> None:
    def waits() -> FrameType:
        return sys._getframe()

    inner = FunctionType(waits.__code__, {"__name__": "selectors", "sys": sys})
    frame = program_frame(inner())
    assert frame is not None
    assert frame.f_code.co_name == "test_a_program_is_where_it_calls_what_waits_for_it"
    assert program_frame(None) is None


def test_equal_names_get_numbers_that_no_other_has() -> None:
    assert distinct(["a", "b", "a", "a"]) == ["a", "b", "a #2", "a #3"]
    assert distinct(["a", "a #2", "a"]) == ["a", "a #2", "a #3"]
