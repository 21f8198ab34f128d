"""Every method of a cooperative socket: it parks, it times out, it keeps the stdlib's results and errors."""

import array
import errno
import os
import select
import socket
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep, wait_readable
from greening._originals import raw_socket
from greening.errors import GreenletExit
from greening.net import socket as room
from greening.net.retry import timeout_of
from greening.net.socket import GreenSocket, getdefaulttimeout, give_back, setdefaulttimeout, take_over
from greening.timeout import Timeout

Pair = tuple[GreenSocket, GreenSocket]
Keep = Callable[[Any], Any]

LINGER_0 = struct.pack("ii", 1, 0)


def pair_of(keep: Keep, kind: int = socket.SOCK_STREAM) -> Pair:
    one, other = socket.socketpair(socket.AF_UNIX, kind)
    return keep(GreenSocket(fileno=one.detach())), keep(GreenSocket(fileno=other.detach()))


@pytest.fixture
def unix(keep: Keep) -> Pair:
    return pair_of(keep)


@pytest.fixture
def udp(keep: Keep) -> Pair:
    socks = [keep(GreenSocket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    socks[0].connect(socks[1].getsockname())
    socks[1].connect(socks[0].getsockname())
    return socks[0], socks[1]


@pytest.fixture(params=["tcp", "unix", "udp"])
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.getfixturevalue(request.param)
    return found


def error_of(call: Callable[..., object], *arguments: Any) -> int | None:
    """The errno of what it raises."""
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return None


def recv(sock: GreenSocket) -> bytes:
    return sock.recv(16)


def recv_into(sock: GreenSocket) -> bytes:
    buffer = bytearray(16)
    return bytes(buffer[: sock.recv_into(buffer)])


def recv_into_view(sock: GreenSocket) -> bytes:
    buffer = bytearray(16)
    return bytes(buffer[: sock.recv_into(memoryview(buffer))])


def recvfrom(sock: GreenSocket) -> bytes:
    return sock.recvfrom(16)[0]


def recvfrom_into(sock: GreenSocket) -> bytes:
    buffer = bytearray(16)
    return bytes(buffer[: sock.recvfrom_into(buffer)[0]])


def recvmsg(sock: GreenSocket) -> bytes:
    data, ancillary, flags, _ = sock.recvmsg(16)
    assert (ancillary, flags) == ([], 0)
    return data


def recvmsg_into(sock: GreenSocket) -> bytes:
    buffers = bytearray(2), bytearray(14)
    got = sock.recvmsg_into(iter(buffers))[0]
    return b"".join(buffers)[:got]


READS = [recv, recv_into, recv_into_view, recvfrom, recvfrom_into, recvmsg, recvmsg_into]


@pytest.mark.parametrize("read", READS)
def test_a_read_parks_until_something_comes(read: Callable[[GreenSocket], bytes], pair: Pair) -> None:
    one, other = pair
    for message in (b"1", b"22", b"333"):
        reader = spawn(read, one)
        sleep(0)
        assert not reader.dead
        other.send(message)
        assert reader.wait(5) == message


@pytest.mark.parametrize("read", READS)
def test_a_read_times_out(read: Callable[[GreenSocket], bytes], pair: Pair) -> None:
    one, other = pair
    one.settimeout(0.005)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        read(one)
    other.send(b"x")
    assert read(one) == b"x"
    with pytest.raises(socket.timeout):
        read(one)


@pytest.mark.parametrize("read", READS)
def test_a_read_of_a_non_blocking_socket_never_parks(read: Callable[[GreenSocket], bytes], pair: Pair) -> None:
    one, other = pair
    one.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        read(one)
    assert caught.value.errno == errno.EAGAIN
    other.send(b"x")
    assert read(one) == b"x"


@pytest.mark.parametrize("read", READS)
def test_a_closed_socket_is_not_read(read: Callable[[GreenSocket], bytes]) -> None:
    one, other = socket.socketpair()
    other.close()
    closed = GreenSocket(fileno=one.detach())
    closed.close()
    with pytest.raises(OSError) as caught:
        read(closed)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("read", READS)
def test_the_end_comes_again_and_again(read: Callable[[GreenSocket], bytes], tcp: Pair) -> None:
    client, server = tcp
    client.sendall(b"last")
    client.shutdown(socket.SHUT_WR)
    assert [read(server) for _ in range(4)] == [b"last", b"", b"", b""]
    server.sendall(b"answer")  # the other half is open
    assert read(client) == b"answer"


@pytest.mark.parametrize("read", READS)
def test_a_reset_is_an_error_as_in_the_stdlib(read: Callable[[GreenSocket], bytes], tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(error_of, read, server)
    sleep(0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
    client.close()
    assert reader.wait(5) == errno.ECONNRESET


@pytest.mark.parametrize("read", [recv, recv_into, recvmsg])
def test_a_socket_without_a_peer_is_enotconn(read: Callable[[GreenSocket], bytes], keep: Keep) -> None:
    with pytest.raises(OSError) as caught:
        read(keep(GreenSocket()))
    assert caught.value.errno == errno.ENOTCONN


def test_shutting_down_wakes_the_own_reader(tcp: Pair) -> None:
    reader = spawn(tcp[1].recv, 1)
    sleep(0)
    tcp[1].shutdown(socket.SHUT_RD)
    assert reader.wait(5) == b""


def test_datagrams_are_read_one_by_one_with_their_senders(udp: Pair) -> None:
    one, other = udp
    reader = spawn(lambda: [one.recvfrom(10) for _ in range(3)])
    sleep(0)
    for message in (b"a", b"", b"c"):
        assert other.sendto(message, one.getsockname()) == len(message)
    assert reader.wait(5) == [(message, other.getsockname()) for message in (b"a", b"", b"c")]


def test_two_readers_of_one_socket_take_turns(tcp: Pair) -> None:
    client, server = tcp
    readers = [spawn(server.recv, 1) for _ in range(3)]
    sleep(0)
    for reader, letter in zip(readers, (b"a", b"b", b"c"), strict=True):
        client.send(letter)
        assert reader.wait(5) == letter


def test_one_reads_while_another_writes(tcp: Pair) -> None:
    client, server = tcp
    size = 1 << 20

    def drain(sock: GreenSocket) -> int:
        got = 0
        while got < size:
            got += len(sock.recv(65536))
        return got

    threads = [spawn(drain, client), spawn(drain, server), spawn(client.sendall, bytes(size))]
    server.sendall(bytes(size))
    assert [thread.wait(5) for thread in threads] == [size, size, None]


# Short reads, and what must not be concluded from them


@pytest.mark.parametrize("read", [recv, recv_into, recv_into_view, recvmsg])
def test_after_a_short_read_a_read_of_nothing_is_at_once(read: Callable[[GreenSocket], bytes], tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(read, server)
    sleep(0)
    client.send(b"short")
    assert reader.wait(5) == b"short"
    assert server.recv(0) == b""
    assert server.recv_into(bytearray()) == 0
    assert server.recv_into(memoryview(bytearray())) == 0
    with pytest.raises(ValueError, match="negative"):
        server.recv(-1)
    with pytest.raises(ValueError, match="negative"):
        server.recv_into(memoryview(bytearray(4)), -1)
    with pytest.raises(TypeError):
        server.recv("4")  # type: ignore[arg-type]


# Flags


@pytest.mark.parametrize("flag", ["MSG_DONTWAIT", "MSG_ERRQUEUE"])
def test_flags_that_mean_now_never_park(flag: str, udp: Pair) -> None:
    flags = getattr(socket, flag)
    one = udp[0]
    for call in (
        lambda: one.recv(1, flags),
        lambda: one.recv_into(bytearray(1), 0, flags),
        lambda: one.recvfrom(1, flags),
        lambda: one.recvmsg(1, 0, flags),
    ):
        with pytest.raises(BlockingIOError):
            call()


# Writes


def fill(sock: GreenSocket) -> int:
    """Send until there is no room; the number of bytes."""
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += sock.send(bytes(65536), socket.MSG_DONTWAIT)
    return sent


def discard(sock: GreenSocket, size: int) -> None:
    while size:
        size -= len(sock.recv(min(size, 65536)))


@pytest.mark.parametrize(
    "write",
    [
        lambda sock: sock.send(b"tail"),
        lambda sock: sock.sendall(b"tail"),
        lambda sock: sock.sendall(array.array("i", [1])),
        lambda sock: sock.sendmsg([b"ta", b"il"]),
        lambda sock: sock.sendmsg(iter([b"ta", b"il"])),
    ],
)
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_a_write_parks_until_there_is_room(
    family: str, write: Callable[[GreenSocket], object], request: pytest.FixtureRequest
) -> None:
    one, other = request.getfixturevalue(family)
    size = fill(one)
    writer = spawn(write, one)
    sleep(0)
    assert not writer.dead
    discard(other, size)
    assert writer.wait(5) in (4, None)
    assert len(other.recv(10)) == 4


def test_a_write_times_out(unix: Pair) -> None:
    one = unix[0]
    fill(one)
    one.settimeout(0.005)
    for write in (one.send, one.sendall, lambda data: one.sendmsg([data])):
        with pytest.raises(TimeoutError, match=r"^timed out$"):
            write(b"x")
    one.setblocking(False)
    for write in (one.send, one.sendall, lambda data: one.sendmsg([data])):
        with pytest.raises(BlockingIOError):
            write(b"x")
    one.setblocking(True)
    with pytest.raises(BlockingIOError):
        one.sendall(b"x", socket.MSG_DONTWAIT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"view"),
        memoryview(b"a-b-c-")[::2],
        array.array("i", [1, 2, 3]),
        memoryview(array.array("i", [1, 2, 3])),
        bytes(3_000_000),
        array.array("d", [0.5] * 300_000),
    ],
)
@pytest.mark.parametrize("method", ["send", "sendall", "sendmsg"])
def test_whatever_has_bytes_is_sent_whole(method: str, data: Any, tcp: Pair) -> None:
    client, server = tcp
    try:
        chunk = bytes(memoryview(data).cast("B"))
    except TypeError:
        with pytest.raises(BufferError):
            getattr(client, method)([data] if method == "sendmsg" else data)
        return
    reader = spawn(lambda: b"".join(iter(lambda: server.recv(1 << 20), b"")))
    sent = getattr(client, method)([data] if method == "sendmsg" else data)
    client.shutdown(socket.SHUT_WR)
    assert reader.wait(5) == chunk
    assert sent == (None if method == "sendall" else len(chunk))


@pytest.mark.parametrize("data", [b"", b"datagram"])
def test_sendto_with_and_without_flags(data: bytes, udp: Pair) -> None:
    one, other = udp
    for arguments in ((other.getsockname(),), (0, other.getsockname()), (socket.MSG_DONTWAIT, other.getsockname())):
        assert one.sendto(data, *arguments) == len(data)
        assert other.recv(20) == data


@pytest.mark.parametrize("arguments", [(), (b"x",), (b"x", 0), (b"x", "0", ("127.0.0.1", 9)), (b"x", 0, None, 1)])
def test_sendto_with_wrong_arguments(arguments: tuple[Any, ...], udp: Pair) -> None:
    with pytest.raises(TypeError):
        udp[0].sendto(*arguments)


def test_a_broken_pipe_is_an_error_as_in_the_stdlib(unix: Pair) -> None:
    one, other = unix
    other.close()
    for write in (one.send, one.sendall, lambda data: one.sendmsg([data])):
        with pytest.raises(BrokenPipeError):
            write(b"x")


# Ancillary data


def test_descriptors_are_passed(unix: Pair) -> None:
    one, other = unix
    reader, writer = os.pipe()
    receiving = spawn(socket.recv_fds, other, 10, 3)
    sleep(0)
    socket.send_fds(one, [b"take"], [reader])
    data, fds, _, _ = receiving.wait(5)
    os.write(writer, b"through")
    assert data == b"take"
    assert [os.read(fd, 10) for fd in fds] == [b"through"]
    for fd in (reader, writer, *fds):
        os.close(fd)


def test_credentials_come_with_the_message(unix: Pair) -> None:
    one, other = unix
    other.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    receiving = spawn(other.recvmsg, 10, socket.CMSG_SPACE(12))
    sleep(0)
    one.send(b"me")
    data, ((level, kind, value),), _, _ = receiving.wait(5)
    assert (data, level, kind) == (b"me", socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
    assert struct.unpack("3i", value)[0] == os.getpid()


def test_a_datagram_that_was_cut_says_so(udp: Pair) -> None:
    one, other = udp
    other.send(b"too long")
    assert one.recvmsg(3)[0::2] == (b"too", socket.MSG_TRUNC)


# Closing


@pytest.mark.parametrize("read", READS)
def test_closing_wakes_every_reader_with_ebadf_in_the_same_turn(
    read: Callable[[GreenSocket], bytes], pair: Pair
) -> None:
    readers = [spawn(error_of, read, pair[0]) for _ in range(2)]
    sleep(0)
    pair[0].close()
    sleep(0)
    assert all(reader.dead for reader in readers)
    assert [reader.wait() for reader in readers] == [errno.EBADF] * 2


def test_closing_wakes_the_writers(unix: Pair) -> None:
    fill(unix[0])
    writers = [spawn(error_of, unix[0].sendall, b"x"), spawn(error_of, unix[0].sendmsg, [b"x"])]
    sleep(0)
    unix[0].close()
    assert [writer.wait(5) for writer in writers] == [errno.EBADF] * 2


def test_a_number_that_is_used_again_at_once_does_not_reach_the_old_waiter(tcp: Pair, keep: Keep) -> None:
    _client, server = tcp
    reader = spawn(error_of, server.recv, 10)
    sleep(0)
    fd = server.fileno()
    near, far = (keep(sock) for sock in socket.socketpair())
    server.close()
    assert os.dup2(near.fileno(), fd) == fd
    heir = keep(GreenSocket(fileno=fd))
    inherited = spawn(heir.recv, 10)
    far.send(b"for the heir")
    assert reader.wait(5) == errno.EBADF
    assert inherited.wait(5) == b"for the he"


def test_the_end_of_a_with_block_waits_for_the_files_made_of_it(tcp: Pair) -> None:
    client, server = tcp
    with server:
        file = server.makefile("rb")
    reader = spawn(file.readline)
    sleep(0)
    client.sendall(b"line\n")
    assert reader.wait(5) == b"line\n"
    late = spawn(file.raw.read, 1)
    sleep(0)
    file.close()  # the last one closes the descriptor
    late.quiet = True
    with pytest.raises((OSError, ValueError)):
        late.wait(5)
    assert server.fileno() == -1


def test_detaching_ends_the_waits_and_leaves_the_descriptor_open(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(error_of, server.recv, 1)
    sleep(0)
    fd = server.detach()
    assert reader.wait(5) == errno.EBADF
    assert server.fileno() == -1
    assert server.detach() == -1
    client.send(b"x")
    assert os.read(fd, 1) == b"x"
    os.close(fd)


def test_an_unclosed_socket_warns_and_its_number_is_used_again(keep: Keep) -> None:
    near, far = (keep(sock) for sock in socket.socketpair())
    forgotten = GreenSocket(fileno=near.detach())
    fd = forgotten.fileno()
    reader = spawn(forgotten.recv, 1)
    sleep(0)
    far.send(b"x")
    reader.wait(5)
    del reader
    with pytest.warns(ResourceWarning, match=r"unclosed <greening\.net\.socket\.GreenSocket"):
        del forgotten
    again, other = (keep(GreenSocket(fileno=sock.detach())) for sock in socket.socketpair())
    assert fd in (again.fileno(), other.fileno())
    readers = [spawn(again.recv, 1), spawn(other.recv, 1)]
    sleep(0)
    again.send(b"1")
    other.send(b"2")
    assert [thread.wait(5) for thread in readers] == [b"2", b"1"]


def test_a_reader_that_is_killed_after_it_was_woken_leaves_the_data_to_the_next(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(server.recv, 1)
    sleep(0)
    client.send(b"0")
    reader.wait(5)

    def kill() -> bool:
        wait_readable(server.fileno())
        alive = not reader.dead
        reader.kill()
        return alive

    killer = spawn(kill)
    sleep(0)
    reader = spawn(server.recv, 10)
    sleep(0)
    client.send(b"kept")
    assert killer.wait(5)
    with pytest.raises(GreenletExit):
        reader.wait(5)
    assert server.recv(10) == b"kept"


# Copies


def test_a_duplicate_has_the_timeout_and_a_life_of_its_own(tcp: Pair, keep: Keep) -> None:
    client, server = tcp
    server.settimeout(5)
    twin = keep(server.dup())
    assert type(twin) is GreenSocket
    assert twin.gettimeout() == 5
    server.close()
    client.send(b"x")
    assert twin.recv(1) == b"x"


def test_blocking_and_non_blocking_copies_of_one_description(tcp: Pair, keep: Keep) -> None:
    client, server = tcp
    twin = keep(server.dup())
    twin.setblocking(False)  # O_NONBLOCK for both
    reader = spawn(server.recv, 1)
    sleep(0)
    assert not reader.dead
    twin.setblocking(True)
    client.send(b"x")
    assert reader.wait(5) == b"x"


def test_a_socket_made_of_a_non_blocking_descriptor_parks(tcp: Pair, keep: Keep) -> None:
    client, server = tcp
    server.setblocking(False)
    copy = keep(GreenSocket(fileno=os.dup(server.fileno())))
    assert copy.gettimeout() is None  # what the stdlib says, too; its read would fail with EAGAIN
    reader = spawn(copy.recv, 1)
    sleep(0)
    client.send(b"x")
    assert reader.wait(5) == b"x"


def test_sock_nonblock_is_a_timeout_of_0(keep: Keep) -> None:
    sock = keep(GreenSocket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
    assert sock.gettimeout() == 0
    assert sock.type == socket.SOCK_STREAM


def test_a_default_timeout_of_an_unpatched_process_counts(keep: Keep) -> None:
    socket.setdefaulttimeout(4)
    try:
        sock = keep(GreenSocket())
    finally:
        socket.setdefaulttimeout(None)
    assert sock.gettimeout() == 4
    assert raw_socket.gettimeout(sock) is None


# Files made of sockets


def test_lines_through_makefile(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(lambda: list(server.makefile("r", encoding="utf-8")))
    with client.makefile("w", encoding="utf-8") as file:
        for number in range(100):
            file.write(f"line {number}\n")
        file.flush()
        client.shutdown(socket.SHUT_WR)
    assert reader.wait(5) == [f"line {number}\n" for number in range(100)]


def test_a_file_that_timed_out_cannot_be_read_any_more(tcp: Pair) -> None:
    tcp[1].settimeout(0.005)
    with tcp[1].makefile("rb") as file:
        with pytest.raises(TimeoutError):
            file.read(1)
        with pytest.raises(OSError, match="cannot read from timed out object"):
            file.read(1)


# Threads of the system


def in_os_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Start it; the result waits for it, and lets green threads run meanwhile."""
    results: list[Any] = []
    ended = os.eventfd(0)

    def run() -> None:
        try:
            results.append(function())
        finally:
            os.eventfd_write(ended, 1)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        assert wait_readable(ended, 5)
        os.close(ended)
        thread.join(5)
        return results[0]

    return result


def test_a_connection_between_two_os_threads(tcp: Pair) -> None:
    client, server = tcp

    def echo() -> int:
        count = 0
        while data := server.recv(100):
            server.sendall(data)
            count += 1
        return count

    result = in_os_thread(echo)
    for number in range(20):
        client.sendall(b"%d" % number)
        assert client.recv(100) == b"%d" % number
    client.shutdown(socket.SHUT_WR)
    assert result() == 20


def test_one_socket_in_two_os_threads(tcp: Pair) -> None:
    client, server = tcp
    size = 1 << 20
    result = in_os_thread(lambda: client.sendall(bytes(size)))
    reader = spawn(client.recv, 10)  # the thread sends on it, we read from it
    discard(server, size)
    assert result() is None
    server.send(b"back")
    assert reader.wait(5) == b"back"


def test_closing_wakes_the_readers_of_all_os_threads(tcp: Pair) -> None:
    _, server = tcp
    parked = os.eventfd(0)

    def read() -> int | None:
        spawn(os.eventfd_write, parked, 1)  # runs as soon as the reader waits
        return error_of(server.recv, 1)

    results = [in_os_thread(read) for _ in range(2)]
    here = spawn(read)
    count = 0
    while count < 3:
        assert wait_readable(parked, 5)
        count += os.eventfd_read(parked)
    os.close(parked)
    server.close()
    assert [result() for result in results] == [errno.EBADF] * 2
    assert here.wait(5) == errno.EBADF


# Readiness, seen from elsewhere


def test_waiting_by_number_and_by_socket_at_once(tcp: Pair) -> None:
    client, server = tcp
    by_number = spawn(wait_readable, server.fileno(), 5)
    sleep(0)
    by_socket = spawn(server.recv, 1)
    sleep(0)
    client.send(b"x")
    assert by_number.wait(5) is True
    assert by_socket.wait(5) == b"x"


def test_select_sees_what_a_short_read_has_left(tcp: Pair) -> None:
    client, server = tcp
    reader = spawn(server.recv, 100)
    sleep(0)
    client.send(b"a")
    assert reader.wait(5) == b"a"
    assert select.select([server], [], [], 0)[0] == []
    client.send(b"b")
    assert select.select([server], [], [], 5)[0] == [server]
    server.setblocking(False)
    assert server.recv(100) == b"b"


# Families that not every kernel has


def family(name: str, kind: int, proto: int = 0) -> Iterator[GreenSocket]:
    if not hasattr(socket, name):
        pytest.skip(f"this Python has no {name}")
    try:
        sock = GreenSocket(getattr(socket, name), kind, proto)
    except OSError as error:
        pytest.skip(f"this system has no {name}: {error}")
    with sock:
        yield sock


def test_packets_of_seqpacket_stay_whole(keep: Keep) -> None:
    one, other = pair_of(keep, socket.SOCK_SEQPACKET)
    reader = spawn(lambda: [one.recv(100) for _ in range(2)])
    sleep(0)
    other.send(b"one")
    other.send(b"two")
    assert reader.wait(5) == [b"one", b"two"]


def test_the_kernels_hashes() -> None:
    for server in family("AF_ALG", socket.SOCK_SEQPACKET):
        try:
            server.bind(("hash", "sha256"))
        except OSError as error:
            pytest.skip(f"no sha256 in the kernel: {error}")
        operation, _ = server.accept()
        with operation:
            operation.sendall(b"abc")
            assert operation.recv(64).hex().startswith("ba7816bf")


def test_a_raw_can_frame() -> None:
    for sock in family("AF_CAN", socket.SOCK_RAW, getattr(socket, "CAN_RAW", 0)):
        sock.settimeout(0.005)
        sock.bind(("",))
        with pytest.raises(TimeoutError):
            sock.recv(16)


def test_vsock() -> None:
    for sock in family("AF_VSOCK", socket.SOCK_STREAM):
        sock.settimeout(0.05)
        with pytest.raises(OSError):
            sock.connect((1, 4_000_000_000))


def test_netlink() -> None:
    for sock in family("AF_NETLINK", socket.SOCK_RAW):
        sock.bind((0, 0))
        sock.settimeout(0.005)
        with pytest.raises(TimeoutError):
            sock.recv(100)


# What stays as it was


def test_it_is_a_socket_by_every_name(keep: Keep) -> None:
    sock = keep(GreenSocket())
    assert isinstance(sock, socket.socket)
    assert isinstance(sock, raw_socket)
    assert repr(sock).startswith("<greening.net.socket.GreenSocket fd=")


def test_a_socket_that_never_waits_costs_no_registration(keep: Keep) -> None:
    one, other = pair_of(keep)
    other.send(b"x")
    assert one.recv(1) == b"x"
    assert one.fileno() not in get_hub().regs


def test_warnings_are_errors_here() -> None:
    # Otherwise the tests above would not notice a socket that is left open.
    with pytest.raises(UserWarning):
        warnings.warn("an error", stacklevel=1)


# Timeouts of the stdlib's class


def test_the_default_timeout_is_kept_here_and_not_at_the_c_level(keep: Keep) -> None:
    setdefaulttimeout(4)
    try:
        assert getdefaulttimeout() == 4
        assert socket.getdefaulttimeout() is None
        sock = keep(GreenSocket())
        assert sock.gettimeout() == 4
        assert raw_socket.gettimeout(sock) is None
        assert keep(GreenSocket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)).gettimeout() == 0
        for wrong in (-1, "4"):
            with pytest.raises((TypeError, ValueError)):
                setdefaulttimeout(wrong)  # type: ignore[arg-type]  # that is the test
        assert getdefaulttimeout() == 4
    finally:
        setdefaulttimeout(None)
    assert getdefaulttimeout() is None
    assert keep(GreenSocket()).gettimeout() is None


def test_timeouts_of_sockets_that_exist_are_taken_over_and_given_back(keep: Keep) -> None:
    plain, hurried, untimed = (keep(socket.socket()) for _ in range(3))
    mine = keep(GreenSocket())
    plain.settimeout(5)
    hurried.setblocking(False)
    mine.settimeout(6)
    socket.setdefaulttimeout(7)
    take_over()
    try:
        assert (getdefaulttimeout(), socket.getdefaulttimeout()) == (7, None)
        assert raw_socket.gettimeout(plain) is None  # the C level would wait by itself
        assert not os.get_blocking(plain.fileno())
        assert (timeout_of(plain), timeout_of(hurried), timeout_of(untimed)) == (5, 0, None)
    finally:
        give_back()
        default = socket.getdefaulttimeout()
        socket.setdefaulttimeout(None)
    assert default == 7
    assert (plain.gettimeout(), hurried.gettimeout(), untimed.gettimeout(), mine.gettimeout()) == (5, 0, None, 6)
    assert raw_socket.gettimeout(mine) is None
    assert getdefaulttimeout() is None


def test_a_request_to_the_kernels_ciphers_waits_and_is_repeated(unix: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def send(sock: Any, *args: Any, **kwargs: Any) -> int:
        calls.append((args, kwargs))
        if len(calls) == 1:
            raise BlockingIOError(errno.EAGAIN, "full")
        return 3

    monkeypatch.setattr(room, "_sendmsg_afalg", send)
    with Timeout(5):
        sent = room.sendmsg_afalg(unix[0], [b"abc"], op=1, flags=socket.MSG_MORE)
    assert sent == 3
    assert calls == [(([b"abc"],), {"op": 1, "flags": socket.MSG_MORE | socket.MSG_DONTWAIT})] * 2
