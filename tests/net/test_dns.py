"""Look-ups: the same answers and errors as the stdlib's, in native threads unless no server is asked."""

import itertools
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import allocate_lock, get_ident
from greening.errors import GreenletExit
from greening.net import dns
from greening.sync.event import Event
from greening.threads.native import TPOOL, NativePool, execute, wait_gone
from greening.timeout import Timeout

HERE = get_ident()
# Before a test replaces what they stand for.
REAL = {name: getattr(dns, f"_{name}") for name in ("getaddrinfo", "getnameinfo", "gethostbyname", "getfqdn")}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    while get_hub().external_waits:
        sleep(0.001)
    wait_gone(dns.RESOLVERS.dismiss_idle())
    wait_gone(TPOOL.dismiss_idle())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was handed to native threads."""
    calls: list[tuple[Any, ...]] = []
    real = NativePool.execute

    def execute(self: NativePool, func: Callable[..., Any], *args: Any) -> Any:
        if self is dns.RESOLVERS:
            calls.append(args)
        return real(self, func, *args)

    monkeypatch.setattr(NativePool, "execute", execute)
    return calls


def outcome(func: Callable[..., Any], *args: Any) -> Any:
    """The result, or the exception's type and arguments."""
    try:
        return func(*args)
    except Exception as error:  # whatever it is, it is compared
        return type(error), error.args


ADDRESSES = ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "::1", "fe80::1%lo", "::ffff:1.2.3.4"]
NUMERIC = [None, *ADDRESSES, b"127.0.0.1", b"::1", "127.0.0.１"]  # noqa: RUF001  # a digit, for IDNA
HINTS = [
    (0, 0, 0, 0),
    (socket.AF_INET, 0, 0, 0),
    (socket.AF_INET6, socket.SOCK_STREAM, 0, 0),
    (0, socket.SOCK_STREAM, 0, socket.AI_CANONNAME),
    (0, socket.SOCK_DGRAM, 0, socket.AI_PASSIVE),
    (socket.AF_INET6, 0, 0, socket.AI_V4MAPPED | socket.AI_ALL),
    (0, 0, socket.IPPROTO_TCP, socket.AI_ADDRCONFIG),
    (0, 0, 0, socket.AI_NUMERICSERV),
    (12345, 0, 0, 0),
]


@pytest.mark.parametrize("hints", HINTS)
def test_numeric_addresses_are_answered_on_the_spot_as_the_stdlib_does(
    hints: tuple[int, ...], asked: list[tuple[Any, ...]]
) -> None:
    for host, port in itertools.product(NUMERIC, (None, 0, 80, "80", b"80", -1, 70000)):
        expected = outcome(REAL["getaddrinfo"], host, port, *hints)
        assert outcome(dns.getaddrinfo, host, port, *hints) == expected, (host, port)
    assert asked == []


def test_the_numbers_are_enumerations() -> None:
    family, kind, *_ = dns.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0]
    assert isinstance(family, socket.AddressFamily)
    assert isinstance(kind, socket.SocketKind)
    assert dns.getaddrinfo(host="localhost", port=80)[0][0] in (socket.AF_INET, socket.AF_INET6)


def test_a_name_that_must_be_numeric_is_not_looked_up(asked: list[tuple[Any, ...]]) -> None:
    with pytest.raises(socket.gaierror) as caught:
        dns.getaddrinfo("localhost", 80, flags=socket.AI_NUMERICHOST)
    assert caught.value.errno == socket.EAI_NONAME
    assert asked == []


@pytest.mark.parametrize(
    ("host", "port"), [("localhost", 80), (b"localhost", 80), ("127.0.0.1", "http"), ("", 80), ("localhost", "http")]
)
def test_what_is_looked_up(host: Any, port: Any, asked: list[tuple[Any, ...]]) -> None:
    expected = outcome(REAL["getaddrinfo"], host, port)
    assert outcome(dns.getaddrinfo, host, port) == expected
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("host", "port", "hints"),
    [
        ("localhost", "no-such-service", ()),
        ("fe80::1%no-such", 80, ()),
        ("127.0.0.1", "no-such-service", ()),
        ("a" * 70, 80, ()),
        ("x..y", 80, ()),
        ("localhost", 2**70, ()),
        ("127.0.0.1", 2**70, ()),
        ("127.0.0.1", 1.5, ()),
        ("127.0.0.1\0", 80, ()),
        ("127.0.0.1", "80\0", ()),
        (5, 80, ()),
        (bytearray(b"127.0.0.1"), 80, ()),
        ("127.0.0.1", 80, ("x",)),
        ("127.0.0.1", 80, (0, 0, 0, "x")),
        (None, None, ()),
        ("\udcff", 80, ()),
    ],
)
def test_errors_are_the_stdlibs(host: Any, port: Any, hints: tuple[Any, ...]) -> None:
    expected = outcome(REAL["getaddrinfo"], host, port, *hints)
    assert outcome(dns.getaddrinfo, host, port, *hints) == expected


def test_gethostbyname(asked: list[tuple[Any, ...]]) -> None:
    for host in ("127.0.0.1", "", "<broadcast>", "255.255.255.255"):
        assert dns.gethostbyname(host) == REAL["gethostbyname"](host)
    assert asked == []
    for host in ("localhost", b"localhost", bytearray(b"localhost"), "127.1", "::1", 5, "a" * 70, "x\0"):
        assert outcome(dns.gethostbyname, host) == outcome(REAL["gethostbyname"], host)
    assert len(asked) == 8


def test_getnameinfo(asked: list[tuple[Any, ...]]) -> None:
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    on_the_spot = [("127.0.0.1", 80), ("::1", 80, 0, 0), ("localhost", 80), "127.0.0.1", None, ["127.0.0.1", 80]]
    for address, flags in ((address, numeric) for address in on_the_spot):
        assert outcome(dns.getnameinfo, address, flags) == outcome(REAL["getnameinfo"], address, flags)
    assert asked == []
    for address, flags in ((("127.0.0.1", 80), 0), (("127.0.0.1", 80), socket.NI_NUMERICHOST), ((), 0), (("x", 1), "")):
        assert outcome(dns.getnameinfo, address, flags) == outcome(REAL["getnameinfo"], address, flags)
    assert len(asked) == 4


def test_the_others(asked: list[tuple[Any, ...]]) -> None:
    assert "127.0.0.1" in dns.gethostbyname_ex("localhost")[2]
    assert dns.gethostbyaddr("127.0.0.1")[2] == ["127.0.0.1"]
    assert dns.getfqdn("127.0.0.1") == REAL["getfqdn"]("127.0.0.1")
    assert dns.getfqdn() == REAL["getfqdn"]()
    assert len(asked) == 4


# While it takes its time


class Stuck:
    """A look-up that takes until `open`."""

    def __init__(self) -> None:
        self.started = Event()
        self.threads: list[int] = []
        self._calls = itertools.count()
        self._hub = get_hub()
        self._gate = allocate_lock()
        self._gate.acquire()

    def __call__(self, *args: Any) -> str:
        self.threads.append(get_ident())
        if next(self._calls) == 0:  # one step: several OS threads come here at once
            self._hub.post(self.started.send)
        self._gate.acquire()
        self._gate.release()
        return "192.0.2.1"

    @property
    def closed(self) -> bool:
        return self._gate.locked()

    def open(self) -> None:
        self._gate.release()


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    lookup = Stuck()
    monkeypatch.setattr(dns, "_gethostbyname", lookup)
    yield lookup
    if lookup.closed:  # the test has failed: what comes next needs the threads
        lookup.open()


def test_others_run_meanwhile_and_numbers_do_not_wait(stuck: Stuck) -> None:
    waiters = [spawn(dns.gethostbyname, f"host{number}.invalid") for number in range(20)]
    while len(stuck.threads) < dns.RESOLVERS.size:  # a round of the hub may end before all of them have called
        sleep(0)
    assert dns.getaddrinfo("192.0.2.7", 80, type=socket.SOCK_STREAM)[0][4] == ("192.0.2.7", 80)
    assert execute(int, "7") == 7  # tpool has threads of its own
    assert dns.RESOLVERS.size == 10
    assert len(dns.RESOLVERS._alive) == 10
    stuck.open()
    assert [waiter.wait() for waiter in waiters] == ["192.0.2.1"] * 20
    assert HERE not in stuck.threads


def test_a_thread_that_is_killed_or_times_out_leaves_at_once(stuck: Stuck) -> None:
    waiter = spawn(dns.gethostbyname, "host.invalid")
    stuck.started.wait()
    waiter.kill()
    with pytest.raises(GreenletExit):
        waiter.wait()
    with pytest.raises(Timeout):
        with Timeout(0.01):
            dns.gethostbyname("host.invalid")
    stuck.open()


@pytest.mark.slow
def test_a_patched_program(run_program: Callable[..., Any]) -> None:
    assert run_program("dns_patched.py").stderr == ""
