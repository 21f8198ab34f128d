"""The resolver on dnspython, with a server of ours, and files of hosts of ours."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep

pytest.importorskip("dns.message", reason="dnspython is missing")

import dns.message
import dns.rcode
import dns.rrset

from greening.compat import dns_resolver
from greening.compat.dns_resolver import HostsResolver, ResolverProxy, resolve

RECORDS = {
    ("known.example.", "A"): ["10.0.0.1", "10.0.0.2"],
    ("www.example.", "CNAME"): ["known.example."],
    ("known.example.", "AAAA"): [],
    ("known.example.", "CNAME"): [],
    ("top.", "A"): ["10.0.0.3"],
}


class Server:
    """Answers questions over UDP, in a native thread. `asked` are the names; it answers while `answers` is set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = threading.Event()
        self.answers.set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            data, address = self.socket.recvfrom(4096)
            if not data:
                return
            question = dns.message.from_wire(data)
            name, kind = str(question.question[0].name), question.question[0].rdtype.name
            self.asked.append(name)
            self.answers.wait()
            response = dns.message.make_response(question)
            found = RECORDS.get((name, kind))
            if found:
                response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *found))
            elif found is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
            self.socket.sendto(response.to_wire(), address)

    def stop(self) -> None:
        self.answers.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.stop()


@pytest.fixture
def hosts(tmp_path: Path) -> HostsResolver:
    path = tmp_path / "hosts"
    path.write_text(
        "# comment\n10.1.0.1 Main.local main other # more\n::1 main.local\nfe80::1 main.local\n\n10.1.0.9\n", "utf-8"
    )
    return HostsResolver(str(path), interval=1000)


@pytest.fixture
def proxy(server: Server, hosts: HostsResolver, monkeypatch: pytest.MonkeyPatch) -> ResolverProxy:
    one = ResolverProxy(hosts)
    one._resolver = dns_resolver.dns.resolver.Resolver(configure=False)
    one._resolver.nameservers = ["127.0.0.1"]
    one._resolver.port = server.socket.getsockname()[1]
    one._resolver.lifetime = 20
    monkeypatch.setattr(dns_resolver, "resolver", one)
    return one


def addresses(answer: Any) -> list[str]:
    return sorted(record.address for record in answer)


def test_a_server_is_asked_while_others_run(server: Server, proxy: ResolverProxy) -> None:
    server.answers.clear()
    thread = spawn(resolve, "known.example")
    while not server.asked:
        sleep(0.001)  # also while the question is under way
    assert not thread.dead
    server.answers.set()
    assert addresses(thread.wait()) == ["10.0.0.1", "10.0.0.2"]


def test_the_file_of_hosts_comes_first(server: Server, proxy: ResolverProxy) -> None:
    assert addresses(resolve("main")) == addresses(resolve("MAIN.local.")) == ["10.1.0.1"]
    assert addresses(resolve("main.local", socket.AF_INET6)) == ["::1"]
    assert proxy.getaliases("main")[:2] == ["main.local", "other"]
    assert "main.local." not in server.asked


@pytest.mark.parametrize("name", ["unknown.example", "10.1.0.9"])
def test_what_is_not_there_is_an_error_or_an_empty_answer(name: str, proxy: ResolverProxy) -> None:
    with pytest.raises(socket.gaierror) as caught:
        resolve(name)
    assert caught.value.errno == socket.EAI_NONAME
    assert resolve(name, raises=False).rrset is None
    assert resolve(name, raises=False, use_network=False).rrset is None


def test_a_name_without_that_kind_of_address(proxy: ResolverProxy) -> None:
    with pytest.raises(socket.gaierror):
        resolve("known.example", socket.AF_INET6)
    assert resolve("known.example", socket.AF_INET6, raises=False).rrset is None
    with pytest.raises(socket.gaierror, match="family"):
        resolve("known.example", socket.AF_UNIX)


def test_a_server_that_does_not_answer_is_not_waited_for(server: Server, proxy: ResolverProxy) -> None:
    server.answers.clear()
    proxy._resolver.lifetime = 0.02
    with pytest.raises(socket.gaierror) as caught:
        resolve("known.example")
    assert caught.value.errno == socket.EAI_AGAIN


def test_a_name_without_a_dot_may_be_a_top_level_domain(server: Server, proxy: ResolverProxy) -> None:
    assert addresses(resolve("top")) == ["10.0.0.3"]


def test_canonical_names_and_aliases(proxy: ResolverProxy) -> None:
    assert dns_resolver.resolve_cname("www.example") == "known.example."
    assert dns_resolver.resolve_cname("known.example") == "known.example"
    assert dns_resolver.getaliases("www.example") == ["known.example."]
    with pytest.raises(socket.gaierror):
        dns_resolver.resolve_cname("unknown.example")


def test_a_file_of_hosts_that_is_not_there_is_empty(tmp_path: Path) -> None:
    empty = HostsResolver(str(tmp_path / "nothing"))
    assert not empty.query("main", raise_on_no_answer=False).rrset
    with pytest.raises(dns_resolver.dns.resolver.NoAnswer):
        empty.query(b"main")


def test_the_file_of_hosts_is_read_anew_when_its_time_is_up(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("10.0.0.1 one\n", "utf-8")
    eager, lazy = HostsResolver(str(path), interval=0), HostsResolver(str(path), interval=1000)
    assert addresses(eager.query("one")) == addresses(lazy.query("one")) == ["10.0.0.1"]
    path.write_text("10.0.0.2 one\n", "utf-8")
    assert addresses(eager.query("one")) == ["10.0.0.2"]
    assert addresses(lazy.query("one")) == ["10.0.0.1"]
