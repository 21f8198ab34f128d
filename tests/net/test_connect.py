"""`connect`, `connect_ex`, `accept`: waits, timeouts, refusals, full backlogs, names, descriptors that are shared."""

import errno
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import raw_socket
from greening.errors import GreenletExit
from greening.net import connect
from greening.net.socket import GreenSocket
from greening.testing import settle, wait_until_parked
from greening.timeout import Timeout

Pair = tuple[GreenSocket, GreenSocket]
Keep = Callable[[Any], Any]

NOT_LISTENING = errno.ECONNREFUSED


@pytest.fixture
def refused(keep: Keep) -> Any:
    """The address of a port without a listener."""
    sock = keep(GreenSocket())
    sock.bind(("127.0.0.1", 0))
    return sock.getsockname()


@pytest.fixture
def full(keep: Keep) -> GreenSocket:
    """A TCP listener that does not answer: its backlog is full, and the kernel drops what comes."""
    listener: GreenSocket = keep(GreenSocket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    keep(socket.create_connection(listener.getsockname()))
    return listener


@pytest.fixture
def unix(keep: Keep, tmp_path: Path) -> Iterator[GreenSocket]:
    """A Unix listener with room for one connection."""
    listener: GreenSocket = keep(GreenSocket(socket.AF_UNIX))
    listener.bind(str(tmp_path / "s"))
    listener.listen(0)
    return listener


def test_connect_parks_only_the_thread_that_connects(listener: GreenSocket, keep: Keep) -> None:
    client = keep(GreenSocket())
    accepting = spawn(listener.accept)
    client.connect(listener.getsockname())
    server, address = accepting.wait(5)
    keep(server)
    assert address == client.getsockname()
    assert client.getpeername() == listener.getsockname()


def test_a_port_without_a_listener_refuses(refused: Any, keep: Keep) -> None:
    with pytest.raises(ConnectionRefusedError) as caught:
        keep(GreenSocket()).connect(refused)
    assert caught.value.errno == errno.ECONNREFUSED
    assert keep(GreenSocket()).connect_ex(refused) == errno.ECONNREFUSED


def test_connect_ex_says_0(listener: GreenSocket, keep: Keep) -> None:
    assert keep(GreenSocket()).connect_ex(listener.getsockname()) == 0


def test_a_listener_that_does_not_answer_in_time(full: GreenSocket, keep: Keep) -> None:
    client = keep(GreenSocket())
    client.settimeout(0.02)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        client.connect(full.getsockname())
    client = keep(GreenSocket())
    client.settimeout(0.02)
    assert client.connect_ex(full.getsockname()) == errno.EAGAIN


def test_a_non_blocking_connect_says_that_it_is_under_way(full: GreenSocket, listener: GreenSocket, keep: Keep) -> None:
    client = keep(GreenSocket())
    client.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        client.connect(full.getsockname())
    assert caught.value.errno == errno.EINPROGRESS
    assert client.connect_ex(full.getsockname()) == errno.EALREADY
    client = keep(GreenSocket())
    client.setblocking(False)
    assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
    assert select.select([], [client], [], 5)[1]
    assert client.connect_ex(listener.getsockname()) in (0, errno.EISCONN)


def test_a_connected_socket_is_not_connected_again(tcp: Pair, listener: GreenSocket) -> None:
    with pytest.raises(OSError) as caught:
        tcp[0].connect(listener.getsockname())
    assert caught.value.errno == errno.EISCONN
    assert tcp[0].connect_ex(listener.getsockname()) == errno.EISCONN


def test_a_closed_socket_does_not_connect(listener: GreenSocket) -> None:
    client = GreenSocket()
    client.close()
    with pytest.raises(OSError) as caught:
        client.connect(listener.getsockname())
    assert caught.value.errno == errno.EBADF
    assert client.connect_ex(listener.getsockname()) == errno.EBADF


@pytest.mark.parametrize("address", [1, "x", ("127.0.0.1",), ("127.0.0.1", "80"), (1, 2), None])
def test_a_wrong_address_is_the_stdlibs_error(address: Any, keep: Keep) -> None:
    client = keep(GreenSocket())
    with pytest.raises(TypeError):
        client.connect(address)
    with pytest.raises(TypeError):
        client.connect_ex(address)


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_the_mode_of_the_descriptor_survives(timeout: float | None, listener: GreenSocket, keep: Keep) -> None:
    client = keep(GreenSocket())
    client.settimeout(timeout)
    client.connect(listener.getsockname())
    assert client.gettimeout() == timeout
    assert raw_socket.gettimeout(client) is None
    assert os.get_blocking(client.fileno()) is (timeout is None)


def test_closing_ends_a_connect(full: GreenSocket) -> None:
    client = GreenSocket()
    connecting = spawn(client.connect, full.getsockname())
    wait_until_parked(connecting)
    client.close()
    connecting.quiet = True
    with pytest.raises(OSError) as caught:
        connecting.wait(5)
    assert caught.value.errno == errno.EBADF


def test_a_killed_connect_leaves_a_usable_process_behind(full: GreenSocket, keep: Keep) -> None:
    client = keep(GreenSocket())
    connecting = spawn(client.connect, full.getsockname())
    sleep(0)
    connecting.kill()
    with pytest.raises(GreenletExit):
        connecting.wait(5)
    assert client.gettimeout() is None


def test_a_full_unix_backlog_is_waited_for(unix: GreenSocket, keep: Keep) -> None:
    clients = [keep(GreenSocket(socket.AF_UNIX)) for _ in range(3)]
    connecting = [spawn(client.connect, unix.getsockname()) for client in clients]
    settle()
    assert not all(thread.dead for thread in connecting)
    for _ in clients:
        keep(unix.accept()[0])
    for thread in connecting:
        thread.wait(5)


def test_a_full_unix_backlog_is_not_waited_for_longer_than_the_timeout(unix: GreenSocket, keep: Keep) -> None:
    client = keep(GreenSocket(socket.AF_UNIX))
    while client.connect_ex(unix.getsockname()) == 0:
        client = keep(GreenSocket(socket.AF_UNIX))
        client.settimeout(0.01)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        client.connect(unix.getsockname())
    assert client.connect_ex(unix.getsockname()) == errno.EAGAIN
    client.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        client.connect(unix.getsockname())
    assert caught.value.errno == errno.EAGAIN


def test_an_abstract_address(keep: Keep) -> None:
    listener = keep(GreenSocket(socket.AF_UNIX))
    listener.bind(f"\0greening-test-{os.getpid()}")
    listener.listen()
    client = keep(GreenSocket(socket.AF_UNIX))
    accepting = spawn(listener.accept)
    client.connect(listener.getsockname())
    server = keep(accepting.wait(5)[0])
    server.sendall(b"x")
    assert client.recv(1) == b"x"


# Names


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The hosts that were looked up, by a resolver that lets others run and answers 127.0.0.1 or ::1."""
    hosts: list[Any] = []

    def slow(host: Any, port: Any, family: int, kind: int) -> list[Any]:
        hosts.append(host)
        sleep(0)
        return [(family, kind, 0, "", ("127.0.0.1" if family == socket.AF_INET else "::1", 0))]

    monkeypatch.setattr(connect, "getaddrinfo", slow)
    return hosts


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 80)),
        (socket.AF_INET, (b"127.0.0.1", 80)),
        (socket.AF_INET, ("", 80)),
        (socket.AF_INET, ("<broadcast>", 80)),
        (socket.AF_INET6, ("::1", 80)),
        (socket.AF_INET6, ("::1", 80, 0, 0)),
        (socket.AF_UNIX, "localhost"),
        (socket.AF_UNIX, b"\0localhost"),
    ],
)
def test_numbers_are_not_looked_up(family: int, address: Any, asked: list[Any], keep: Keep) -> None:
    assert connect.resolved(keep(GreenSocket(family)), address) is address
    assert not asked


@pytest.mark.parametrize("host", ["localhost", b"localhost", bytearray(b"localhost"), "bücher.example"])
def test_names_are_looked_up(host: Any, asked: list[Any], keep: Keep) -> None:
    assert connect.resolved(keep(GreenSocket()), (host, 80)) == ("127.0.0.1", 80)
    assert connect.resolved(keep(GreenSocket(socket.AF_INET6)), (host, 80, 1, 2)) == ("::1", 80, 1, 2)
    assert asked == [host, host]


def test_every_method_that_takes_an_address_looks_names_up_greenly(
    asked: list[Any], listener: GreenSocket, keep: Keep
) -> None:
    _, port = listener.getsockname()
    client = keep(GreenSocket())
    client.bind(("one.test", 0))
    client.connect(("two.test", port))
    assert keep(GreenSocket()).connect_ex(("three.test", port)) == 0
    datagrams = keep(GreenSocket(socket.AF_INET, socket.SOCK_DGRAM))
    datagrams.sendto(b"x", ("four.test", 9))
    datagrams.sendto(b"x", 0, ("five.test", 9))
    datagrams.sendmsg([b"x"], [], 0, ("six.test", 9))
    hurried = keep(GreenSocket())
    hurried.setblocking(False)
    assert hurried.connect_ex(("seven.test", port)) == errno.EINPROGRESS
    assert asked == [f"{number}.test" for number in ("one", "two", "three", "four", "five", "six", "seven")]


def test_an_unknown_name_is_a_gaierror(keep: Keep) -> None:
    with pytest.raises(socket.gaierror):
        keep(GreenSocket()).connect(("name.invalid", 80))


# accept


def test_accept_times_out(listener: GreenSocket) -> None:
    listener.settimeout(0.01)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        listener.accept()
    listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("timeout", [None, 5.0, 0.0])
def test_an_accepted_socket_is_blocking_whatever_the_listener_is(
    timeout: float | None, listener: GreenSocket, keep: Keep
) -> None:
    keep(socket.create_connection(listener.getsockname()))
    listener.settimeout(timeout)
    server = keep(listener.accept()[0])
    assert server.gettimeout() is None
    assert os.get_blocking(server.fileno())
    assert not os.get_inheritable(server.fileno())
    assert (server.family, server.type, server.proto) == (listener.family, listener.type, listener.proto)


def test_accept_waits_on_when_another_process_has_taken_the_connection(listener: GreenSocket, keep: Keep) -> None:
    accepting = spawn(listener.accept)
    sleep(0)
    first = keep(socket.create_connection(listener.getsockname()))
    stolen, _ = raw_socket._accept(listener)  # type: ignore[attr-defined]  # private, and what accept is made of
    os.close(stolen)
    os.set_blocking(listener.fileno(), True)  # a sharer of the descriptor may do that
    sleep(0)
    assert not accepting.dead
    second = keep(socket.create_connection(listener.getsockname()))
    server, address = accepting.wait(5)
    keep(server)
    assert address == second.getsockname() != first.getsockname()


def test_many_may_accept(listener: GreenSocket, keep: Keep) -> None:
    accepting = [spawn(listener.accept) for _ in range(3)]
    clients = [keep(GreenSocket()) for _ in range(3)]
    for client in clients:
        client.connect(listener.getsockname())
    found = [thread.wait(5) for thread in accepting]
    for server, _ in found:
        keep(server)
    assert {address for _, address in found} == {client.getsockname() for client in clients}


def test_closing_ends_an_accept(listener: GreenSocket) -> None:
    accepting = spawn(listener.accept)
    sleep(0)
    listener.close()
    accepting.quiet = True
    with pytest.raises(OSError) as caught:
        accepting.wait(5)
    assert caught.value.errno == errno.EBADF


def test_closing_in_one_os_thread_ends_an_accept_in_another(listener: GreenSocket) -> None:
    errors: list[int | None] = []
    parked = threading.Event()

    def accept() -> None:
        spawn(parked.set)
        try:
            listener.accept()
        except OSError as error:
            errors.append(error.errno)

    thread = threading.Thread(target=accept)
    thread.start()
    parked.wait(5)
    listener.close()
    thread.join(5)
    assert errors == [errno.EBADF]


def test_a_connect_that_was_interrupted_before_anything_had_happened_begins_again(
    tmp_path: Path, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = keep(GreenSocket(socket.AF_UNIX))
    listener.bind(str(tmp_path / "listener"))
    listener.listen(1)
    client = keep(GreenSocket(socket.AF_UNIX))
    interruptions = [errno.EINTR, errno.EINTR]
    real = connect._raw_connect_ex
    monkeypatch.setattr(connect, "_raw_connect_ex", lambda *args: interruptions.pop() if interruptions else real(*args))
    with Timeout(5):
        client.connect(listener.getsockname())
        keep(listener.accept()[0]).send(b"x")
        assert client.recv(1) == b"x"


def test_a_connect_that_was_interrupted_when_it_had_succeeded_has_succeeded(
    listener: GreenSocket, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, interruptions = connect._raw_connect_ex, []

    def interrupted(sock: Any, address: Any) -> int:
        error = real(sock, address)
        if error or interruptions:
            return error
        interruptions.append(error)
        return errno.EINTR

    monkeypatch.setattr(connect, "_raw_connect_ex", interrupted)
    client = keep(GreenSocket())
    with Timeout(5):
        client.connect(listener.getsockname())
        keep(listener.accept()[0]).send(b"x")
        assert client.recv(1) == b"x"
    assert interruptions


def test_a_non_blocking_connect_that_need_not_wait_is_done(keep: Keep, listener: GreenSocket) -> None:
    datagrams = keep(GreenSocket(socket.AF_INET, socket.SOCK_DGRAM))
    datagrams.setblocking(False)
    datagrams.connect(listener.getsockname())
    assert datagrams.getpeername() == listener.getsockname()


def test_where_a_second_connect_tells_nothing_the_socket_is_asked(
    unix: GreenSocket, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for families other than IPv4 and IPv6."""
    real, answers = connect._raw_connect_ex, [errno.EINPROGRESS]

    def begin(sock: Any, address: Any) -> int:
        error = real(sock, address)
        return answers.pop() if answers else error

    monkeypatch.setattr(connect, "_raw_connect_ex", begin)
    client = keep(GreenSocket(socket.AF_UNIX))
    with Timeout(5):
        client.connect(unix.getsockname())
    assert not answers
    fresh = keep(GreenSocket(socket.AF_UNIX))
    assert connect._outcome(fresh, unix.getsockname()) == errno.EINPROGRESS  # a stale event: wait again


def test_where_a_second_connect_tells_nothing_the_failure_is_that_of_the_socket(refused: Any, keep: Keep) -> None:
    sock = keep(GreenSocket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP))
    sock.connect(refused)
    sock.send(b"refused by ICMP")
    assert select.select([sock], [], [], 5)[0]
    assert connect._outcome(sock, refused) == errno.ECONNREFUSED
