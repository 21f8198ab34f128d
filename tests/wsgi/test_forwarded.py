"""Who the client is behind proxies: only trusted ones are believed, and what a client invents counts nowhere."""

import json
import socket
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from greening.net.convenience import listen
from greening.wsgi.forwarded import TrustedProxies, TrustList
from tests.wsgi.conftest import Serve

PEER = ("127.0.0.1", 5000)
PROXIES = "127.0.0.1, 10.0.0.0/8, ::1, unix"


def seen(given: dict[str, str], *, peer: Any = PEER, trusted: str = PROXIES, **how: Any) -> dict[str, str]:
    """What of the environ is another than before, with the client as `client`."""
    before: dict[str, Any] = {
        "REMOTE_ADDR": "peer",
        "REMOTE_PORT": "5000",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "inner:8000",
        "SERVER_NAME": "0.0.0.0",
        "SERVER_PORT": "8000",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in given.items()},
    }
    environ = before.copy()
    client = TrustedProxies(trusted, **how).apply(environ, peer)
    changed = {name: value for name, value in environ.items() if before.get(name) != value}
    if client != peer:
        assert (changed.pop("REMOTE_ADDR"), changed.pop("REMOTE_PORT")) == (client[0], str(client[1]))
        changed["client"] = f"{client[0]} {client[1]}"
    return changed


def client(given: dict[str, str], **how: Any) -> str:
    return seen(given, **how).get("client", "the peer")


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("1.2.3.4", "1.2.3.4 0"),
        ("1.2.3.4:567", "1.2.3.4 567"),
        ("2001:db8::1", "2001:db8::1 0"),
        ("[2001:DB8::1]:567", "2001:db8::1 567"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4 0"),
        ("6.6.6.6, 1.2.3.4, 10.9.9.9,10.0.0.1", "1.2.3.4 0"),
        ("nonsense, 1.2.3.4", "1.2.3.4 0"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1 0"),
        ("10.0.0.1, unknown, 10.0.0.2", "10.0.0.2 0"),
        ("1.2.3.4, , ", "1.2.3.4 0"),
        ("6.6.6.6, unknown", "the peer"),
        ("6.6.6.6, 999.1.1.1", "the peer"),
        ("6.6.6.6, 1.2.3.4:99999", "the peer"),
        ("6.6.6.6, 1.2.3.4\x00", "the peer"),
        ("6.6.6.6, \xb2.2.2.2", "the peer"),
        (",", "the peer"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy(chain: str, expected: str) -> None:
    assert client({"X-Forwarded-For": chain}) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=1.2.3.4", "1.2.3.4 0"),
        ('For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17 4711"),
        ('for="1.2.3.4:80";by=10.0.0.1', "1.2.3.4 80"),
        ("for=6.6.6.6, for=1.2.3.4;proto=http, for=10.0.0.1", "1.2.3.4 0"),
        ('for="evil, for=1.2.3.4', "1.2.3.4 0"),
        ('for="evil\\", for=1.2.3.4', "1.2.3.4 0"),
        ('for=1.2.3.4;ext="a,b\\",c"', "1.2.3.4 0"),
        ('for=6.6.6.6, x="1,2", for=10.0.0.1;ext=","', "10.0.0.1 0"),
        ("for=1.2.3.4 ; proto=https , ", "1.2.3.4 0"),
        ("for=6.6.6.6, for=_hidden", "the peer"),
        ("for=6.6.6.6, for=unknown", "the peer"),
        ("for=6.6.6.6, for=1.2.3.4;for=5.5.5.5", "the peer"),
        ("for=6.6.6.6, for=1.2.3.4:80", "the peer"),
        ("for=6.6.6.6, 1.2.3.4", "the peer"),
        ('for=6.6.6.6, for="1.2.3.4', "the peer"),
        ("for", "the peer"),
    ],
)
def test_forwarded_is_read_the_same_way(value: str, expected: str) -> None:
    assert client({"Forwarded": value}) == expected


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        (("127.0.0.1", 5), "127.0.0.1"),
        (("::ffff:127.0.0.1", 5, 0, 0), "127.0.0.0/8"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::/10"),
        ("", "unix"),
        ("/path", "10.0.0.1,unix"),
        (b"\0abstract", "unix"),
        (("192.0.2.1", 5), "*"),
        ("", "*"),
    ],
)
def test_trusted_peers(peer: Any, trusted: str) -> None:
    assert client({"X-Forwarded-For": "1.2.3.4"}, peer=peer, trusted=trusted) == "1.2.3.4 0"


@pytest.mark.parametrize("peer", [("9.9.9.9", 5), ("::2", 5, 0, 0), ("::ffff:9.9.9.9", 5, 0, 0), ""])
def test_other_peers_change_nothing(peer: Any) -> None:
    fields = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "a", "Forwarded": "for=_"}
    assert seen(fields, peer=peer, trusted="127.0.0.1,::1,10.0.0.0/8") == {}


def test_when_all_are_trusted_the_client_is_the_leftmost() -> None:
    assert client({"X-Forwarded-For": "6.6.6.6, 1.2.3.4"}, trusted="*") == "6.6.6.6 0"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"proto": "https"}, {"wsgi.url_scheme": "https", "HTTPS": "on"}),
        ({"proto": "HTTPS"}, {"wsgi.url_scheme": "https", "HTTPS": "on"}),
        ({"proto": "wss"}, {"wsgi.url_scheme": "https", "HTTPS": "on"}),
        ({"proto": "javascript"}, {}),
        ({"proto": "https, http"}, {}),
        ({"host": "example.org"}, {"HTTP_HOST": "example.org", "SERVER_NAME": "example.org", "SERVER_PORT": "80"}),
        ({"host": "[::1]:81"}, {"HTTP_HOST": "[::1]:81", "SERVER_NAME": "[::1]", "SERVER_PORT": "81"}),
        ({"host": "a/b"}, {}),
        ({"host": "evil.org, example.org"}, {"HTTP_HOST": "example.org", "SERVER_NAME": "example.org"}),
        ({"port": "81"}, {"HTTP_HOST": "inner:81", "SERVER_PORT": "81"}),
        ({"port": "80"}, {"HTTP_HOST": "inner", "SERVER_PORT": "80"}),
        ({"port": "0"}, {}),
        ({"port": "99999"}, {}),
        ({"port": "\xb2"}, {}),
        (
            {"proto": "https", "host": "example.org", "port": "443"},
            {"wsgi.url_scheme": "https", "HTTPS": "on", "HTTP_HOST": "example.org", "SERVER_PORT": "443"},
        ),
        ({"proto": "https", "host": "a", "port": "8443"}, {"HTTP_HOST": "a:8443", "SERVER_PORT": "8443"}),
    ],
)
def test_scheme_host_and_port(fields: dict[str, str], expected: dict[str, str]) -> None:
    found = seen({f"X-Forwarded-{name}": value for name, value in fields.items()})
    assert expected.items() <= found.items()
    assert bool(expected) == bool(found)


def test_the_scheme_is_that_of_the_clients_place_in_the_chain() -> None:
    fields = {"X-Forwarded-For": "6.6.6.6, 1.2.3.4, 10.0.0.1", "X-Forwarded-Proto": "http, https, http"}
    assert seen(fields)["wsgi.url_scheme"] == "https"
    fields["X-Forwarded-Proto"] = "https"  # the nearest proxy does not append, but says what the first one saw
    assert seen(fields)["wsgi.url_scheme"] == "https"


def test_forwarded_has_scheme_and_host_in_the_clients_element() -> None:
    value = 'for=6.6.6.6;proto=http;host=evil, for=1.2.3.4;proto=https;host="a.org:444", for=10.0.0.1;proto=http'
    assert seen({"Forwarded": value}) == {
        "client": "1.2.3.4 0",
        "wsgi.url_scheme": "https",
        "HTTPS": "on",
        "HTTP_HOST": "a.org:444",
        "SERVER_NAME": "a.org",
        "SERVER_PORT": "444",
    }


def test_the_two_families_are_never_mixed() -> None:
    both = {"X-Forwarded-For": "1.2.3.4", "Forwarded": "for=5.6.7.8;proto=https;host=b"}
    assert seen(both) == {"client": "1.2.3.4 0"}
    assert seen({**both, "X-Forwarded-For": ""})["client"] == "5.6.7.8 0"
    assert seen(both, fields=["forwarded"])["client"] == "5.6.7.8 0"


def test_fields_that_the_proxies_do_not_set_are_not_looked_at() -> None:
    fields = {
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil",
        "Forwarded": "a=b",
    }
    found = seen(fields, fields=["X-Forwarded-For", " x-forwarded-proto"])
    assert found == {"client": "1.2.3.4 0", "wsgi.url_scheme": "https", "HTTPS": "on"}


def test_a_scheme_of_http_takes_https_away() -> None:
    environ = {"wsgi.url_scheme": "https", "HTTPS": "on", "HTTP_X_FORWARDED_PROTO": "http"}
    TrustedProxies("*").apply(environ, PEER)
    assert environ["wsgi.url_scheme"] == "http" and "HTTPS" not in environ


@pytest.mark.parametrize("text", ["localhost", "10.0.0.0/33", "10.0.0.1/8", "1.2.3", "unix:", "**"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        TrustList(f"127.0.0.1, {text}")


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(ValueError, match="x-forwarded-by"):
        TrustedProxies("*", ["x-forwarded-by"])


@pytest.mark.parametrize("unit", ["1.2.3.4,", 'for="', '",', "for=1.1.1.1;a=b,", "\\,", ";" * 5 + ","])
@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded"])
def test_long_fields_take_time_in_proportion(name: str, unit: str) -> None:
    def best(size: int) -> float:
        times = []
        for _ in range(3):
            began = process_time()
            client({name: unit * (size // len(unit))}, trusted="*")
            times.append(process_time() - began)
        return min(times)

    # Quadratic would be 256 times as long.
    assert best(1_600_000) < 64 * max(best(100_000), 0.001)


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    names = ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTP_HOST", "HTTP_X_FORWARDED_FOR")
    data = json.dumps({name: environ.get(name) for name in names}).encode()
    start_response("200 OK", [])
    return [data]


ASKED = b"GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\r\n"


def test_a_server_believes_its_proxies_and_logs_the_client(serve: Serve) -> None:
    running = serve(app, forwarded_allow_ips="127.0.0.1", log_output=True, log_format="%(client_ip)s %(scheme)s")
    proxy = running.connect()
    assert proxy.ask(ASKED).told == {
        "REMOTE_ADDR": "1.2.3.4",
        "REMOTE_PORT": "0",
        "wsgi.url_scheme": "https",
        "HTTP_HOST": "inner",
        "HTTP_X_FORWARDED_FOR": "1.2.3.4",
    }
    # The next request on the same connection is another client's.
    other = proxy.ask(ASKED.replace(b"1.2.3.4", b"5.6.7.8").replace(b"https", b"http"))
    assert (other.told["REMOTE_ADDR"], other.told["wsgi.url_scheme"]) == ("5.6.7.8", "http")
    assert running.log.getvalue().splitlines()[-2:] == ["1.2.3.4 https", "5.6.7.8 http"]


def test_a_server_believes_nobody_else(serve: Serve) -> None:
    for trusted in (None, "192.0.2.1,unix"):
        told = serve(app, forwarded_allow_ips=trusted).connect().ask(ASKED).told
        assert (told["REMOTE_ADDR"], told["wsgi.url_scheme"]) == ("127.0.0.1", "http")
        assert told["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"


def test_a_proxy_on_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    running = serve(app, listener=listen(path, socket.AF_UNIX), forwarded_allow_ips="unix")
    assert running.connect().ask(ASKED).told["REMOTE_ADDR"] == "1.2.3.4"
    assert running.connect().get().told["REMOTE_ADDR"] == "127.0.0.1"
