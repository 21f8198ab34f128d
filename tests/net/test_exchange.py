"""Connections whose exchange was interrupted. Each test runs on TCP and on TLS, in the way that `recv` waits there."""

import gc
import os
import ssl
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest
from greenlet import GreenletExit

from greening._core.greenthread import kill, spawn
from greening._core.poller import IN
from greening._core.waiting import sleep, wait_readable
from greening._originals import raw_socket
from greening.net import exchange as exchanges
from greening.net.exchange import abort, abort_if_interrupted, exchange, mark_every_client, watch
from greening.net.socket import GreenSocket
from greening.readiness.polls import Epoll, poll
from greening.readiness.select import select
from greening.timeout import Timeout
from tests.net.test_tls import client_of, server_of

Pair = tuple[Any, Any]
Use = Callable[[Any], object]


@pytest.fixture(params=["tcp", "tls"])
def pair(request: pytest.FixtureRequest, tcp: Pair, keep: Any) -> Pair:
    if request.param == "tcp":
        return tcp
    accepting = spawn(server_of, request.getfixturevalue("server_context"), tcp[1])
    client = keep(client_of(request.getfixturevalue("client_context"), tcp[0]))
    return client, keep(accepting.wait(5))


def readline(sock: Any) -> bytes:
    with sock.makefile("rb") as file:
        line: bytes = file.readline()
    return line


def outcome(function: Callable[..., object], *args: object) -> object:
    """What the function returns, or the class of its error."""
    try:
        return function(*args)
    except OSError as error:
        return type(error)


# What the other side of an aborted connection finds; TLS may have something to send when it reads.
ENDED = (b"", ssl.SSLEOFError, BrokenPipeError)
READS: list[Use] = [lambda sock: sock.recv(10), lambda sock: sock.recv_into(bytearray(10)), readline]
REFUSED = "this connection was aborted: its exchange was interrupted by "


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("error", [Timeout(None), GreenletExit(), OSError("as one likes")])
def test_a_marked_socket_whose_read_is_interrupted_is_of_no_more_use(pair: Pair, read: Use, error: Exception) -> None:
    client, server = pair
    abort_if_interrupted(client)
    waiting = spawn(read, client)
    waiting.quiet = True
    sleep(0)
    kill(waiting, error)
    with pytest.raises(type(error)):
        waiting.wait()
    for use in (*READS, lambda sock: sock.send(b"x"), lambda sock: sock.sendall(b"x")):
        with pytest.raises(ConnectionAbortedError, match=REFUSED):
            use(client)
    assert outcome(server.recv, 1) in ENDED
    client.close()
    assert client.fileno() == -1


def test_the_error_says_what_interrupted_it_and_where(tcp: Pair) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    with Timeout(0.001, False):
        client.recv(1)  # here
    with pytest.raises(
        ConnectionAbortedError,
        match=rf"a Timeout of 0.001 seconds .silent. at .*{__name__.rpartition('.')[2]}.py:\d+; connect anew",
    ):
        client.recv(1)


def test_what_was_sent_half_is_of_no_more_use_either(tcp: Pair) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    writer = spawn(client.sendall, bytes(30_000_000))
    sleep(0)
    writer.kill()
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "a kill"):
        client.send(b"x")


def test_a_socket_that_nobody_marked_goes_on(pair: Pair) -> None:
    client, server = pair
    with Timeout(0.001, False):
        client.recv(1)
    server.sendall(b"late")
    assert client.recv(4) == b"late"


def test_its_own_timeout_is_no_interruption(pair: Pair) -> None:
    client, server = pair
    abort_if_interrupted(client)
    client.settimeout(0.001)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(5)
    server.sendall(b"late")
    assert client.recv(4) == b"late"


def test_closing_is_no_interruption(pair: Pair) -> None:
    client, _ = pair
    abort_if_interrupted(client)
    waiting = spawn(client.recv, 1)
    waiting.quiet = True
    sleep(0)
    kind = type(client)
    client.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        waiting.wait(5)
    assert type(client) is kind


def test_another_reader_of_an_aborted_socket_finds_its_end(tcp: Pair) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    first, second = spawn(client.recv, 1), spawn(client.recv, 1)
    sleep(0)
    first.kill()
    assert second.wait(5) == b""


def test_an_error_that_leaves_an_exchange_aborts_the_connection(pair: Pair) -> None:
    client, _ = pair
    with exchange(client):
        client.sendall(b"question")
    client.sendall(b"!")
    with pytest.raises(KeyError), exchange(client):
        raise KeyError("no such answer")
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "KeyError: 'no such answer' at "):
        client.sendall(b"?")


def test_a_timeout_anywhere_in_an_exchange_aborts_the_connection(tcp: Pair) -> None:
    client, server = tcp
    with Timeout(0.001, False), exchange(client):
        client.sendall(b"question")
        sleep(5)
    assert server.recv(8) == b"question"
    assert server.recv(1) == b""
    with pytest.raises(ConnectionAbortedError):
        client.recv(1)


def test_an_exchange_needs_a_socket() -> None:
    with pytest.raises(TypeError, match="a socket is needed, not 7"):
        exchange(7)


def test_to_abort_twice_or_what_is_closed_does_nothing(tcp: Pair) -> None:
    client, server = tcp
    abort(client, KeyError("first"))
    abort(client, KeyError("second"))
    with pytest.raises(ConnectionAbortedError, match="first"):
        client.recv(1)
    server.close()
    abort(server, KeyError("closed"))
    assert type(server) is GreenSocket


def test_every_client_is_marked_when_it_connects(listener: GreenSocket, keep: Any) -> None:
    mark_every_client(True)
    try:
        client = keep(GreenSocket())
        client.connect(listener.getsockname())
        server = keep(listener.accept()[0])
    finally:
        mark_every_client(False)
    with Timeout(0.001, False):
        client.recv(1)
    with pytest.raises(ConnectionAbortedError):
        client.recv(1)
    assert server.recv(1) == b""
    with Timeout(0.001, False):
        server.recv(1)


def test_nothing_is_kept_of_a_socket_that_is_gone() -> None:
    sock = GreenSocket()
    abort_if_interrupted(sock)
    abort(sock, KeyError())
    gone = ref(sock)
    sock.close()
    del sock
    gc.collect()
    assert gone() is None
    assert not any(each is None for each in exchanges._reasons)


# -- Waits for the descriptor, and not in an operation of the socket ---------------------------------------------------


def by_select(sock: Any) -> object:
    return select([sock], [], [])


def by_select_among_others(sock: Any) -> object:
    with Epoll() as other:
        return select([other.fileno(), sock.fileno()], [], [sock], 30)


def by_poll(sock: Any) -> object:
    asked = poll()
    asked.register(sock, IN)
    return asked.poll()


def by_epoll(sock: Any) -> object:
    with Epoll() as asked:
        asked.register(sock.fileno(), IN)
        return asked.poll(30)


def by_epoll_in_epoll(sock: Any) -> object:
    with Epoll() as outer, Epoll() as inner:
        inner.register(sock, IN)
        outer.register(inner, IN)
        return outer.poll()


def by_number(sock: Any) -> object:
    return wait_readable(sock.fileno())


WAITS: list[Use] = [by_select, by_select_among_others, by_poll, by_epoll, by_epoll_in_epoll, by_number]


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_for_its_descriptor_counts(tcp: Pair, wait: Use) -> None:
    client, server = tcp
    abort_if_interrupted(client)
    with Timeout(0.001, False):
        wait(client)
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "a Timeout of 0.001 .* at .*test_exchange.py"):
        client.recv(1)
    assert server.recv(1) == b""


@pytest.mark.parametrize("wait", WAITS)
def test_the_descriptor_of_a_socket_that_nobody_marked_does_not(tcp: Pair, wait: Use, keep: Any) -> None:
    client, server = tcp
    marked = keep(GreenSocket())
    abort_if_interrupted(marked)
    with Timeout(0.001, False):
        wait(client)
    server.sendall(b"late")
    assert client.recv(4) == b"late"
    assert type(marked) is GreenSocket


def test_a_wait_that_ends_in_time_is_no_interruption(tcp: Pair) -> None:
    client, server = tcp
    abort_if_interrupted(client)
    assert not any(select([client], [], [], 0.001))
    with Epoll() as asked:
        asked.register(client, IN)
        assert asked.poll(0.001) == []
    server.sendall(b"late")
    assert client.recv(4) == b"late"


# -- A connection is more than one object ------------------------------------------------------------------------------


def interrupt_a_read(sock: Any) -> None:
    with Timeout(0.001, False):
        sock.recv(1)


def test_tls_that_begins_later_belongs_to_the_connection(tcp: Pair, server_context: Any, client_context: Any) -> None:
    client, server = tcp
    abort_if_interrupted(client)
    accepting = spawn(server_of, server_context, server)
    with client_of(client_context, client) as secured, accepting.wait(5) as other:
        interrupt_a_read(secured)
        with pytest.raises(ConnectionAbortedError, match=REFUSED):
            secured.sendall(b"question")
        assert outcome(other.recv, 1) in ENDED


def test_tls_that_begins_in_an_exchange_is_aborted_with_it(
    tcp: Pair, server_context: Any, client_context: Any, keep: Any
) -> None:
    client, server = tcp
    accepting = spawn(server_of, server_context, server)
    secured = None
    with pytest.raises(KeyError), exchange(client):
        secured = keep(client_of(client_context, client))
        keep(accepting.wait(5))
        raise KeyError("no such answer")
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "KeyError"):
        secured.recv(1)


def test_an_object_that_is_made_of_the_descriptor_belongs_to_the_connection(tcp: Pair, keep: Any) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    moved = keep(GreenSocket(fileno=client.detach()))
    interrupt_a_read(moved)
    with pytest.raises(ConnectionAbortedError, match=REFUSED):
        moved.recv(1)


def test_two_objects_of_one_descriptor_are_aborted_together(tcp: Pair) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    twin = GreenSocket(fileno=client.fileno())
    try:
        interrupt_a_read(client)
        for each in (client, twin):
            with pytest.raises(ConnectionAbortedError, match=REFUSED):
                each.recv(1)
    finally:
        twin.detach()


def test_another_connection_with_the_number_of_a_marked_one_is_not_marked(
    tcp: Pair, listener: GreenSocket, keep: Any
) -> None:
    client, _ = tcp
    abort_if_interrupted(client)
    fd = client.fileno()
    os.close(fd)  # behind our back
    try:
        other = keep(GreenSocket())
        assert other.fileno() == fd
        other.connect(listener.getsockname())
        server = keep(listener.accept()[0])
        interrupt_a_read(other)
        server.sendall(b"late")
        assert other.recv(4) == b"late"
        assert fd not in exchanges.marks
    finally:
        client.detach()


def test_a_closed_socket_leaves_no_mark(tcp: Pair) -> None:
    client, server = tcp
    abort_if_interrupted(client)
    with exchange(server):
        pass
    assert {client.fileno()} == set(exchanges.marks)
    client.close()
    assert not exchanges.marks


def test_an_exchange_inside_another_one_does_not_end_it(tcp: Pair) -> None:
    client, _ = tcp
    with pytest.raises(KeyError), exchange(client):
        with exchange(client):
            client.sendall(b"question")
        raise KeyError("no such answer")
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "KeyError"):
        client.recv(1)
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "KeyError"), exchange(client):
        pass


def test_an_exchange_lets_its_block_try_again(tcp: Pair) -> None:
    client, server = tcp
    with exchange(client):
        interrupt_a_read(client)
        server.sendall(b"late")
        assert client.recv(4) == b"late"


def test_what_has_no_class_of_its_own_is_refused() -> None:
    plain = raw_socket()
    with pytest.raises(TypeError, match="a socket is needed"):
        exchange(plain)
    plain.close()


FORK = """
import os
import socket
import greening
from greening.net.exchange import abort_if_interrupted

greening.monkey_patch()
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
abort_if_interrupted(client)
waiting = greening.spawn(client.recv, 10)
greening.sleep(0)
child = os.fork()
if not child:
    del waiting
    with greening.Timeout(0.01, False):
        client.recv(10)
    try:
        client.recv(10)
    except ConnectionAbortedError:
        os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
server.sendall(b"answer")
assert waiting.wait() == b"answer"
"""


def test_a_child_does_not_shut_down_the_connection_of_its_parent(run_program: Any) -> None:
    run_program(FORK)


# -- For plug-ins: to watch a connection for a while -------------------------------------------------------------------


def test_a_wait_that_is_interrupted_in_a_watch_aborts_the_connection(tcp: Pair) -> None:
    client, server = tcp
    watched = watch(client)
    with pytest.raises(Timeout), watched:
        with Timeout(0.001):
            client.recv(1)
    assert watched.aborted
    assert server.recv(1) == b""
    with pytest.raises(ConnectionAbortedError, match=REFUSED):
        client.recv(1)


def test_other_errors_leave_a_watch_and_harm_nothing(tcp: Pair) -> None:
    client, server = tcp
    watched = watch(client)
    with pytest.raises(KeyError), watched, watch(client):
        raise KeyError("an answer")
    assert not watched.aborted
    assert not exchanges.marks
    interrupt_a_read(client)
    server.sendall(b"late")
    assert client.recv(4) == b"late"


def test_a_watch_inside_an_exchange_leaves_it_its_mark(tcp: Pair) -> None:
    client, _ = tcp
    with pytest.raises(KeyError), exchange(client):
        with watch(client):
            client.sendall(b"question")
        raise KeyError("no such answer")
    with pytest.raises(ConnectionAbortedError, match=REFUSED + "KeyError"):
        client.recv(1)


def test_a_finaliser_that_uses_an_aborted_socket_gets_the_same_error(tcp: Pair) -> None:
    """The collector has cleared the weak references to a socket before a finaliser beside it runs."""
    seen = list[str]()

    class Client:
        def __init__(self, fd: int) -> None:
            self.itself = self
            self.sock = GreenSocket(fileno=fd)  # younger than its client: its finaliser is the second one

        def __del__(self) -> None:
            try:
                self.sock.sendall(b"bye")
            except ConnectionAbortedError as error:
                seen.append(str(error))
            self.sock.close()

    client = Client(os.dup(tcp[0].fileno()))
    abort(client.sock, Timeout(None))
    del client
    gc.collect()
    assert len(seen) == 1
    assert REFUSED.removesuffix(" by ") in seen[0]
