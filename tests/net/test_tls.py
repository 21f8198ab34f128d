"""TLS: every operation parks, times out and ends as the stdlib's; readers and writers share one connection."""

import errno
import io
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from greening._core.greenthread import spawn
from greening._core.waiting import sleep, wait_readable
from greening._originals import raw_socket
from greening.errors import GreenletExit
from greening.net import retry
from greening.net import tls as module
from greening.net.socket import GreenSocket
from greening.net.tls import GreenSSLSocket
from greening.testing import fake_time, settle
from greening.timeout import Timeout

Pair = tuple[GreenSocket, GreenSocket]
Keep = Callable[[Any], Any]
BIG = 12_000_000  # more than a connection's buffers hold


def green(context: ssl.SSLContext) -> ssl.SSLContext:
    context.sslsocket_class = GreenSSLSocket
    return context


def client_of(context: ssl.SSLContext, sock: socket.socket, **options: Any) -> Any:
    return green(context).wrap_socket(sock, server_hostname="localhost", **options)


def server_of(context: ssl.SSLContext, sock: socket.socket, **options: Any) -> Any:
    return green(context).wrap_socket(sock, server_side=True, **options)


def limited(authority: trustme.CA, version: ssl.TLSVersion) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a client and a server that speak one version."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    authority.issue_cert("localhost").configure_cert(server)
    for context in (client, server):
        context.minimum_version = context.maximum_version = version
    return client, server


def shake(client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair) -> tuple[Any, Any]:
    accepting = spawn(server_of, server_context, tcp[1])
    client = client_of(client_context, tcp[0])
    return client, accepting.wait(5)


@pytest.fixture
def tls(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> tuple[GreenSSLSocket, GreenSSLSocket]:
    """A connection: (client, server), hands shaken."""
    client, server = shake(client_context, server_context, tcp)
    return keep(client), keep(server)


Tls = tuple[GreenSSLSocket, GreenSSLSocket]


@pytest.fixture
def local(client_context: ssl.SSLContext, server_context: ssl.SSLContext, keep: Keep) -> Tls:
    """As `tls`, on Unix sockets: what is full stays full. TCP may find room later, as its buffers grow."""
    one, other = (GreenSocket(fileno=sock.detach()) for sock in socket.socketpair())
    return tuple(map(keep, shake(client_context, server_context, (one, other))))


def error_of(call: Callable[..., object], *arguments: Any) -> int | None:
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return None


def read_exactly(sock: Any, size: int) -> int:
    got = 0
    while got < size:
        got += len(sock.recv(65536))
    return got


def fill(sock: Any) -> int:
    """Write until there is no room; the number of bytes."""
    sent = 0
    sock.settimeout(0)
    with pytest.raises(ssl.SSLWantWriteError):
        while True:
            sent += sock.send(bytes(16384))
    sock.settimeout(None)
    return sent


# The handshake


def test_handshake_and_verification(tls: Tls) -> None:
    client, server = tls
    assert client.version() == server.version() == "TLSv1.3"
    assert ("DNS", "localhost") in client.getpeercert()["subjectAltName"]
    assert client.gettimeout() is server.gettimeout() is None
    assert client.getblocking()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_carry_data_both_ways(
    version: ssl.TLSVersion, authority: trustme.CA, tcp: Pair, keep: Keep
) -> None:
    client, server = (keep(sock) for sock in shake(*limited(authority, version), tcp))
    reader = spawn(server.recv, 10)
    sleep(0)
    client.sendall(b"ping")
    assert reader.wait(5) == b"ping"
    reader = spawn(client.recv, 10)
    sleep(0)
    server.sendall(b"pong")
    assert reader.wait(5) == b"pong"


def test_a_stranger_is_not_trusted(server_context: ssl.SSLContext, tcp: Pair) -> None:
    accepting = spawn(lambda: error_of(server_of, server_context, tcp[1]))
    with pytest.raises(ssl.SSLCertVerificationError):
        client_of(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tcp[0])
    assert accepting.wait(5)


def test_a_wrong_name_is_not_trusted(client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair) -> None:
    accepting = spawn(lambda: error_of(server_of, server_context, tcp[1]))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        green(client_context).wrap_socket(tcp[0], server_hostname="elsewhere")
    assert accepting.wait(5)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_silent_peer_does_not_hold_a_handshake_longer_than_the_timeout(
    side: str, client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair
) -> None:
    wrap, context = (client_of, client_context) if side == "client" else (server_of, server_context)
    tcp[0].settimeout(0.01)
    with pytest.raises(TimeoutError, match="The handshake operation timed out"):
        wrap(context, tcp[0])


def test_a_handshake_has_one_deadline_for_the_whole(client_context: ssl.SSLContext, tcp: Pair) -> None:
    client, server = tcp
    client.settimeout(40)

    def trickle() -> None:
        # A record of 16 KiB, one byte at a time.
        server.recv(4096)
        server.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            sleep(3)
            server.send(b"x")

    with fake_time() as fake:
        thread = spawn(trickle)
        started = fake.clock.now()
        with pytest.raises(TimeoutError):
            client_of(client_context, client)
        thread.kill()
        assert fake.clock.now() - started == 40


def test_others_run_during_a_handshake(server_context: ssl.SSLContext, tcp: Pair) -> None:
    accepting = spawn(lambda: error_of(server_of, server_context, tcp[1]))
    ran = spawn(lambda: 1)
    assert ran.wait(5) == 1
    assert not accepting.dead
    tcp[0].sendall(b"this is not a client hello")
    assert accepting.wait(5)


def test_a_handshake_later(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    client = keep(client_of(client_context, tcp[0], do_handshake_on_connect=False))
    server = keep(server_of(server_context, tcp[1], do_handshake_on_connect=False))
    accepting = spawn(server.do_handshake)
    client.do_handshake()
    accepting.wait(5)
    assert client.cipher() == server.cipher()


def test_a_handshake_at_the_first_write(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    client = keep(client_of(client_context, tcp[0], do_handshake_on_connect=False))
    server = keep(server_of(server_context, tcp[1], do_handshake_on_connect=False))
    reader = spawn(server.recv, 10)
    client.sendall(b"x")
    assert reader.wait(5) == b"x"


def test_a_handshake_by_connect(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, listener: GreenSocket, keep: Keep
) -> None:
    server_listener = green(server_context).wrap_socket(listener, server_side=True)
    keep(server_listener)
    accepting = spawn(server_listener.accept)
    client = keep(client_of(client_context, GreenSocket()))
    client.connect(server_listener.getsockname())
    server, address = accepting.wait(5)
    keep(server)
    assert type(server) is GreenSSLSocket
    assert address == client.getsockname()
    reader = spawn(server.recv, 1)
    client.send(b"x")
    assert reader.wait(5) == b"x"


def test_a_timeout_of_0_and_a_handshake_that_is_to_block(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    accepting = spawn(server_of, server_context, tcp[1])
    client = keep(client_of(client_context, tcp[0], do_handshake_on_connect=False))
    client.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    client.do_handshake(block=True)
    assert client.gettimeout() == 0
    keep(accepting.wait(5))


def test_do_handshake_on_connect_of_a_non_blocking_socket_is_refused(client_context: ssl.SSLContext, tcp: Pair) -> None:
    tcp[0].setblocking(False)
    with pytest.raises(ValueError, match="non-blocking"):
        client_of(client_context, tcp[0])


def test_the_server_learns_the_name_that_is_asked_for(
    authority: trustme.CA, client_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    asked: list[str | None] = []
    one, other = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    authority.issue_cert("elsewhere").configure_cert(one)
    authority.issue_cert("localhost").configure_cert(other)

    def choose(sock: Any, name: str | None, context: ssl.SSLContext) -> None:
        asked.append(name)
        sock.context = other

    one.sni_callback = choose
    client, server = shake(client_context, one, tcp)
    keep(client)
    keep(server)
    assert asked == ["localhost"]


def test_data_before_the_handshake_of_a_closed_connection_does_not_pass_for_decrypted(
    server_context: ssl.SSLContext, tcp: Pair
) -> None:
    # CVE-2023-40217.
    client, server = tcp
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    with pytest.raises(OSError):
        server_of(server_context, server, do_handshake_on_connect=False)


def test_client_certificates_after_the_handshake(authority: trustme.CA, tcp: Pair, keep: Keep) -> None:
    client_context, server_context = limited(authority, ssl.TLSVersion.TLSv1_3)
    client_context.post_handshake_auth = True
    authority.issue_cert("someone@example.org").configure_cert(client_context)
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.post_handshake_auth = True
    authority.configure_trust(server_context)
    client, server = (keep(sock) for sock in shake(client_context, server_context, tcp))
    assert not server.getpeercert()

    def converse() -> bytes:
        server.verify_client_post_handshake()
        server.sendall(b"who are you?")
        return server.recv(100)  # the certificate comes with the answer

    serving = spawn(converse)
    assert client.recv(100) == b"who are you?"
    client.sendall(b"me")
    assert serving.wait(5) == b"me"
    assert server.getpeercert()["subjectAltName"] == (("email", "someone@example.org"),)


# Reading and writing

READS: list[Callable[[Any], bytes]] = [
    lambda sock: sock.recv(16),
    lambda sock: sock.read(16),
    lambda sock: (lambda buffer: bytes(buffer[: sock.recv_into(buffer)]))(bytearray(16)),
    lambda sock: (lambda buffer: bytes(buffer[: sock.read(16, buffer)]))(bytearray(16)),
]


@pytest.mark.parametrize("read", READS)
def test_a_read_parks_until_something_comes(read: Callable[[Any], bytes], tls: Tls) -> None:
    client, server = tls
    for message in (b"1", b"22"):
        reader = spawn(read, client)
        settle()
        assert not reader.dead
        server.sendall(message)
        assert reader.wait(5) == message


@pytest.mark.parametrize("read", READS)
def test_a_read_times_out(read: Callable[[Any], bytes], tls: Tls) -> None:
    client, server = tls
    client.settimeout(0.005)
    assert client.gettimeout() == 0.005
    with pytest.raises(TimeoutError, match="The read operation timed out"):
        read(client)
    server.sendall(b"x")
    client.settimeout(5)
    assert read(client) == b"x"


def test_a_write_parks_and_times_out(local: Tls) -> None:
    client, server = local
    size = fill(client)
    client.settimeout(0.005)
    with pytest.raises(TimeoutError, match="The write operation timed out"):
        client.send(bytes(16384))  # what OpenSSL could not write must be repeated as it was
    client.settimeout(None)
    writer = spawn(client.send, bytes(16384))
    sleep(0)
    assert not writer.dead
    assert read_exactly(server, size + 16384) == size + 16384
    assert writer.wait(5) == 16384


def test_sendall_of_much(tls: Tls) -> None:
    client, server = tls
    reader = spawn(read_exactly, server, BIG)
    client.sendall(bytes(BIG))
    assert reader.wait(5) == BIG


def test_one_reads_while_another_writes(tls: Tls) -> None:
    client, server = tls
    size = 1 << 21
    threads = [spawn(read_exactly, client, size), spawn(read_exactly, server, size), spawn(client.sendall, bytes(size))]
    server.sendall(bytes(size))
    assert [thread.wait(5) for thread in threads] == [size, size, None]


def test_two_write_at_once_and_neither_write_is_torn(local: Tls) -> None:
    client, server = local
    size = fill(client)
    # The pending write is repeated first; then these two take turns.
    writers = [spawn(client.send, bytes(16384)), spawn(client.send, b"b" * 3000), spawn(client.send, b"c" * 5000)]
    sleep(0)
    got = bytearray()
    while len(got) < size + 16384 + 8000:
        got += server.recv(65536)
    assert [writer.wait(5) for writer in writers] == [16384, 3000, 5000]
    assert got == bytes(size + 16384) + b"b" * 3000 + b"c" * 5000
    assert "_greening_write_lock" not in client.__dict__


def test_a_killed_writer_does_not_keep_the_others_out(local: Tls) -> None:
    client, server = local
    size = fill(client)
    writers = [spawn(client.send, bytes(16384)) for _ in range(3)]
    sleep(0)
    writers[1].kill()
    with pytest.raises(GreenletExit):
        writers[1].wait()
    assert read_exactly(server, size + 2 * 16384) == size + 2 * 16384
    assert [writers[0].wait(5), writers[2].wait(5)] == [16384, 16384]


def test_a_writer_that_waits_for_another_write_times_out(local: Tls) -> None:
    client, _ = local
    fill(client)
    first = spawn(client.send, bytes(16384))
    sleep(0)
    client.settimeout(0.005)
    with pytest.raises(TimeoutError, match="The write operation timed out"):
        client.send(b"x")
    client.settimeout(0)
    with pytest.raises(ssl.SSLWantWriteError):
        client.send(b"x")
    first.kill()


def test_two_readers_of_one_connection(tls: Tls) -> None:
    client, server = tls
    readers = [spawn(client.recv, 1) for _ in range(2)]
    sleep(0)
    server.sendall(b"a")
    settle()
    server.sendall(b"b")
    assert {reader.wait(5) for reader in readers} == {b"a", b"b"}


def test_a_kill_that_comes_while_others_run_loses_nothing(tls: Tls, spent: Callable[[], None]) -> None:
    client, server = tls
    server.sendall(b"!precious")
    assert client.recv(1) == b"!"  # the rest is in OpenSSL's hands
    got: list[bytes] = []
    spent()
    reader = spawn(lambda: (got.append(client.recv(10)), sleep(1)))
    sleep(0)
    assert not got
    reader.kill()
    with pytest.raises(GreenletExit):
        reader.wait()
    assert got == [b"precious"]


def test_lines_through_makefile(tls: Tls) -> None:
    client, server = tls
    lines = [f"line {number}\n" for number in range(1000)]

    def send() -> None:
        with client.makefile("w", encoding="utf-8") as file:
            file.writelines(lines)
        client.shutdown(socket.SHUT_WR)

    sending = spawn(send)
    with server.makefile("r", encoding="utf-8") as file:
        assert list(file) == lines
    sending.wait(5)


def test_sendfile(tls: Tls) -> None:
    client, server = tls
    reader = spawn(read_exactly, server, 500_000)
    assert client.sendfile(io.BytesIO(bytes(500_000))) == 500_000
    assert reader.wait(5) == 500_000


@pytest.mark.parametrize(
    "call",
    [
        lambda sock: sock.send(b"x", 1),
        lambda sock: sock.sendall(b"x", 1),
        lambda sock: sock.recv(1, 1),
        lambda sock: sock.recv_into(bytearray(1), 1, 1),
        lambda sock: sock.recvfrom(1),
        lambda sock: sock.recvfrom_into(bytearray(1)),
        lambda sock: sock.sendto(b"x", ("127.0.0.1", 9)),
        lambda sock: sock.recvmsg(1),
        lambda sock: sock.recvmsg_into([bytearray(1)]),
        lambda sock: sock.sendmsg([b"x"]),
        lambda sock: sock.dup(),
    ],
)
def test_what_tls_cannot_do_it_still_cannot(call: Callable[[Any], object], tls: Tls) -> None:
    with pytest.raises((ValueError, NotImplementedError)):
        call(tls[0])


# Non-blocking use


def test_a_non_blocking_conversation_with_select(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    def echo() -> None:
        with server_of(server_context, tcp[1]) as server:
            server.sendall(server.recv(100))

    serving = spawn(echo)
    client = keep(client_of(client_context, tcp[0], do_handshake_on_connect=False))
    client.setblocking(False)

    def until(call: Callable[..., Any], *arguments: Any) -> Any:
        while True:
            try:
                return call(*arguments)
            except ssl.SSLWantReadError:
                wait_readable(client.fileno(), 5)
            except ssl.SSLWantWriteError:
                select.select([], [client], [], 5)

    until(client.do_handshake)
    assert until(client.send, b"echo") == 4
    assert until(client.recv, 100) == b"echo"
    serving.wait(5)


def test_pending_bytes_need_no_descriptor(tls: Tls) -> None:
    client, server = tls
    server.sendall(b"123456")
    assert client.recv(2) == b"12"
    assert client.pending() == 4
    assert client.recv(10) == b"3456"


# Ends


def test_a_goodbye_is_the_end(tls: Tls) -> None:
    client, server = tls
    leaving = spawn(server.unwrap)
    assert client.recv(10) == b""
    plain = client.unwrap()
    assert leaving.wait(5).fileno() == server.fileno()
    plain.sendall(b"in the clear")  # and the connection goes on
    assert server.recv(100) == b"in the clear"
    reader = spawn(plain.recv, 100)
    sleep(0)
    server.sendall(b"so am I")
    assert reader.wait(5) == b"so am I"
    plain.settimeout(0.005)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        plain.recv(1)


def test_a_goodbye_without_an_answer_times_out(tls: Tls) -> None:
    client, _ = tls
    client.settimeout(0.005)
    with pytest.raises(TimeoutError, match="The read operation timed out"):
        client.unwrap()


def test_an_end_without_goodbye_is_an_end(tls: Tls) -> None:
    client, server = tls
    raw_socket.close(server)
    assert client.recv(10) == b""


def test_an_end_without_goodbye_is_an_error_where_that_was_asked_for(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    accepting = spawn(server_of, server_context, tcp[1])
    client = keep(client_of(client_context, tcp[0], suppress_ragged_eofs=False))
    server = accepting.wait(5)
    raw_socket.close(server)
    with pytest.raises(ssl.SSLEOFError):
        client.recv(10)


def test_a_reset_does_not_leave_the_reader_waiting(tls: Tls) -> None:
    client, server = tls
    reader = spawn(error_of, client.recv, 10)
    sleep(0)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    assert reader.wait(5) in (errno.ECONNRESET, None)  # some OpenSSLs say that it is the end


def test_closing_wakes_readers_and_writers(local: Tls) -> None:
    client, _ = local
    fill(client)
    waiting = [spawn(error_of, client.recv, 1), spawn(error_of, client.sendall, bytes(16384))]
    sleep(0)
    client.close()
    assert [thread.wait(5) for thread in waiting] == [errno.EBADF, errno.EBADF]
    with pytest.raises(ValueError, match="closed or unwrapped"):
        client.read(1)


def test_a_killed_handshake_can_be_taken_up_again(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    server = keep(server_of(server_context, tcp[1], do_handshake_on_connect=False))
    accepting = spawn(server.do_handshake)
    sleep(0)
    accepting.kill()
    with pytest.raises(GreenletExit):
        accepting.wait()
    accepting = spawn(server.do_handshake)
    keep(client_of(client_context, tcp[0]))
    accepting.wait(5)


# Sockets and contexts from elsewhere


def test_a_connection_between_two_os_threads(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    def echo() -> None:
        with server_of(server_context, tcp[1]) as server:
            while data := server.recv(100):
                server.sendall(data)

    thread = threading.Thread(target=echo)
    thread.start()
    client = keep(client_of(client_context, tcp[0]))
    for number in range(10):
        client.sendall(b"%d" % number)
        assert client.recv(100) == b"%d" % number
    client.close()
    thread.join(5)
    assert not thread.is_alive()


def test_a_timeout_that_was_set_past_our_method_is_honoured(tls: Tls) -> None:
    client, _ = tls
    retry.set_timeout(client, 0.005)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert client.gettimeout() == 0.005
    assert raw_socket.gettimeout(client) == 0


def test_memory_bios_are_left_alone(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_context.wrap_bio(to_server, to_client, server_side=True)

    def done(side: ssl.SSLObject) -> bool:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    assert any(done(client) & done(server) for _ in range(5))
    client.write(b"through memory")
    assert server.read(100) == b"through memory"


@pytest.fixture(autouse=True)
def _contexts_as_they_were(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> Iterator[None]:
    yield
    for context in (client_context, server_context):
        context.sslsocket_class = ssl.SSLSocket


def waited_once(client: GreenSSLSocket, server: GreenSSLSocket) -> None:
    """The client's next read looks into the socket before it asks OpenSSL."""
    reader = spawn(client.recv, 10)
    sleep(0)
    server.send(b"first")
    assert reader.wait(5) == b"first"


def test_a_reader_that_waited_the_last_time(tls: Tls) -> None:
    client, server = tls
    waited_once(client, server)
    server.send(b"there already")
    wait_readable(client.fileno())
    assert client.recv(5) == b"there" and client.recv(20) == b" already"
    waited_once(client, server)
    buffer = bytearray(4)
    reader = spawn(client.recv_into, buffer)
    sleep(0)
    server.send(b"abcd")
    assert reader.wait(5) == 4 and buffer == b"abcd"


def test_a_reader_that_waited_the_last_time_times_out_and_is_told_by_name(tls: Tls) -> None:
    client, server = tls
    waited_once(client, server)
    client.settimeout(0.002)
    with pytest.raises(TimeoutError, match="The read operation timed out"):
        client.recv(10)
    client.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):
        client.recv(10)
    client.settimeout(None)
    server.send(b"late")
    assert client.recv(10) == b"late"


def test_a_reader_that_waited_the_last_time_is_woken_by_close(tls: Tls) -> None:
    client, server = tls
    waited_once(client, server)
    reader = spawn(client.recv, 10)
    reader.quiet = True
    sleep(0)
    client.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        reader.wait(5)


def test_sendall_of_other_things_than_bytes(tls: Tls) -> None:
    client, server = tls
    data = bytes(range(256)) * 2000
    for thing in (data, bytearray(data), memoryview(data), memoryview(data).cast("I")):
        reader = spawn(read_exactly, server, len(data))
        client.sendall(thing)
        assert reader.wait(5) == len(data)
    client.sendall(b"")
    with pytest.raises(TypeError):
        client.sendall("text")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError, match="flags"):
        client.sendall(b"x", 1)


class Interrupted:
    """An SSL object whose calls are interrupted by a signal a few times, which looks like having to wait."""

    def __init__(self, engine: Any, times: int) -> None:
        self.engine = engine
        self.times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def read(self, *args: Any) -> Any:
        if self.times:
            self.times -= 1
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "interrupted")
        return self.engine.read(*args)

    def write(self, *args: Any) -> Any:
        if self.times:
            self.times -= 1
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "interrupted")
        return self.engine.write(*args)


def settled(tls: Tls) -> Any:
    """The client, whose socket has waited once, and whose events are fetched."""
    client, server = tls
    waiting = spawn(client.recv, 10)
    sleep(0)
    server.send(b"armed")
    assert waiting.wait(5) == b"armed"
    server.send(b"here")
    assert wait_readable(client.fileno(), 5)
    settle()
    return client


def test_a_read_that_was_interrupted_finds_the_data_that_was_there_before(tls: Tls) -> None:
    client = settled(tls)
    client._sslobj = Interrupted(client._sslobj, 3)
    with Timeout(5):
        assert client.recv(10) == b"here"


def test_a_write_that_was_interrupted_is_repeated_without_waiting_for_room(tls: Tls) -> None:
    client = settled(tls)
    client._sslobj = Interrupted(client._sslobj, 3)
    with Timeout(5):
        client.sendall(b"written")
        assert tls[1].recv(10) == b"written"


class Short(Interrupted):
    """An SSL object that writes a part, as OpenSSL does where it is told that it may."""

    def write(self, data: Any) -> Any:
        return self.engine.write(bytes(data)[:3])


def test_sendall_goes_on_where_a_write_was_cut_short(tls: Tls) -> None:
    client, server = tls
    client._sslobj = Short(client._sslobj, 0)
    client.sendall(b"0123456789")
    assert read_exactly(server, 10) == 10


@pytest.mark.parametrize("timeout", [None, 0])
def test_a_write_by_its_other_name(timeout: float | None, tls: Tls) -> None:
    client, server = tls
    client.settimeout(timeout)
    assert client.write(b"by write") == 8
    assert server.recv(10) == b"by write"
    client._sslobj = Interrupted(client._sslobj, 2)
    if timeout is None:
        assert client.write(b"again") == 5
        assert server.recv(10) == b"again"
    else:
        for call in (lambda: client.write(b"x"), lambda: client.send(b"x")):
            with pytest.raises(ssl.SSLWantWriteError):
                call()


class Renegotiating(Interrupted):
    """An SSL object whose read has to write first."""

    def read(self, *args: Any) -> Any:
        if self.times:
            self.times -= 1
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "renegotiation")
        return self.engine.read(*args)


def test_a_read_that_has_to_write_waits_for_room(tls: Tls) -> None:
    client = settled(tls)
    client._sslobj = Renegotiating(client._sslobj, 1)
    with Timeout(5):
        assert client.recv(10) == b"here"
    client.settimeout(0)
    client._sslobj = Renegotiating(client._sslobj, 1)
    with pytest.raises(ssl.SSLWantWriteError):
        client.recv(10)


def test_what_is_not_tls_any_more_sends_plainly(tls: Tls) -> None:
    client, server = tls
    client._sslobj = server._sslobj = None
    assert client.send(b"in the") == 6
    client.sendall(b" clear")
    assert server.recv(20) == b"in the clear"


@pytest.mark.parametrize("answer", [1, 2, "timed out", "closed"])
def test_a_look_into_the_socket_before_openssl_is_asked(answer: Any, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the accelerator makes it cheap; here it is played."""
    client = settled(tls)

    def await_data(sock: Any) -> int:
        looks.append(sock)
        if answer == "timed out":
            raise TimeoutError("timed out")
        if answer == "closed":
            raw_socket.close(client)
        return 1 if answer == "closed" else int(answer)

    looks: list[Any] = []
    monkeypatch.setattr(module, "_await_data", await_data)
    client.__dict__["_greening_waits"] = True
    if isinstance(answer, int):
        assert client.recv(4) == b"here"
        assert client.__dict__["_greening_waits"] is (answer != 1)
    elif answer == "closed":
        with pytest.raises(OSError, match="Bad file descriptor"):
            client.recv(4)
    else:
        with pytest.raises(TimeoutError, match="The read operation timed out"):
            client.recv(4)
    assert looks == [client]


def test_a_context_that_is_plain_shakes_hands_greenly_and_stays_as_it_was(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, tcp: Pair, keep: Keep
) -> None:
    shaking = spawn(module.shake_hands, server_context, tcp[1], server_side=True)
    client = keep(module.shake_hands(client_context, tcp[0], server_hostname="localhost"))
    assert type(client) is type(keep(shaking.wait(5))) is GreenSSLSocket
    assert client_context.sslsocket_class is server_context.sslsocket_class is ssl.SSLSocket


def test_a_handshake_that_fails_closes_the_connection(server_context: ssl.SSLContext, tcp: Pair) -> None:
    client, server = tcp
    client.sendall(b"this is not a client hello")
    with pytest.raises(ssl.SSLError):
        module.shake_hands(server_context, server, server_side=True)
    # An alert, and the end; a reset if the server has not read all.
    assert error_of(lambda: client.recv(100) and client.recv(100)) in (None, errno.ECONNRESET)
