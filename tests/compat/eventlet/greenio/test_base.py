"""eventlet.greenio.base: `GreenSocket` takes over another socket object, and `shutdown_safe` forgives."""

import errno
import gc
import os
import socket
import warnings
from collections.abc import Iterator

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.compat.eventlet import greenio
from greening.compat.eventlet.greenio.base import set_nonblocking, shutdown_safe, socket_timeout
from greening.net.convenience import connect
from greening.net.socket import GreenSocket
from greening.timeout import Timeout

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = socket.socketpair()
    with one, other, Timeout(5):
        yield one, other


def test_the_class_is_greenings_own() -> None:
    assert greenio.GreenSocket is GreenSocket


def test_the_descriptor_is_non_blocking_for_others_if_that_is_asked_for(ends: Ends) -> None:
    with GreenSocket(ends[0], set_nonblocking=True) as green, GreenSocket(set_nonblocking=False) as other:
        assert not os.get_blocking(green.fileno())
        assert os.get_blocking(other.fileno())
        reader = spawn(green.recv, 10)
        sleep(0)
        ends[1].sendall(b"x")
        assert reader.wait() == b"x"
        assert green.gettimeout() is None


def test_a_socket_that_was_taken_over_parks_and_both_stay_usable(ends: Ends) -> None:
    with GreenSocket(ends[0]) as green:
        reader = spawn(green.recv, 10)
        sleep(0)
        ends[1].sendall(b"x")
        assert reader.wait() == b"x"
        ends[0].sendall(b"real")
        green.sendall(b"green")
        assert ends[1].recv(20) == b"realgreen"
        assert green.fd is ends[0]
        assert (green.family, green.type) == (ends[0].family, ends[0].type)


def test_to_close_it_closes_the_connection(ends: Ends) -> None:
    green = GreenSocket(ends[0])
    green.close()
    assert ends[0].fileno() == -1
    assert ends[1].recv(1) == b""


def test_to_drop_both_closes_the_connection() -> None:
    one, other = socket.socketpair()
    green = GreenSocket(one)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del one, green
        gc.collect()
    with other:
        assert other.recv(1) == b""


@pytest.mark.parametrize(("before", "after"), [(None, None), (3.0, 3.0), (0.0, None)])
def test_the_timeout_is_taken_over_but_for_zero(ends: Ends, before: float | None, after: float | None) -> None:
    ends[0].settimeout(before)
    with GreenSocket(ends[0]) as green:
        assert green.gettimeout() == after


def test_one_that_was_non_blocking_parks_all_the_same(ends: Ends) -> None:
    ends[0].setblocking(False)
    with GreenSocket(ends[0]) as green:
        reader = spawn(green.recv, 10)
        sleep(0)
        ends[1].sendall(b"x")
        assert reader.wait() == b"x"


def test_a_listener_that_was_taken_over_accepts_green_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as real, GreenSocket(real) as green:
        client = spawn(connect, green.getsockname())
        accepted, _ = green.accept()
        with accepted, client.wait():
            assert type(accepted) is GreenSocket
            assert accepted.fd is accepted


def test_an_object_that_only_has_a_descriptor_will_do(ends: Ends) -> None:
    class Wrapper:
        def fileno(self) -> int:
            return ends[0].fileno()

        def close(self) -> None:
            ends[0].close()

    with GreenSocket(Wrapper()) as green:  # type: ignore[arg-type]  # any object with `fileno`
        green.sendall(b"x")
    assert ends[1].recv(2) == b"x"
    assert ends[0].fileno() == -1


def test_what_is_no_socket_is_refused_and_nothing_stays_open() -> None:
    reading, writing = os.pipe()
    before = len(os.listdir("/proc/self/fd"))
    with os.fdopen(reading) as file, pytest.raises(OSError) as caught:
        GreenSocket(file)  # type: ignore[arg-type]  # on purpose
    assert caught.value.errno == errno.ENOTSOCK
    os.close(writing)
    assert len(os.listdir("/proc/self/fd")) == before - 2
    with pytest.raises(TypeError):
        GreenSocket("inet")  # type: ignore[arg-type]  # on purpose


def test_the_standard_librarys_class_takes_nothing_over(ends: Ends) -> None:
    with pytest.raises(TypeError):
        socket.socket(ends[0])  # type: ignore[arg-type]  # on purpose


def test_shutdown_ends_both_directions(ends: Ends) -> None:
    shutdown_safe(ends[0])
    assert ends[1].recv(1) == b""


def test_shutdown_forgives_what_is_closed_or_was_never_connected(ends: Ends) -> None:
    ends[0].close()
    shutdown_safe(ends[0])
    with socket.socket() as fresh:
        shutdown_safe(fresh)


def test_shutdown_knows_a_method_without_arguments_and_passes_other_errors_on() -> None:
    class Connection:
        def shutdown(self) -> str:
            return "goodbye"

    class Broken:
        def shutdown(self, how: int) -> None:
            raise OSError(errno.EIO, "broken")

    assert shutdown_safe(Connection()) == "goodbye"
    with pytest.raises(OSError, match="broken"):
        shutdown_safe(Broken())


def test_set_nonblocking_by_method_or_by_descriptor(ends: Ends) -> None:
    set_nonblocking(ends[0])
    assert ends[0].gettimeout() == 0
    reading, writing = os.pipe()
    with os.fdopen(reading) as file, os.fdopen(writing, "w"):
        set_nonblocking(file)
        assert not os.get_blocking(reading)
    assert socket_timeout is TimeoutError
