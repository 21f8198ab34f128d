"""eventlet.green.OpenSSL.SSL: connections of pyOpenSSL park."""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("OpenSSL")

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.compat.eventlet.green.OpenSSL import SSL
from greening.net.convenience import connect, listen
from greening.timeout import Timeout

trustme = pytest.importorskip("trustme")


@pytest.fixture
def ends(tmp_path) -> Iterator[tuple[Any, Any]]:
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_privatekey_file(str(tmp_path / "key.pem"))
    context.use_certificate_file(str(tmp_path / "cert.pem"))
    with Timeout(10), listen(("127.0.0.1", 0)) as listener:
        client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), connect(listener.getsockname()))
        client.set_connect_state()
        server, address = SSL.Connection(context, listener).accept()
        assert address == client.getsockname()
        yield client, server
        client.close()
        server.close()


def test_data_goes_both_ways_while_others_run(ends: tuple[Any, Any]) -> None:
    client, server = ends
    data = b"x" * 3_000_000
    shaking = spawn(server.do_handshake)
    client.do_handshake()
    shaking.wait()
    sender = spawn(server.sendall, data)
    got = 0
    while got < len(data):
        got += len(client.recv(65536))
    assert (got, sender.wait()) == (len(data), len(data))
    buffer = bytearray(5)
    reader = spawn(server.recv_into, buffer)
    sleep(0)
    assert client.send(b"hello") == 5
    assert (reader.wait(), bytes(buffer)) == (5, b"hello")


def test_goodbye_is_the_end(ends: tuple[Any, Any]) -> None:
    client, server = ends
    reader = spawn(server.recv, 10)
    client.do_handshake()
    client.shutdown()
    assert reader.wait() == b""
    assert server.recv_into(bytearray(5)) == 0


def test_the_timeout_counts_for_each_operation(ends: tuple[Any, Any]) -> None:
    client, _ = ends
    client.settimeout(0.001)
    assert client.gettimeout() == 0.001
    with pytest.raises(TimeoutError):
        client.do_handshake()


def test_to_close_it_ends_the_waits_for_it(ends: tuple[Any, Any]) -> None:
    client, _ = ends
    waiting = spawn(client.do_handshake)
    waiting.quiet = True
    sleep(0)
    client.close()
    with pytest.raises((OSError, SSL.Error)):
        waiting.wait()


def test_everything_else_is_pyopenssls() -> None:
    assert SSL.Connection is SSL.GreenConnection
    assert issubclass(SSL.WantReadError, SSL.Error)
